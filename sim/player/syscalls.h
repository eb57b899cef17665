// The seam between a scenario's tasks and the kernel they talk to: the modelled one or a real one.
//
// The player (player.h) interprets the steps; each task has one Syscalls object through which all
// it does leaves. sim/machine implements it on the model, sim/live on system calls and the netfs
// module. Every call returns a value >= 0 or a negative errno, exactly as the kernel in question
// answers, and blocks as long as that kernel blocks. Descriptors are numbered as in a fresh process
// that has 0, 1 and 2 open: the lowest free number, so that both kernels' transcripts show the same
// ones. Data buffers are aligned to 4096 bytes unless a step wants it otherwise.
//
// Thread rules: only the task that owns the object calls it. On the model a call may never return
// (a hang drops the stack), so callers keep nothing that owns memory in local variables across one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sim/scenario/scenario.h"

namespace coldread::player {

// enum netfs_io_source by meaning: the numbers differ between kernels.
enum class Source : uint8_t {
  unknown,
  fill_with_zeroes,
  download_from_server,
  read_from_cache,
  invalid_read
};
const char* source_name(Source source);  // "FILL_WITH_ZEROES", "READ_FROM_CACHE" ...

struct PrepareResult {
  Source source = Source::unknown;
  uint64_t length = 0;  // bytes
  uint32_t flags = 0;   // scenario::kSubrequest*
};

// What an I/O call works on: an operation that was begun, or else a cookie, on which it begins and
// ends one of its own. Indices of the scenario; -1: none.
struct Target {
  int cookie = -1;
  int operation = -1;
};

struct Range {
  uint64_t start = 0;
  uint64_t length = 0;
};

// What a netfs says of its object beside the call itself.
struct ObjectUpdate {
  std::span<const std::byte> aux;         // empty, or as long as the cookie's
  const uint64_t* object_size = nullptr;  // null: unchanged
};

class Syscalls {
 public:
  virtual ~Syscalls() = default;

  // --- a process' system calls ---
  // Beside the driver's own errnos (kernelmodel/cachefiles/internal.h) the VFS' (kernel/file.h):
  // -EBADF, -EINVAL, -ESPIPE, -ENOTTY, -EMFILE. read, write, pwrite: bytes transferred.
  // open("/dev/cachefiles"), with or without CAP_SYS_ADMIN.
  virtual int64_t open_device(int flags, bool capable) = 0;
  virtual int64_t close(int fd) = 0;
  virtual int64_t read(int fd, std::span<std::byte> data) = 0;
  virtual int64_t write(int fd, std::span<const std::byte> data) = 0;
  virtual int64_t pwrite(int fd, std::span<const std::byte> data, uint64_t offset) = 0;
  virtual int64_t lseek(int fd, int64_t offset, scenario::LseekWhence whence) = 0;
  virtual int64_t ioctl(int fd, uint32_t request, uint64_t argument) = 0;
  // Waits for any of `events` for at most timeout_ms (-1: for ever) and returns the mask (POLLNVAL:
  // not open), 0 for a timeout. With `until_quiet`, also returns 0 once every task that is not
  // serving has ended and nothing more can happen without this task: how a ready-made daemon knows
  // that it may go home.
  virtual int64_t poll(int fd, uint32_t events, int64_t timeout_ms, bool until_quiet) = 0;

  // Which of `count` ways a ready-made daemon behaves; 0: well. Asked by explorations alone.
  virtual int64_t choose(int64_t count) { return 0 * count; }
  // The end of this task's process, at once, as by a signal. Does not return.
  virtual void crash() {}

  // Memory that is none: a copy from or to it is -EFAULT. Good until the task ends.
  virtual std::span<std::byte> bad_memory(uint64_t size) = 0;

  // --- what processes do with files and with themselves ---
  virtual int64_t dup(int fd) = 0;  // the new descriptor
  // A child that has all descriptors of this process and does nothing. It outlives its parent: it
  // ends with end_child(), or when all tasks have ended. Children are named by index.
  virtual int64_t fork(int child) = 0;
  // Ends it and waits until it is gone. -ESRCH: there is none.
  virtual int64_t end_child(int child) = 0;
  // SCM_RIGHTS. Every process has one socket on which it receives; what nobody has received goes
  // when the process ends. receive_fd waits for the first and answers the new descriptor; -EMFILE:
  // there was no room for it, it is lost.
  virtual int64_t send_fd(int fd, int process) = 0;
  virtual int64_t receive_fd() = 0;
  virtual int64_t chdir(const char* path) = 0;       // of the whole process
  virtual int64_t limit_files(uint64_t nofile) = 0;  // RLIMIT_NOFILE of the process
  // A signal whose handler does nothing, and which restarts no call. -ESRCH: the task has ended.
  virtual int64_t signal(int task) = 0;
  virtual int64_t pread(int fd, std::span<std::byte> data, uint64_t offset) = 0;
  virtual int64_t fsync(int fd) = 0;
  virtual int64_t ftruncate(int fd, int64_t length) = 0;
  virtual int64_t fallocate(int fd, int64_t offset, int64_t length) = 0;  // mode 0
  // MAP_SHARED at no address in particular; `prot`: PROT_READ | PROT_WRITE. 0, no address.
  virtual int64_t mmap(int fd, uint64_t length, uint32_t prot) = 0;
  virtual int64_t fcntl(int fd, scenario::FcntlCommand command, uint64_t argument) = 0;

  // --- the netfs' calls into fscache ---
  // Indices are those of the scenario; sizes, offsets and lengths are bytes. A volume or cookie
  // that is not acquired is -EBADF. acquire: -EBUSY as fscache has it, -ENOMEM for its NULL. The
  // other calls without a result of their own answer 0. Calls that begin an operation answer
  // -ENOBUFS if none can begin; one that was not begun is -EBADF.
  virtual int64_t acquire_volume(int volume) = 0;
  virtual int64_t relinquish_volume(int volume, std::span<const std::byte> coherency,
                                    bool invalidate) = 0;
  virtual int64_t acquire_cookie(int cookie) = 0;
  virtual int64_t relinquish_cookie(int cookie, bool retire) = 0;
  virtual int64_t use_cookie(int cookie, bool will_modify) = 0;
  virtual int64_t unuse_cookie(int cookie, const ObjectUpdate& update) = 0;
  virtual int64_t update_cookie(int cookie, const ObjectUpdate& update) = 0;
  virtual int64_t invalidate(int cookie, const ObjectUpdate& update, bool direct_write) = 0;
  virtual int64_t resize(int cookie, uint64_t new_size) = 0;
  virtual int64_t note_page_release(int cookie) = 0;
  // Takes fscache's module out: -EBUSY. On the model alone; nothing of it may be called after.
  virtual int64_t unload() = 0;
  // fscache_begin_read_operation() or _write_operation(), kept until fscache_end_operation().
  // -EEXIST: it has begun already.
  virtual int64_t begin_operation(int operation, int cookie, bool write) = 0;
  virtual int64_t end_operation(int operation) = 0;
  // The cache's prepare_read.
  virtual int64_t prepare_read(Target target, uint64_t start, uint64_t length, int64_t i_size,
                               uint32_t flags, PrepareResult* out) = 0;
  // The cache's read / write; they answer the bytes transferred, as the completion gets them, or
  // -ENODATA, -ESTALE, -ENOSPC ... (cachefiles_read(), cachefiles_write()). With `sync` there is no
  // completion, and they answer what the function returns.
  virtual int64_t cache_read(Target target, uint64_t start, std::span<std::byte> data,
                             scenario::HoleMode hole, bool sync) = 0;
  virtual int64_t cache_write(Target target, uint64_t start, std::span<const std::byte> data,
                              bool sync) = 0;
  // The cache's prepare_write and query_occupancy.
  virtual int64_t prepare_write(Target target, Range range, uint64_t upper_length, int64_t i_size,
                                bool no_space_allocated_yet, Range* out) = 0;
  virtual int64_t query_occupancy(Target target, Range range, uint64_t granularity, Range* out) = 0;
  // fscache_write_to_cache(): what its completion gets.
  virtual int64_t write_to_cache(int cookie, uint64_t start, std::span<const std::byte> data) = 0;
  // The cache's prepare_write_subreq and issue_write, as the netfs library has them since 6.10:
  // what it counts as written, or the error. -EOPNOTSUPP: that kernel has none.
  virtual int64_t issue_write(Target target, uint64_t start, std::span<const std::byte> data,
                              int64_t i_size, uint64_t extendable_to) = 0;
  // A reader takes these bytes of the cache for the object's: the model finds out whether anybody
  // wrote them (ReportKind::unwritten_data).
  virtual void trust(int cookie, uint64_t start, uint64_t length) = 0;
  // object_size of the cookie: what copen said.
  virtual int64_t cookie_size(int cookie) = 0;

  // --- somebody else's, and faults ---
  // One call on the cache's disk, in `directory`, where the cache is; `contents` is what create and
  // write write. 0 or what the VFS says; look also gives *entry, as Transcript::disk has it (of a
  // directory: how many "entries").
  virtual int64_t disk(const std::string& directory, const scenario::DiskCall& call,
                       std::span<const std::byte> contents, nlohmann::json* entry) = 0;
  // /proc/sys/cachefiles/error_injection := scenario::kInject*. The run's end sets it to 0.
  virtual int64_t inject(uint32_t errors) = 0;
  // The next allocation of this kind fails, once; only the last one asked for. The run's end undoes
  // it.
  virtual int64_t fail_allocation(Allocation what) = 0;
  // Plans a fault of the disk's; only a model's: -ENOSYS.
  virtual int64_t fault(const scenario::Fault& fault) = 0;
  // All of /proc/fs/fscache/FILE: 0, or -ENOENT.
  virtual int64_t proc(const std::string& file, std::string* text) = 0;

  // --- the play ---
  virtual void sleep_ms(uint64_t ms) = 0;
  virtual void barrier(int barrier) = 0;
  virtual void settle() = 0;  // until all other tasks wait or have ended, workers included
  virtual int64_t kill(int process) = 0;        // SIGKILL
  virtual void await_setup_turn(int turn) = 0;  // until setup steps 0..turn-1 are done
  virtual void end_setup_turn(int turn) = 0;    // step `turn` is done
  virtual uint64_t next_sequence() = 0;         // 0, 1, 2 ... over all tasks of the run
};

}  // namespace coldread::player
