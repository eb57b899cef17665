#include "tests/fuse/faults/place.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/fuse/faults/pattern.h"

namespace coldread::faults {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kTimeLimit = 200;   // seconds, see give_time()
constexpr int kPatience = 30'000;      // ms for a line: far more than it ever takes
constexpr size_t kPiece = 2 * kBlock;  // what a reader asks for at once

int events_of_children = -1;
char mountpoint_for_alarm[PATH_MAX];

std::string environment(const char* name) {
  const char* value = getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr ? value : "";
}

void too_late(int) {
  umount2(mountpoint_for_alarm, MNT_FORCE);  // or whoever waits for it never ends
  umount2(mountpoint_for_alarm, MNT_DETACH);
  constexpr char kText[] = "the test took too long\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
  std::abort();
}

std::string errno_text(int error) {
  return std::to_string(error) + " (" + std::strerror(error) + ")";
}

// What a reader finds.
std::string read_object(const std::string& path) {
  const std::string key = fs::path(path).filename();
  const Pattern pattern(key);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "open " + errno_text(errno);
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);  // no read-ahead: a READ for each piece
  std::vector<std::byte> piece(kPiece);
  uint64_t offset = 0;
  while (true) {
    const ssize_t got = pread(fd, piece.data(), piece.size(), static_cast<off_t>(offset));
    if (got < 0) return "read " + errno_text(errno);
    if (got == 0) break;
    const std::span<const std::byte> found(piece.data(), static_cast<size_t>(got));
    if (const auto wrong = pattern.first_wrong(found, offset))
      return "wrong " + std::to_string(*wrong);
    offset += static_cast<uint64_t>(got);
  }
  if (offset != pattern.size()) return "wrong " + std::to_string(offset);
  close(fd);
  return "ok " + std::to_string(offset);
}

}  // namespace

void tell(const std::string& line) {
  const std::string text = line + "\n";
  if (write(events_of_children, text.data(), text.size()) < 0) _exit(9);
}

void Place::SetUp() {
  const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0) GTEST_SKIP() << "/dev/fuse cannot be opened: " << std::strerror(errno);
  close(fuse);
  if (!directory_.has_user_xattrs()) GTEST_SKIP() << "no user xattrs here";
  for (const char* name : {"cache", "blobs", "blobs/v", "mount"}) fs::create_directory(at(name));
  ASSERT_EQ(pipe2(events_, O_CLOEXEC), 0);
  events_of_children = events_[1];
  at("mount").copy(mountpoint_for_alarm, sizeof(mountpoint_for_alarm) - 1);
  std::signal(SIGALRM, too_late);
  std::signal(SIGPIPE, SIG_IGN);
  give_time();
}

void Place::give_time() {
  alarm(kTimeLimit);
}

void Place::TearDown() {
  if (server_ > 0) {
    kill(server_, SIGKILL);
    waitpid(server_, nullptr, 0);
    umount2(at("mount").c_str(), MNT_FORCE);
  }
  umount2(at("mount").c_str(), MNT_DETACH);
  end_nursery();
  end_children();
  for (const int fd : events_)
    if (fd >= 0) close(fd);
  alarm(0);
  if (HasFailure()) {
    for (const std::string& line : lines_) GTEST_LOG_(INFO) << line;
    GTEST_LOG_(INFO) << log();
  }
}

// --- processes ----------------------------------------------------------------------------------

pid_t Place::spawn(const std::vector<std::string>& words, int input) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::string errors = at("log");
  const pid_t test = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != test) _exit(1);
  dup2(input >= 0 ? input : open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  dup2(events_[1], STDOUT_FILENO);
  dup2(open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
  execv(arguments[0], arguments.data());
  _exit(127);
}

void Place::start(Way way, const std::string& profile) {
  way_ = way;
  profile_ = profile;
  const std::string coldread = environment("COLDREAD");
  const std::string daemon = environment("COLDREAD_STEPPING_DAEMON");
  int input[2];
  ASSERT_EQ(pipe2(input, O_CLOEXEC), 0);
  to_nursery_ = input[1];
  if (way == Way::exec) {
    server_ = spawn({coldread, "exec", "--kernel", profile, "--mount", at("mount"), "--", daemon},
                    input[0]);
  } else {
    std::vector<std::string> words{coldread, "serve", "--cache", at("cache"), "--kernel", profile};
    if (way == Way::built_in) words.insert(words.end(), {"--daemon", "serve:" + at("blobs")});
    words.push_back(at("mount"));
    server_ = spawn(words, -1);
    await({at("mount") + ": served"});
    if (way == Way::serve)
      nursery_ = spawn({daemon, at("mount/dev/cachefiles"), at("mount/dev/anon")}, input[0]);
  }
  close(input[0]);
  if (way != Way::built_in && await({"nursery"}).empty() &&
      log().find("seccomp") != std::string::npos)
    GTEST_SKIP() << log();
}

void Place::end_nursery() {
  if (to_nursery_ >= 0) close(std::exchange(to_nursery_, -1));
  if (nursery_ > 0) waitpid(std::exchange(nursery_, -1), nullptr, 0);
}

int Place::stop() {
  end_nursery();  // which is the end of `exec`, too
  if (way_ != Way::exec) kill(server_, SIGTERM);
  int status = 0;
  waitpid(std::exchange(server_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string Place::kill_server() {
  kill(server_, SIGKILL);
  waitpid(std::exchange(server_, -1), nullptr, 0);
  return clean_up();
}

std::string Place::clean_up() {
  const std::string errors = log();
  const pid_t umount = spawn({environment("COLDREAD"), "umount", at("mount")}, -1);
  int status = 0;
  waitpid(umount, &status, 0);
  EXPECT_EQ(status, 0) << log().substr(errors.size());
  return await({at("mount") + ": "});
}

pid_t Place::in_child(const std::function<void()>& act) {
  const pid_t test = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != test) _exit(1);
    close(to_nursery_);  // whose end is its end
    // An exception that got out would end this test, here in the child: with it the server.
    [&]() noexcept { act(); }();
    _exit(0);
  }
  children_.push_back(pid);
  return pid;
}

pid_t Place::start_reader(const std::string& path) {
  return in_child([&] { tell("reader " + std::to_string(getpid()) + " " + read_object(path)); });
}

pid_t Place::start_rmdir(const std::string& name) {
  return in_child([&] {
    // A reader's RELEASE may come after its close().
    while (rmdir(volume(name).c_str()) < 0 && (errno == ENOTEMPTY || errno == EBUSY)) usleep(500);
    tell("rmdir " + errno_text(fs::exists(volume(name)) ? errno : 0));
  });
}

void Place::end_children() {
  for (const pid_t child : children_) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  children_.clear();
}

void Place::say(const std::string& line) {
  const std::string text = line + "\n";
  ASSERT_EQ(write(to_nursery_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

pid_t Place::start_in_nursery(const std::string& line) {
  say(line);
  const std::string answer = await({"daemon "});
  return answer.empty() ? -1 : std::stoi(answer.substr(answer.find(' ')));
}

pid_t Place::start_daemon(const std::string& stop_at) {
  return start_in_nursery("daemon " + at("cache") + " " + stop_at);
}

pid_t Place::start_successor(const std::string& stop_at) {
  return start_in_nursery("successor " + stop_at);
}

void Place::kill_daemon(pid_t daemon) {
  if (daemon > 0) kill(daemon, SIGKILL);
  await({"ended 137"});
}

// --- what is told -------------------------------------------------------------------------------

namespace {

bool begins_with_one_of(const std::string& line, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const std::string& beginning) { return line.starts_with(beginning); });
}

}  // namespace

bool Place::read_lines(int milliseconds) {
  pollfd wanted{events_[0], POLLIN, 0};
  if (poll(&wanted, 1, milliseconds) <= 0) return false;
  char buffer[4096];
  const ssize_t got = read(events_[0], buffer, sizeof(buffer));
  if (got <= 0) return false;
  partial_.append(buffer, static_cast<size_t>(got));
  for (size_t end = 0; (end = partial_.find('\n')) != std::string::npos; partial_.erase(0, end + 1))
    lines_.push_back(partial_.substr(0, end));
  return true;
}

std::string Place::await(const std::vector<std::string>& beginnings) {
  while (true) {
    awaited_.resize(lines_.size());
    for (size_t i = 0; i < lines_.size(); i++) {
      if (awaited_[i] || !begins_with_one_of(lines_[i], beginnings)) continue;
      awaited_[i] = true;
      return lines_[i];
    }
    int status = 0;
    const bool ended = server_ > 0 && waitpid(server_, &status, WNOHANG) == server_;
    if (ended) server_ = -1;
    if (ended || !read_lines(kPatience)) {
      ADD_FAILURE() << "\"" << beginnings[0] << "\" did not come"
                    << (ended ? "; the server ended, status " + std::to_string(status) : "");
      return {};
    }
  }
}

std::map<std::string, std::vector<Range>> Place::ranges(const std::string& what,
                                                        size_t from) const {
  std::map<std::string, std::vector<Range>> result;
  for (size_t i = from; i < lines_.size(); i++) {
    std::istringstream words(lines_[i]);
    std::string first, key;
    uint64_t offset = 0, length = 0;
    if (words >> first && first == what && words >> key >> offset >> length)
      result[key].push_back({offset, offset + length});
  }
  for (auto& [key, found] : result) found = joined(std::move(found));
  return result;
}

namespace {

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

std::string name_of(const testing::TestParamInfo<Case>& test) {
  std::string name = test.param.way == Way::exec    ? "exec_"
                     : test.param.way == Way::serve ? "serve_"
                                                    : "built_in_";
  name += test.param.profile;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::string Place::log() const {
  return text_of(at("log"));
}

std::string Place::requests() const {
  return text_of(at("mount/requests"));
}

std::map<std::string, std::vector<Range>> Place::check_cache() const {
  const CacheContents contents = look_at_cache(at("cache"));
  for (const std::string& complaint : contents.complaints) ADD_FAILURE() << complaint;
  return contents.data;
}

}  // namespace coldread::faults
