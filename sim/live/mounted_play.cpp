#include "sim/live/mounted_play.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "sim/live/play_main.h"
#include "sim/live/proc_state.h"

namespace coldread::live {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kBetweenLooks = 3ms;
constexpr auto kEndPatience = 5s;

// A directory for one play: mount point, cache, files. Goes with everything below it.
class PlayDirectory {
 public:
  static Result<PlayDirectory> create() {
    std::string path = (fs::temp_directory_path() / "coldread-play.XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) return Error{fmt::format("{}: {}", path, strerror(errno))};
    PlayDirectory directory(path);
    for (const char* name : {"mnt", "c", "work"}) {
      if (mkdir((path + "/" + name).c_str(), 0755) < 0)
        return Error{fmt::format("{}/{}: {}", path, name, strerror(errno))};
    }
    return directory;
  }
  explicit PlayDirectory(std::string path) : path_(std::move(path)) {}
  ~PlayDirectory() {
    if (path_.empty()) return;
    // Nothing below a mount point is ours to remove.
    if (rmdir((path_ + "/mnt").c_str()) < 0 && errno == EBUSY) {
      umount2((path_ + "/mnt").c_str(), MNT_DETACH);
      if (rmdir((path_ + "/mnt").c_str()) < 0) return;
    }
    std::error_code error;
    fs::remove_all(path_, error);
  }
  PlayDirectory(PlayDirectory&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  PlayDirectory& operator=(PlayDirectory&&) = delete;

  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Its output goes to the file `log`.
Result<pid_t> spawn(std::vector<std::string> words, const std::string& log) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Error{fmt::format("{}: {}", words.front(), std::strerror(error))};
  return pid;
}

bool ended_by(pid_t pid, Clock::time_point deadline, const std::atomic<bool>* stop, int* status) {
  while (true) {
    const pid_t ended = waitpid(pid, status, WNOHANG);
    if (ended == pid || (ended < 0 && errno != EINTR)) return true;
    if (Clock::now() >= deadline || (stop != nullptr && *stop)) return false;
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

// First asks it to, then insists.
void end(pid_t pid) {
  int status = 0;
  kill(pid, SIGTERM);
  if (ended_by(pid, Clock::now() + kEndPatience, nullptr, &status)) return;
  kill(pid, SIGKILL);
  ended_by(pid, Clock::time_point::max(), nullptr, &status);
}

// A play that did not come to an end: its server spins, or nobody can look at it.
player::Transcript no_end(int limit_ms, const std::string& log) {
  player::Transcript transcript;
  transcript.report = player::RunReport{
      "hang", fmt::format("the play did not end in {} s and was killed", limit_ms / 1000), {log}};
  return transcript;
}

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "it said nothing";
  const size_t begin = text.rfind('\n', end);
  return text.substr(begin + 1, end - begin);
}

}  // namespace

std::string program_of(const GuestOptions& options) {
  std::error_code error;
  return options.program.empty() ? fs::read_symlink("/proc/self/exe", error).string()
                                 : fs::absolute(options.program, error).string();
}

Result<player::Transcript> play_mounted(const scenario::Scenario& scenario,
                                        const std::string& profile, const GuestOptions& options) {
  Result<PlayDirectory> made = PlayDirectory::create();
  if (!made) return Error{made.error()};
  const PlayDirectory& directory = *made;
  const PlaySetup setup{
      {fs::absolute(scenario.path), options.blob_directories, options.hang_after_ms},
      directory / "mnt",
      directory / "c",
      directory / "work",
      directory / "answer"};
  if (Status told = publish(directory / "setup", setup.to_json().dump()); !told)
    return Error{told.error()};
  const std::string program = program_of(options);
  const Result<pid_t> pid =
      spawn({program, "exec", "--kernel", profile, "--watch-all", "--direct", "--mount",
             setup.mount, "--", program, "play", directory / "setup"},
            directory / "log");
  if (!pid) return Error{pid.error()};
  int status = 0;
  const auto deadline = Clock::now() + std::chrono::milliseconds(options.scenario_limit_ms);
  if (!ended_by(*pid, deadline, options.stop, &status)) {
    end(*pid);
    if (options.stop != nullptr && *options.stop) return Error{"interrupted"};
    return no_end(options.scenario_limit_ms, read_file(directory / "log"));
  }
  const auto parsed = nlohmann::json::parse(read_file(setup.answer), nullptr, false);
  if (parsed.is_discarded())
    return Error{"no answer from the player: " + last_line(read_file(directory / "log"))};
  Result<GuestAnswer> answer = GuestAnswer::from_json(parsed);
  if (!answer) return Error{answer.error()};
  if (!answer->error.empty()) return Error{answer->error};
  answer->transcript.kernel = profile;
  return std::move(answer->transcript);
}

}  // namespace coldread::live
