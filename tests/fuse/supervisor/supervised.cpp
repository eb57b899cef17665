#include "tests/fuse/supervisor/supervised.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "fuse/supervisor/command.h"
#include "fuse/supervisor/filter.h"
#include "fuse/supervisor/supervisor.h"
#include "kernelmodel/cachefiles/uapi.h"

namespace coldread::fuse {
namespace {

constexpr char kVolume[] = "erofs,v";
constexpr char kCookie[] = "cookie";

template <typename T>
void append(std::vector<std::byte>& message, const T& value, size_t size = sizeof(T)) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  message.insert(message.end(), bytes, bytes + size);
}

void make_file(const std::filesystem::path& path) {
  std::ofstream file(path);
}

FileIdentity identity_of(const std::filesystem::path& path) {
  struct stat found {};
  stat(path.c_str(), &found);
  return {found.st_dev, found.st_ino};
}

}  // namespace

std::vector<std::byte> open_message(uint32_t id, uint32_t object) {
  constexpr size_t kKeys = sizeof(kVolume) + sizeof(kCookie) - 1;
  std::vector<std::byte> message;
  append(message, uapi::cachefiles_msg{id, CACHEFILES_OP_OPEN, 32 + kKeys, object});
  append(message, uapi::cachefiles_open{sizeof(kVolume), sizeof(kCookie) - 1, 0, 0});
  append(message, kVolume);
  append(message, kCookie, sizeof(kCookie) - 1);
  return message;
}

std::vector<std::byte> read_message(uint32_t id, uint32_t object, uint64_t offset,
                                    uint64_t length) {
  std::vector<std::byte> message;
  append(message, uapi::cachefiles_msg{id, CACHEFILES_OP_READ, 32, object});
  append(message, uapi::cachefiles_read{offset, length});
  return message;
}

FakeService::FakeService(const std::filesystem::path& directory) : directory_(directory) {
  make_file(directory_ / "device");
  for (uint32_t object = 1; object <= 3; ++object) make_file(anonymous_path(object));
}

FakeService::~FakeService() {
  for (std::thread& thread : threads_) thread.join();
}

std::filesystem::path FakeService::anonymous_path(uint32_t object) const {
  return directory_ / ("anonymous-" + std::to_string(object));
}

DeviceService::Kind FakeService::kind_of(const FileIdentity& file) const {
  if (file == identity_of(directory_ / "device")) return Kind::device;
  for (uint32_t object = 1; object <= 3; ++object) {
    if (file == identity_of(anonymous_path(object))) return Kind::anonymous;
  }
  return Kind::other;
}

void FakeService::read(std::shared_ptr<HeldRead> call) {
  threads_.emplace_back([this, call] {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int64_t result = deliver(*call);
    read_results.push_back(result);
    call->answer(result);
  });
}

// What the model does: an OPEN that cannot be delivered is gone.
int64_t FakeService::deliver(const HeldRead& call) {
  if (messages_.empty()) return 0;
  std::vector<std::byte> message = messages_.front();
  if (message.size() > call.size()) return -EMSGSIZE;
  messages_.pop_front();
  uapi::cachefiles_msg header{};
  std::memcpy(&header, message.data(), sizeof(header));
  if (header.opcode != CACHEFILES_OP_OPEN) {
    const int error = call.write(message);
    return error != 0 ? error : static_cast<int64_t>(message.size());
  }
  int fd = call.reserve();
  if (fd < 0) return fd;
  fd += mispredict;
  std::memcpy(message.data() + 24, &fd, sizeof(fd));
  if (const int error = call.write(message); error != 0) return error;
  call.install(anonymous_path(header.object_id), fd);
  return static_cast<int64_t>(message.size());
}

void FakeService::call(std::shared_ptr<HeldFileCall> call) {
  threads_.emplace_back([this, call] {
    const std::lock_guard<std::mutex> lock(mutex_);
    const FileCall& asked = call->call();
    const bool ioctl = asked.what == FileCall::What::ioctl;
    if (ioctl)
      completed.push_back(asked.argument);
    else
      calls.push_back(asked);
    call->answer(!ioctl ? kAnswer : asked.argument < 100 ? 0 : -EINVAL);
  });
}

Supervised::Supervised() {
  std::string name = std::filesystem::temp_directory_path() / "coldread-test-XXXXXX";
  directory_ = mkdtemp(name.data());
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  service_ = std::make_unique<FakeService>(directory_);
}

Supervised::~Supervised() {
  service_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void Supervised::SetUp() {
  const ProgramResult nothing = run({"true"});
  if (nothing.status < 0) GTEST_SKIP() << nothing.out;
}

ProgramResult Supervised::run(const std::vector<std::string>& words, bool watch_all) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const WatchedRange range = watch_all ? kWatchAll : watched_range(limit.rlim_cur);
  const Result<std::vector<sock_filter>> filter = make_filter(range);
  if (!filter) return {-1, filter.error()};
  const std::string out = directory_ / "out";
  std::vector<std::string> all = {
      "timeout", "30", "bash", "-c", "out=$1; shift; exec \"$@\" > \"$out\" 2>&1", "bash", out};
  all.insert(all.end(), words.begin(), words.end());
  ProgramResult result;
  const KeptSignals signals;
  const Result<Command> command = Command::start(all, *filter, signals);
  if (!command) return {-1, command.error()};
  {
    Supervisor supervisor(command->listener(), range, *service_);
    supervisor.receive_alone();
    if (while_running_) while_running_(supervisor, command->pid());
    result.status = command->wait(signals);
  }
  std::ostringstream text;
  text << std::ifstream(out).rdbuf();
  result.out = text.str();
  return result;
}

}  // namespace coldread::fuse
