// Turn by turn: what entered, then whoever can run.
#include "fuse/replay/replay.h"

#include <fmt/core.h>

#include "fuse/mount/request_record.h"
#include "fuse/record/playback.h"
#include "fuse/record/taped_store.h"
#include "fuse/replay/line_text.h"
#include "fuse/supervisor/held_call.h"
#include "fuse/supervisor/mounted_device.h"

namespace coldread::fuse {
namespace {

using Verdict = ReplayResult::Verdict;

// A member that an input must have.
template <typename T>
T member(const Json& line, const char* key) {
  return line.at(key).get<T>();
}

// The served kernel, without what is outside of it.
class Replay {
 public:
  Replay(Playback& tape, const Profile& profile, const ReplayOptions& options);
  ~Replay() { host_.stop(); }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  ReplayResult run();

 private:
  bool enter();
  void enter(const Json& line);
  bool begin(const Json& line, const std::string& kind);
  bool begin_request(const Json& line);
  void begin_held(const Json& line, bool read);
  bool run_fibers();
  void show(const std::string& line) const;
  void look_at_end();
  void look_who_waits();
  void conclude();

  Playback& tape_;
  const ReplayOptions& options_;
  Host host_;
  KernelLog log_;
  TapedStore store_;
  Kernel kernel_;
  BufferPool buffers_;  // of requests
  Server server_;
  MountedDevice device_;
  ReplayResult result_;
  sim::RunEnd end_;
};

Replay::Replay(Playback& tape, const Profile& profile, const ReplayOptions& options)
    : tape_(tape),
      options_(options),
      host_(tape),
      log_(host_.scheduler(), nullptr),
      store_(tape, nullptr),
      kernel_(host_.scheduler(), store_, log_, log_, profile),
      server_(host_, kernel_, log_),
      device_(server_, "") {
  tape.use(host_.scheduler());
  kernel_.realtime_seconds = tape.header().realtime;
  log_.observe([&tape](std::string_view line) { tape.traced(line); });
  server_.use_working_directories(nullptr);
  tape_.on_trace = options.on_trace;
  if (options.on_line) tape_.on_say = [this](const Json& line) { show(answer_text(line)); };
  result_.kernel = profile.name;
}

void Replay::show(const std::string& line) const {
  if (!line.empty()) options_.on_line(line);
}

// --- what enters --------------------------------------------------------------------------------

// Everything of the next turn. False: nothing is left.
bool Replay::enter() {
  const uint64_t step = host_.scheduler().steps();
  bool entered = false;
  for (const Json* line = tape_.next(); line != nullptr && line->contains("step");
       line = tape_.next()) {
    if (!(*line)["step"].is_number_unsigned() || !line->value("at", Json()).is_number_unsigned()) {
      tape_.malformed("expected \"step\" and \"at\", numbers");
      break;
    }
    if ((*line)["step"] != step) {
      if (!entered) tape_.differs(fmt::format("nobody can go on at step {}", step));
      break;
    }
    entered = true;
    const auto at = (*line)["at"].get<TimeNs>();
    if (at < host_.scheduler().now()) {
      tape_.malformed("time goes back");
      break;
    }
    host_.set_time(at);
    enter(*line);
  }
  const Json* rest = tape_.next();
  if (!entered && rest != nullptr && !rest->contains("end"))
    tape_.differs(fmt::format("nothing: nobody can go on at step {}", step));
  return entered && !tape_.finding();
}

void Replay::enter(const Json& line) {
  if (options_.on_line) show(input_text(line));
  result_.inputs++;
  bool known = false;
  try {
    known = begin(line, member<std::string>(line, "in"));
  } catch (const Json::exception&) {  // a member is missing or of another type
  }
  if (known)
    tape_.advance();
  else
    tape_.malformed("no input looks like this");
}

bool Replay::begin(const Json& line, const std::string& kind) {
  if (kind == "start" || kind == "timer") return true;
  if (kind == "done") {
    tape_.errand_ends(member<uint64_t>(line, "errand"));
    return true;
  }
  if (kind == "job") {
    if (!host_.begin_oldest()) tape_.differs("nobody has posted a job");
    return true;
  }
  if (kind == "call") {
    if (!begin_request(line)) return false;
  } else if (kind == "signal") {
    server_.interrupted(member<uint64_t>(line, "call"));
  } else if (kind == "read" || kind == "file call") {
    begin_held(line, kind == "read");
  } else if (kind == "serve blobs") {
    host_.post(server_.serving_blobs(name_from(line.at("cache")), name_from(line.at("blobs")),
                                     std::make_shared<int>()));
  } else if (kind == "report") {
    host_.post(server_.reporting(std::make_shared<std::string>()));
  } else if (kind == "redirect opens") {
    host_.post(device_.supervising({}));
  } else if (kind == "stop") {
    look_who_waits();
    host_.post(server_.shutting_down());
  } else {
    return false;
  }
  return host_.begin_newest();
}

bool Replay::begin_request(const Json& line) {
  std::string caller;
  std::unique_ptr<Request> request = request_from(line, buffers_, &caller);
  if (request == nullptr) return false;
  server_.submit(std::move(request), caller);
  return true;
}

void Replay::begin_held(const Json& line, bool read) {
  const auto thread = member<pid_t>(line, "thread");
  if (read) {
    device_.read(std::make_shared<HeldRead>(nullptr, 0, thread, 0, member<uint64_t>(line, "size")));
    return;
  }
  FileCall call;
  call.what = member<FileCall::What>(line, "what");
  call.file.inode = member<uint64_t>(line, "inode");
  call.argument = member<uint64_t>(line, "argument");
  call.number = member<uint32_t>(line, "number");
  device_.call(std::make_shared<HeldFileCall>(nullptr, 0, thread, call));
}

// --- what comes of it ---------------------------------------------------------------------------

bool Replay::run_fibers() {
  tape_.running(true);
  end_ = host_.scheduler().run();
  tape_.running(false);
  if (!tape_.finding()) tape_.turn_ends();
  return !tape_.finding() && end_.kind == sim::RunEnd::Kind::idle;
}

ReplayResult Replay::run() {
  end_.kind = sim::RunEnd::Kind::idle;  // as long as nothing has run
  while (enter() && run_fibers()) {
  }
  if (!tape_.finding()) look_at_end();
  conclude();
  return std::move(result_);
}

// The last line, if the server ended by itself.
void Replay::look_at_end() {
  const Json* line = tape_.next();
  if (line == nullptr && tape_.finding()) return;
  const bool broken = end_.kind != sim::RunEnd::Kind::idle;
  const std::string report = broken ? report_kind_name(end_.report) : "stopped";
  if (line == nullptr) {
    result_.complete = broken;
  } else if (line->value("end", Json()) != report ||
             (broken && line->value("text", Json()) != end_.text)) {
    return tape_.differs(broken ? fmt::format("{}: {}", report, end_.text)
                                : "the model goes on as if nothing were wrong");
  } else {
    tape_.advance();
    if (tape_.next() != nullptr) return tape_.malformed("nothing can follow the end");
  }
  if (broken) {
    result_.verdict = Verdict::broken;
    result_.report =
        player::RunReport{report, fmt::format("{} (task {})", end_.text, end_.task), {}};
    for (const sim::WaitingTask& task : end_.waiting)
      result_.report->details.push_back(
          fmt::format("{} waits: {} {}", task.name, task.reason.kind, task.reason.name));
  }
}

// When nothing more comes, those will never be answered.
void Replay::look_who_waits() {
  if (result_.report) return;
  std::vector<std::string> waiting = server_.waiting();
  if (waiting.empty()) return;
  result_.verdict = Verdict::hung;
  result_.report = player::RunReport{report_kind_name(ReportKind::hang),
                                     "the recording ends and somebody waits", std::move(waiting)};
}

void Replay::conclude() {
  using Kind = Playback::Finding::Kind;
  result_.steps = host_.scheduler().steps();
  const auto& finding = tape_.finding();
  if (!finding || finding->kind == Kind::ran_out) {
    if (finding) result_.complete = false;
    if (!result_.complete) look_who_waits();
    return;
  }
  result_.verdict = finding->kind == Kind::differs ? Verdict::differs : Verdict::malformed;
  result_.report.reset();
  result_.line = finding->line;
  result_.recorded = finding->recorded;
  result_.got = finding->got;
}

}  // namespace

bool is_recording(const std::string& path) {
  return Playback::is_recording(path);
}

Result<ReplayResult> replay(const std::string& path, const ReplayOptions& options) {
  auto tape = Playback::open(path);
  if (!tape) return Error{tape.error()};
  const std::string& kernel = (*tape)->header().kernel;
  const Profile* profile = find_profile(kernel);
  if (profile == nullptr)
    return Error{fmt::format("{}:1: \"kernel\": no such profile: {}", path, kernel)};
  ReplayResult result = Replay(**tape, *profile, options).run();
  if (result.verdict == Verdict::malformed)
    return Error{fmt::format("{}:{}: {}", path, result.line, result.got)};
  return result;
}

}  // namespace coldread::fuse
