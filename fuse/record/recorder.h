// Writes down what a mounted model is given and what it answers, as it happens.
//
// Everything is in the file when nobody can go on: a server that hangs or is killed leaves all that
// led there; a last line that was cut short does no harm. Memory does not grow with the run.
//
// Thread rules: those of Tape; trouble() when the host has stopped.
#pragma once

#include <string>

#include "fuse/record/tape.h"
#include "sim/result.h"
#include "sim/sha256.h"

namespace coldread::fuse {

inline constexpr int kRecordingVersion = 1;

struct RecordingHeader {
  std::string kernel;     // a profile's name
  std::string program;    // what wrote it, and its version
  uint64_t realtime = 0;  // seconds, when the modelled kernel booted
};

class Recorder final : public Tape {
 public:
  // Makes the file, or empties it.
  static Result<std::unique_ptr<Recorder>> create(const std::string& path,
                                                  const RecordingHeader& header);
  ~Recorder() override;

  // The errno of the first write that failed; everything after it is missing.
  int trouble() const { return error_; }

  void say(const Json& line) override { write(line); }
  void enters(uint64_t step, TimeNs at, std::string_view text) override;
  void errand_begins(Errand& errand) override;
  void turn_ends() override;
  void ends(const sim::RunEnd& end) override;
  void traced(std::string_view line) override;

 private:
  explicit Recorder(int fd) : Tape(Mode::recording), fd_(fd) {}
  bool pass(Json& line) override;
  void write(const Json& line);
  void flush();

  const int fd_;
  std::string buffer_;
  int error_ = 0;
  bool ended_ = false;  // nothing follows
  uint64_t errands_ = 0;
  uint64_t events_ = 0;
  Sha256 digest_;  // of their lines
};

}  // namespace coldread::fuse
