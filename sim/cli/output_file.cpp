// Temporary name, every return value looked at, rename at the end.
#include "sim/cli/output_file.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace coldread::cli {
namespace {

std::string system_message(int error) {
  return std::generic_category().message(error);
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  struct stat there = {};
  const bool exists = stat(path.c_str(), &there) == 0;
  if (exists && S_ISDIR(there.st_mode)) {
    return Error{fmt::format("{}: cannot write: is a directory", path)};
  }
  OutputFile out;
  out.path_ = path;
  const bool directly = exists && !S_ISREG(there.st_mode);
  if (!directly) out.temporary_ = fmt::format("{}.{}.new", path, getpid());
  out.file_.reset(fopen(directly ? path.c_str() : out.temporary_.c_str(), "we"));
  if (!out.file_) {
    const int error = errno;
    out.temporary_.clear();
    return Error{fmt::format("{}: cannot write: {}", path, system_message(error))};
  }
  return out;
}

OutputFile::~OutputFile() {
  if (file_ && !temporary_.empty()) unlink(temporary_.c_str());
}

void OutputFile::write(std::string_view text) {
  if (error_ != 0) return;
  if (fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) error_ = errno;
}

Status OutputFile::commit() {
  if (error_ == 0 && fflush(file_.get()) != 0) error_ = errno;
  // Some filesystems notice only here that they are full; pipes and devices cannot do it.
  if (error_ == 0 && !temporary_.empty() && fsync(fileno(file_.get())) != 0) error_ = errno;
  if (error_ == 0 && !temporary_.empty() && rename(temporary_.c_str(), path_.c_str()) != 0) {
    error_ = errno;
  }
  if (error_ != 0) return Error{fmt::format("{}: cannot write: {}", path_, system_message(error_))};
  file_.reset();
  return Nothing{};
}

Status check_writable(const std::string& path) {
  const Result<OutputFile> file = OutputFile::create(path);
  return file ? Status(Nothing{}) : Status(Error{file.error()});
}

Status write_file(const std::string& path, std::string_view text) {
  Result<OutputFile> file = OutputFile::create(path);
  if (!file) return Error{file.error()};
  file->write(text);
  return file->commit();
}

}  // namespace coldread::cli
