// Reads what a Recorder wrote, gives it to the model again and compares what comes of it.
//
// Whoever plays it takes the lines that begin with "step" one after the other, hands them to the
// model and lets that run; all other lines are asked for by the model itself. The first thing that
// is not as recorded ends the run.
//
// Thread rules: one thread. Lifetime: the scheduler ends first.
#pragma once

#include <fstream>
#include <map>
#include <optional>

#include "fuse/record/recorder.h"
#include "fuse/record/tape.h"

namespace coldread::sim {
class FiberScheduler;
}

namespace coldread::fuse {

class Playback final : public Tape {
 public:
  // Whether the file says that it is a recording, of whatever version.
  static bool is_recording(const std::string& path);
  // Errors name file and line.
  static Result<std::unique_ptr<Playback>> open(const std::string& path);
  const RecordingHeader& header() const { return header_; }

  void use(sim::FiberScheduler& scheduler) { scheduler_ = &scheduler; }

  // What ended the comparison.
  struct Finding {
    enum class Kind : uint8_t {
      differs,    // the model does something else
      malformed,  // no recording looks like this; `got` says why
      ran_out,    // nothing is recorded any more, in the middle of a turn
    };
    Kind kind;
    size_t line;           // of the file, from 1
    std::string recorded;  // the line
    std::string got;
  };
  const std::optional<Finding>& finding() const { return finding_; }
  void differs(std::string got);
  void malformed(std::string why);

  // The next line; null: there is none, or there is a finding.
  const Json* next();
  const std::string& text() const { return text_; }  // of the next line, as it stands there
  void advance();
  size_t line() const { return line_; }
  bool cut_short() const { return cut_short_; }  // the last line was half a line

  // "done": the helper of that errand has ended.
  void errand_ends(uint64_t number);
  // Around the scheduler's run().
  void running(bool running) { running_ = running; }

  // Receives every answer of the model as it is recorded, and every tracepoint; may be null.
  std::function<void(const Json& line)> on_say;
  std::function<void(std::string_view line)> on_trace;

  void say(const Json& said) override;
  void errand_begins(Errand& errand) override;
  void turn_ends() override;
  void traced(std::string_view line) override;

 private:
  explicit Playback(const std::string& path) : Tape(Mode::playing), file_(path) {}
  Status read_header(const std::string& path);
  void catch_up() override;
  bool pass(Json& line) override;
  void give_up() override;
  void find(Finding::Kind kind, std::string got);

  std::ifstream file_;
  RecordingHeader header_;
  sim::FiberScheduler* scheduler_ = nullptr;
  bool running_ = false;
  bool have_ = false;  // the next line was read
  bool cut_short_ = false;
  size_t line_ = 0;
  std::string text_;
  Json parsed_;
  std::optional<Finding> finding_;
  std::map<uint64_t, Errand*> errands_;  // under way
  uint64_t events_ = 0;
  Sha256 digest_;
};

}  // namespace coldread::fuse
