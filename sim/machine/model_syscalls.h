// A scenario task's system and netfs calls, answered by the modelled kernel.
//
// Calls and errnos: sim/player/syscalls.h. Thread rules: only the task's own fiber calls. Lifetime:
// the Machine outlives it. A call of a killed process' task does not return.
#pragma once

#include "kernelmodel/kernel/file.h"
#include "sim/player/aligned_buffer.h"
#include "sim/player/syscalls.h"

namespace coldread::sim {

class Machine;

// The memory of a call as the kernel sees it: ModelSyscalls::bad_memory() faults.
UserBuffer user_buffer(std::span<std::byte> data);
UserData user_data(std::span<const std::byte> data);

class ModelSyscalls final : public player::Syscalls {
 public:
  ModelSyscalls(Machine& machine, size_t task) : machine_(machine), task_(task) {}

  int64_t open_device(int flags, bool capable) override;
  int64_t close(int fd) override;
  int64_t read(int fd, std::span<std::byte> data) override;
  int64_t write(int fd, std::span<const std::byte> data) override;
  int64_t pwrite(int fd, std::span<const std::byte> data, uint64_t offset) override;
  int64_t lseek(int fd, int64_t offset, scenario::LseekWhence whence) override;
  int64_t ioctl(int fd, uint32_t request, uint64_t argument) override;
  int64_t poll(int fd, uint32_t events, int64_t timeout_ms, bool until_quiet) override;

  int64_t choose(int64_t count) override;
  void crash() override;
  std::span<std::byte> bad_memory(uint64_t size) override;

  // model_process.cpp
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
  int64_t unload() override;
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
  // What every call ends with: a killed process' task goes no further.
  int64_t finish(int64_t result);
  int64_t poll_until_quiet(int fd, uint32_t events);

  Machine& machine_;
  size_t task_;
  player::AlignedBuffer pages_;  // of the write under way
};

}  // namespace coldread::sim
