// A scenario's calls as real ones: system calls, and the netfs module's ioctls.
//
// Every task of a live run has one. Opens no file but the device a scenario asks for, so that file
// descriptors get the numbers they would get in a daemon.
#pragma once

#include <functional>

#include "sim/live/board.h"
#include "sim/player/syscalls.h"

namespace coldread::live {

// File descriptors of the player itself are this or above.
inline constexpr int kFirstOwnFd = 200;

class LiveSyscalls final : public player::Syscalls {
 public:
  // Called before every call: the last moment at which a record is sure to get out.
  using Checkpoint = std::function<void()>;

  // `netfs` is an open /dev/coldread_netfs, or -1: its calls then fail with -EBADF. `quiet` is an
  // eventfd that becomes readable when this task's poll(until_quiet) shall end. All outlive this.
  LiveSyscalls(const scenario::Scenario& scenario, Board& board, size_t task, int netfs, int quiet,
               Checkpoint checkpoint = nullptr);

  int64_t open_device(int flags) override;
  int64_t close(int fd) override;
  int64_t read(int fd, std::span<std::byte> data) override;
  int64_t write(int fd, std::span<const std::byte> data) override;
  int64_t pwrite(int fd, std::span<const std::byte> data, uint64_t offset) override;
  int64_t lseek(int fd, int64_t offset, scenario::LseekWhence whence) override;
  int64_t ioctl(int fd, uint32_t request, uint64_t argument) override;
  int64_t poll(int fd, uint32_t events, int64_t timeout_ms, bool until_quiet) override;

  int64_t acquire_volume(int volume) override;
  int64_t relinquish_volume(int volume, bool invalidate) override;
  int64_t acquire_cookie(int cookie) override;
  int64_t relinquish_cookie(int cookie, bool retire) override;
  int64_t use_cookie(int cookie, bool will_modify) override;
  int64_t unuse_cookie(int cookie, const uint64_t* object_size) override;
  int64_t invalidate(int cookie, uint64_t new_size) override;
  int64_t resize(int cookie, uint64_t new_size) override;
  int64_t prepare_read(int cookie, uint64_t start, uint64_t length, int64_t i_size, uint32_t flags,
                       player::PrepareResult* out) override;
  int64_t cache_read(int cookie, uint64_t start, std::span<std::byte> data,
                     scenario::HoleMode hole) override;
  int64_t cache_write(int cookie, uint64_t start, std::span<const std::byte> data) override;
  int64_t cookie_size(int cookie) override;

  int64_t disk(const std::string& directory, const scenario::DiskCall& call,
               std::span<const std::byte> contents, nlohmann::json* entry) override;
  int64_t inject(uint32_t errors) override;

  void sleep_ms(uint64_t ms) override;
  void barrier(int barrier) override;
  void settle() override;
  int64_t kill(int process) override;
  void await_setup_turn(int turn) override;
  void end_setup_turn(int turn) override;
  uint64_t next_sequence() override;

 private:
  template <typename Call>
  int64_t in_call(TaskState state, Call call);
  template <typename Argument>
  int64_t netfs(unsigned long request, Argument& argument);
  int64_t netfs_cookie(unsigned long request, int cookie, bool flag, uint64_t object_size);
  template <typename Predicate>
  void wait(TaskState state, Predicate predicate);
  bool process_ended(int process) const;

  const scenario::Scenario& scenario_;
  Board& board_;
  TaskSlot& slot_;
  int netfs_;
  int quiet_;
  Checkpoint checkpoint_;
};

}  // namespace coldread::live
