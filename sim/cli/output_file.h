// A file that is either written whole or not at all: a full disk never leaves half of one.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "sim/result.h"

namespace coldread::cli {

// Writes beside the target and renames at commit(). A target that exists and is not a regular file
// (a pipe, /dev/stderr) is written directly: renaming would replace it. Without commit() nothing
// remains. Not thread-safe.
class OutputFile {
 public:
  static Result<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  void write(std::string_view text);  // errors are kept for commit()
  Status commit();                    // everything is on the disk under its name, or an error

 private:
  struct Close {
    void operator()(FILE* file) const { fclose(file); }
  };

  OutputFile() = default;
  std::string path_;
  std::string temporary_;  // empty: written directly
  std::unique_ptr<FILE, Close> file_;
  int error_ = 0;  // errno of the first write that failed
};

// Whether a file could be written there now: asked before hours of work whose result goes there.
// Nothing remains of it.
Status check_writable(const std::string& path);

// All of `text` into one file.
Status write_file(const std::string& path, std::string_view text);

}  // namespace coldread::cli
