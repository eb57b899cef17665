#include "tests/fuse/faults/tracer.h"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

namespace coldread::faults {
namespace {

constexpr int kEdge = SIGTRAP | 0x80;  // of PTRACE_O_TRACESYSGOOD

}  // namespace

bool tracing_is_allowed() {
  const pid_t child = fork();
  if (child == 0) {
    while (true) pause();
  }
  const bool allowed = ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0;
  kill(child, SIGKILL);
  waitpid(child, nullptr, __WALL);
  return allowed;
}

bool Tracer::seize_new_threads() {
  bool found = false;
  const std::filesystem::path tasks = "/proc/" + std::to_string(process_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    const pid_t thread = std::stoi(task.path().filename());
    if (threads_.contains(thread)) continue;
    if (ptrace(PTRACE_SEIZE, thread, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) != 0)
      continue;
    threads_.insert(thread);
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
    found = true;
  }
  return found;
}

bool Tracer::attach(pid_t process) {
  process_ = process;
  while (seize_new_threads()) {
  }
  return !threads_.empty();
}

void Tracer::go_on(pid_t thread, int signal) const {
  ptrace(PTRACE_SYSCALL, thread, nullptr, signal);
}

long Tracer::run(long last, pid_t until) {
  long edges = 0;
  bool killed = false, there = true, waited_for = true;
  while (there || waited_for) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) break;
    if (!WIFSTOPPED(status)) {
      there = there && pid != process_;
      waited_for = waited_for && pid != until;
    } else if (status >> 8 == kEdge) {
      if (++edges < last) {
        go_on(pid, 0);
        continue;
      }
    } else {
      // A new thread's beginning, the end of attaching, or a signal on its way.
      go_on(pid, status >> 16 != 0 ? 0 : WSTOPSIG(status));
    }
    if ((edges >= last || !waited_for) && !killed) {
      killed = true;
      kill(process_, SIGKILL);
    }
  }
  return edges;
}

}  // namespace coldread::faults
