// Runs programs under a supervisor whose server is a fake: its files are ordinary ones, its
// messages are written by the test.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fuse/supervisor/device_service.h"
#include "fuse/supervisor/held_call.h"
#include "fuse/supervisor/supervisor.h"

namespace coldread::fuse {

// An OPEN of object `object`, or a READ, as the device delivers them.
std::vector<std::byte> open_message(uint32_t id, uint32_t object);
std::vector<std::byte> read_message(uint32_t id, uint32_t object, uint64_t offset, uint64_t length);

class FakeService final : public DeviceService {
 public:
  explicit FakeService(const std::filesystem::path& directory);
  ~FakeService();

  std::string device_path() const override { return directory_ / "device"; }
  Kind kind_of(const FileIdentity& file) const override;
  void read(std::shared_ptr<HeldRead> call) override;
  void call(std::shared_ptr<HeldFileCall> call) override;

  void send(std::vector<std::byte> message) { messages_.push_back(std::move(message)); }
  std::filesystem::path anonymous_path(uint32_t object) const;

  static constexpr int64_t kAnswer = 77;  // to a call other than a read or an ioctl

  int mispredict = 0;  // added to every number that is reserved: another thread was faster

  // What happened, to be looked at when the program is over.
  std::vector<int64_t> read_results;
  std::vector<uint64_t> completed;  // the arguments of ioctls
  std::vector<FileCall> calls;      // others

 private:
  int64_t deliver(const HeldRead& call);

  std::filesystem::path directory_;
  std::mutex mutex_;
  std::deque<std::vector<std::byte>> messages_;
  std::vector<std::thread> threads_;
};

struct ProgramResult {
  int status = -1;  // as a shell has it
  std::string out;  // standard output and error
};

class Supervised : public testing::Test {
 protected:
  Supervised();
  ~Supervised() override;

  void SetUp() override;  // skips where there can be no listener

  // Runs a program, for at most 30 seconds, to the end of everything it starts.
  ProgramResult run(const std::vector<std::string>& words, bool watch_all = false);
  ProgramResult run_shell(const std::string& script) { return run({"bash", "-c", script}); }

  std::filesystem::path directory_;
  std::unique_ptr<FakeService> service_;
  // Called while the command runs, with its process.
  std::function<void(Supervisor&, pid_t)> while_running_;
};

}  // namespace coldread::fuse
