// The kernel's root object, its log and its tracepoints.
#include "kernelmodel/kernel/kernel.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

constexpr size_t kLineBytes = 512;

std::string_view format_line(char (&buffer)[kLineBytes], const char* format, va_list arguments) {
  const int length = std::vsnprintf(buffer, sizeof(buffer), format, arguments);
  return {buffer, std::min(static_cast<size_t>(std::max(length, 0)), sizeof(buffer) - 1)};
}

cachefiles_state& make_cachefiles_state(Kernel& kernel) {
  void* memory =
      kernel.scheduler.memory().allocate(sizeof(cachefiles_state), alignof(cachefiles_state));
  return *new (memory) cachefiles_state(kernel);
}

}  // namespace

Kernel::Kernel(Scheduler& scheduler_port, BackingStore& store_port, Trace& trace_port,
               Log& log_port, const Profile& kernel_profile)
    : scheduler(scheduler_port),
      store(store_port),
      trace(trace_port),
      log(log_port),
      profile(kernel_profile),
      fscache_wq(scheduler, "fscache"),
      system_wq(scheduler, "events"),
      files(scheduler, "file"),
      fscache(*this),
      cachefiles(make_cachefiles_state(*this)) {}

bool has_memory_for(Kernel& kernel, Allocation what) {
  if (kernel.fails_next != what) return true;
  kernel.fails_next = Allocation::none;
  return false;
}

void pr_err(Kernel& kernel, const char* format, ...) {
  if (!kernel.log.takes(Log::Level::error)) return;
  char buffer[kLineBytes];
  va_list arguments;
  va_start(arguments, format);
  kernel.log.printk(format_line(buffer, format, arguments));
  va_end(arguments);
}

void pr_notice(Kernel& kernel, const char* format, ...) {
  if (!kernel.log.takes(Log::Level::notice)) return;
  char buffer[kLineBytes];
  va_list arguments;
  va_start(arguments, format);
  kernel.log.notice(format_line(buffer, format, arguments));
  va_end(arguments);
}

void trace_emit(Kernel& k, const char* event, const char* format, ...) {
  char buffer[kLineBytes];
  va_list arguments;
  va_start(arguments, format);
  k.trace.emit(event, format_line(buffer, format, arguments));
  va_end(arguments);
}

void signal_wake_up(Kernel& kernel, Task& task) {
  task.signal_pending = true;
  if (task.state == TaskState::waiting && task.waiting.interruptible) kernel.scheduler.wake(task);
}

void cpu_relax(Kernel& kernel) {
  kernel.scheduler.block_until(
      {.kind = "cpu_relax", .name = "another CPU", .object = kernel.scheduler.current()},
      kernel.scheduler.now() + 1);
}

bool warn_on(Kernel& kernel, bool condition, std::string_view text) {
  if (condition) [[unlikely]]
    kernel.log.note(ReportKind::warning, text);
  return condition;
}

}  // namespace coldread
