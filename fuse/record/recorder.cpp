// Lines into a file.
#include "fuse/record/recorder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fuse/host/errand.h"
#include "sim/scheduler/scheduler.h"

namespace coldread::fuse {
namespace {

constexpr size_t kBuffer = size_t{64} * 1024;

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::create(const std::string& path,
                                                   const RecordingHeader& header) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Error{fmt::format("{}: cannot be written: {}", path, std::strerror(errno))};
  std::unique_ptr<Recorder> recorder(new Recorder(fd));
  recorder->write({{"coldread", "recording"},
                   {"version", kRecordingVersion},
                   {"program", header.program},
                   {"kernel", header.kernel},
                   {"realtime", header.realtime}});
  recorder->flush();
  if (recorder->error_ != 0)
    return Error{fmt::format("{}: cannot be written: {}", path, std::strerror(recorder->error_))};
  return recorder;
}

Recorder::~Recorder() {
  flush();
  close(fd_);
}

void Recorder::write(const Json& line) {
  if (ended_) return;
  buffer_ += text_of(line);
  buffer_ += '\n';
  if (buffer_.size() >= kBuffer) flush();
}

void Recorder::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && error_ == 0) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written >= 0)
      rest.remove_prefix(static_cast<size_t>(written));
    else if (errno != EINTR)
      error_ = errno;
  }
  buffer_.clear();
}

void Recorder::enters(uint64_t step, TimeNs at, std::string_view text) {
  if (ended_) return;
  buffer_ += fmt::format("{{\"step\":{},\"at\":{},{}}}\n", step, at, text);
}

void Recorder::errand_begins(Errand& errand) {
  errand.number = ++errands_;
  write({{"errand", errand.number}});
}

bool Recorder::pass(Json& line) {
  write(line);
  return true;
}

void Recorder::traced(std::string_view line) {
  events_++;
  digest_.add(std::as_bytes(std::span(line)));
}

void Recorder::turn_ends() {
  if (events_ > 0) {
    write({{"traced", events_}, {"sha256", digest_.hex()}});
    digest_.restart();
    events_ = 0;
  }
  flush();
}

void Recorder::ends(const sim::RunEnd& end) {
  if (end.kind == sim::RunEnd::Kind::idle)
    write({{"end", "stopped"}});
  else
    write({{"end", report_kind_name(end.report)}, {"text", end.text}, {"task", end.task}});
  flush();
  ended_ = true;
}

}  // namespace coldread::fuse
