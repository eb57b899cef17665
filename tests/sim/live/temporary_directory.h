// A directory that lasts as long as a test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace coldread::live {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(std::filesystem::temp_directory_path() / "coldread-test.XXXXXX") {
    std::string name = path_;
    if (!mkdtemp(name.data())) ADD_FAILURE() << "no temporary directory: " << name;
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // A file with this text; executable if it is a script.
  std::string write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream(file) << text;
    if (text.rfind("#!", 0) == 0) {
      std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    }
    return file;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace coldread::live
