// A scenario's calls as real ones: system calls, and the netfs module's ioctls.
//
// Every task of a live run has one. Opens no file but the device a scenario asks for, so that file
// descriptors get the numbers they would get in a daemon.
#pragma once

#include <signal.h>

#include <cerrno>
#include <functional>

#include "sim/live/board.h"
#include "sim/live/kernel_under_test.h"
#include "sim/player/syscalls.h"

struct coldread_range;  // of the netfs module

namespace coldread::live {

// What the step "signal" sends; processes have a handler for it.
inline constexpr int kSignal = SIGUSR1;

// File descriptors of the player itself are this or above.
inline constexpr int kFirstOwnFd = 200;

// The socket on which a process receives files, and the end that everybody sends to.
struct Inbox {
  int receive = -1;
  int send = -1;
};

class LiveSyscalls final : public player::Syscalls {
 public:
  // Called before every call: the last moment at which a record is sure to get out.
  using Checkpoint = std::function<void()>;

  // `netfs` is an open /dev/coldread_netfs, or -1: its calls then fail with -EBADF. `quiet` is an
  // eventfd that becomes readable when this task's poll(until_quiet) shall end. All outlive this.
  LiveSyscalls(const scenario::Scenario& scenario, Board& board, size_t task, int netfs, int quiet,
               Checkpoint checkpoint = nullptr);
  ~LiveSyscalls() override;
  LiveSyscalls(const LiveSyscalls&) = delete;
  LiveSyscalls& operator=(const LiveSyscalls&) = delete;

  // The kernel behind it, if it is not this machine's own; outlives this.
  void use_kernel(const KernelUnderTest& kernel) { kernel_ = &kernel; }

  // The sockets of all processes, for send_fd and receive_fd; without them both are -EBADF.
  void use_inboxes(std::span<const Inbox> inboxes) { inboxes_ = inboxes; }

  int64_t open_device(int flags, bool capable) override;
  int64_t close(int fd) override;
  int64_t read(int fd, std::span<std::byte> data) override;
  int64_t write(int fd, std::span<const std::byte> data) override;
  int64_t pwrite(int fd, std::span<const std::byte> data, uint64_t offset) override;
  int64_t lseek(int fd, int64_t offset, scenario::LseekWhence whence) override;
  int64_t ioctl(int fd, uint32_t request, uint64_t argument) override;
  int64_t poll(int fd, uint32_t events, int64_t timeout_ms, bool until_quiet) override;

  std::span<std::byte> bad_memory(uint64_t size) override;

  // live_process.cpp
  int64_t dup(int fd) override;
  int64_t fork(int child) override;
  int64_t end_child(int child) override;
  int64_t send_fd(int fd, int process) override;
  int64_t receive_fd() override;
  int64_t chdir(const char* path) override;
  int64_t limit_files(uint64_t nofile) override;
  int64_t signal(int task) override;
  int64_t pread(int fd, std::span<std::byte> data, uint64_t offset) override;
  int64_t fsync(int fd) override;
  int64_t ftruncate(int fd, int64_t length) override;
  int64_t fallocate(int fd, int64_t offset, int64_t length) override;
  int64_t mmap(int fd, uint64_t length, uint32_t prot) override;
  int64_t fcntl(int fd, scenario::FcntlCommand command, uint64_t argument) override;

  int64_t acquire_volume(int volume) override;
  int64_t relinquish_volume(int volume, std::span<const std::byte> coherency,
                            bool invalidate) override;
  int64_t acquire_cookie(int cookie) override;
  int64_t relinquish_cookie(int cookie, bool retire) override;
  int64_t use_cookie(int cookie, bool will_modify) override;
  int64_t unuse_cookie(int cookie, const player::ObjectUpdate& update) override;
  int64_t update_cookie(int cookie, const player::ObjectUpdate& update) override;
  int64_t invalidate(int cookie, const player::ObjectUpdate& update, bool direct_write) override;
  int64_t resize(int cookie, uint64_t new_size) override;
  int64_t note_page_release(int cookie) override;
  int64_t unload() override { return -EOPNOTSUPP; }
  int64_t begin_operation(int operation, int cookie, bool write) override;
  int64_t end_operation(int operation) override;
  int64_t prepare_read(player::Target target, uint64_t start, uint64_t length, int64_t i_size,
                       uint32_t flags, player::PrepareResult* out) override;
  int64_t cache_read(player::Target target, uint64_t start, std::span<std::byte> data,
                     scenario::HoleMode hole, bool sync) override;
  int64_t cache_write(player::Target target, uint64_t start, std::span<const std::byte> data,
                      bool sync) override;
  int64_t prepare_write(player::Target target, player::Range range, uint64_t upper_length,
                        int64_t i_size, bool no_space_allocated_yet, player::Range* out) override;
  int64_t query_occupancy(player::Target target, player::Range range, uint64_t granularity,
                          player::Range* out) override;
  int64_t write_to_cache(int cookie, uint64_t start, std::span<const std::byte> data) override;
  int64_t issue_write(player::Target target, uint64_t start, std::span<const std::byte> data,
                      int64_t i_size, uint64_t extendable_to) override;
  void trust(int cookie, uint64_t start, uint64_t length) override;
  int64_t cookie_size(int cookie) override;

  int64_t disk(const std::string& directory, const scenario::DiskCall& call,
               std::span<const std::byte> contents, nlohmann::json* entry) override;
  int64_t inject(uint32_t errors) override;
  int64_t fail_allocation(Allocation what) override;
  int64_t fault(const scenario::Fault& fault) override;
  int64_t proc(const std::string& file, std::string* text) override;

  void sleep_ms(uint64_t ms) override;
  void barrier(int barrier) override;
  void settle() override;
  int64_t kill(int process) override;
  void await_setup_turn(int turn) override;
  void end_setup_turn(int turn) override;
  uint64_t next_sequence() override;

 private:
  // Makes a call, whose failure is in errno, visible to the conductor; its value or -errno.
  template <typename Call>
  int64_t in_call(TaskState state, Call call) {
    begin_call(state);
    const int64_t result = call();
    return end_call(result < 0 ? -int64_t{errno} : result);
  }
  void begin_call(TaskState state);
  int64_t end_call(int64_t answer);
  template <typename Argument>
  int64_t netfs(unsigned long request, Argument& argument);
  int64_t netfs_cookie(unsigned long request, int cookie, bool flag, uint64_t object_size = 0,
                       std::span<const std::byte> aux = {});
  int64_t netfs_range(unsigned long request, coldread_range& call, player::Range range,
                      player::Range* out);
  template <typename Predicate>
  void wait(TaskState state, Predicate predicate) {
    ++board_.progress;
    slot_.state = state;
    board_.changed();  // the conductor may wait for somebody to settle
    board_.wait_until(predicate);
    slot_.state = TaskState::running;
    ++board_.progress;
  }
  bool process_ended(int process) const;

  const scenario::Scenario& scenario_;
  Board& board_;
  TaskSlot& slot_;
  int netfs_;
  int quiet_;
  size_t process_;
  Checkpoint checkpoint_;
  std::span<const Inbox> inboxes_;
  static const KernelUnderTest kThisMachine;
  const KernelUnderTest* kernel_ = &kThisMachine;
  std::byte* bad_memory_ = nullptr;
};

}  // namespace coldread::live
