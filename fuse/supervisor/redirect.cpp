#include "fuse/supervisor/redirect.h"

#include <fmt/core.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

namespace coldread::fuse {
namespace {

#if defined(__x86_64__)

constexpr unsigned long kLengthOfSyscall = 2;  // bytes of the instruction

// A thread that this one traces.
class Traced {
 public:
  explicit Traced(pid_t thread) : thread_(thread) {}

  bool seize() {
    if (ptrace(PTRACE_SEIZE, thread_, 0, PTRACE_O_TRACESYSGOOD) < 0) return false;
    if (ptrace(PTRACE_INTERRUPT, thread_, 0, 0) == 0) return true;
    detach();
    return false;
  }
  void detach() { ptrace(PTRACE_DETACH, thread_, 0, 0); }

  // Waits until it stops, by itself or because it was asked to; false: it has ended.
  bool wait() {
    int status = 0;
    while (waitpid(thread_, &status, __WALL) < 0) {
      if (errno != EINTR) return false;
    }
    if (!WIFSTOPPED(status)) return false;
    at_system_call_ = WSTOPSIG(status) == (SIGTRAP | 0x80);
    // A stop that is neither a call nor an event is a signal on its way.
    signal_ = at_system_call_ || status >> 16 != 0 ? 0 : WSTOPSIG(status);
    return ptrace(PTRACE_GETREGS, thread_, 0, &registers) == 0;
  }
  // On, to the next system call's beginning or end.
  void resume() { ptrace(PTRACE_SYSCALL, thread_, 0, signal_); }
  void write_registers() { ptrace(PTRACE_SETREGS, thread_, 0, &registers); }
  bool at_system_call() const { return at_system_call_; }

  user_regs_struct registers{};

 private:
  pid_t thread_;
  bool at_system_call_ = false;
  int signal_ = 0;
};

// Has it repeat the read in which it was, with `number`; false: it is no read, or it has ended.
bool repeat(Traced& traced, int number) {
  if (!traced.wait()) return false;
  user_regs_struct& registers = traced.registers;
  if (registers.orig_rax != SYS_read && registers.orig_rax != SYS_pread64) return false;
  const auto descriptor = registers.rdi;
  registers.rip -= kLengthOfSyscall;
  registers.rax = SYS_read;
  registers.rdi = static_cast<unsigned long long>(number);
  registers.orig_rax = ~0ULL;  // it is in no call: there is nothing to be restarted
  traced.write_registers();
  // A handler of a signal may come first, with calls of its own.
  bool begun = false;
  while (true) {
    traced.resume();
    if (!traced.wait()) return true;
    const bool ours = traced.at_system_call() && registers.orig_rax == SYS_read &&
                      static_cast<int>(registers.rdi) == number;
    if (!ours) continue;
    if (begun) break;
    begun = true;
  }
  registers.rdi = descriptor;
  traced.write_registers();
  return true;
}

#else

// Which registers hold what is known for one machine only.
class Traced {
 public:
  explicit Traced(pid_t) {}
  bool seize() { return false; }
  void detach() {}
};
bool repeat(Traced&, int) {
  return false;
}

#endif

}  // namespace

Redirections::~Redirections() {
  for (Tracer& tracer : tracers_) tracer.thread.join();
}

bool Redirections::expects(pid_t thread) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return expected_.count(thread) != 0;
}

bool Redirections::begin(pid_t thread) {
  std::promise<bool> seized;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tracers_.remove_if([](Tracer& tracer) {
      if (tracer.done) tracer.thread.join();
      return tracer.done;
    });
    if (!expected_.insert(thread).second) return false;
    Tracer& tracer = tracers_.emplace_back();
    tracer.thread =
        std::thread([this, thread, &tracer, &seized] { trace(thread, tracer, seized); });
  }
  return seized.get_future().get();
}

// `seized` is gone as soon as it has its value.
void Redirections::trace(pid_t thread, Tracer& self, std::promise<bool>& seized) {
  Traced traced(thread);
  const bool traces = traced.seize();
  seized.set_value(traces);
  if (traces && !repeat(traced, number_)) {
    fmt::print(stderr, "coldread: thread {} reads the device in a way that cannot be followed\n",
               thread);
  }
  if (traces) traced.detach();
  const std::lock_guard<std::mutex> lock(mutex_);
  expected_.erase(thread);
  self.done = true;
}

}  // namespace coldread::fuse
