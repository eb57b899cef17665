// A ring of trace lines.
#include "fuse/host/kernel_log.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "sim/machine/event_log.h"

namespace coldread::fuse {

KernelLog::KernelLog(Scheduler& scheduler, OnPrintk on_printk)
    : scheduler_(scheduler),
      on_printk_(std::move(on_printk)),
      arrived_(scheduler, "trace_pipe", "trace"),
      said_(scheduler, "dev/kmsg", "trace") {
  level_ = Level::notice;
}

void KernelLog::observe(std::function<void(std::string_view line)> observer) {
  observer_ = std::move(observer);
  enabled_ = true;
}

void KernelLog::follow() {
  followers_++;
  enabled_ = true;
}

void KernelLog::unfollow() {
  if (--followers_ > 0) return;
  enabled_ = observer_ != nullptr;
  lines_.clear();
  lost_ = 0;
}

size_t KernelLog::take(std::span<char> out) {
  size_t used = 0;
  if (lost_ > 0) {
    const std::string gap = fmt::format("CPU:0 [LOST {} EVENTS]\n", std::exchange(lost_, 0));
    used = gap.copy(out.data(), out.size());
  }
  while (!lines_.empty()) {
    const std::string& line = lines_.front();
    const size_t room = out.size() - used;
    if (line.size() + 1 > room && used > 0) break;
    const size_t kept = line.copy(out.data() + used, room > 0 ? room - 1 : 0);
    used += kept;
    if (used < out.size()) out[used++] = '\n';
    lines_.pop_front();
  }
  return used;
}

void KernelLog::emit(std::string_view event, std::string_view fields) {
  if (!enabled_) return;
  std::string line = sim::ftrace_line(scheduler_, event, fields);
  if (observer_) observer_(line);
  if (followers_ == 0) return;
  lines_.push_back(std::move(line));
  if (lines_.size() > kMaxLines) {
    lines_.pop_front();
    lost_++;
  }
  arrived_.wake_up_all();
}

void KernelLog::say(int level, std::string_view line) {
  ring_.add(level, scheduler_.now(), line);
  said_.wake_up_all();
}

void KernelLog::printk(std::string_view line) {
  say(kError, line);
  emit("console", line);
  if (on_printk_) on_printk_(line);
}

void KernelLog::note(ReportKind kind, std::string_view text) {
  // On the stack of whoever found it, which may have no place for more than this.
  char line[512];
  const int length = std::snprintf(line, sizeof(line), "%s: %.*s", report_kind_name(kind),
                                   static_cast<int>(text.size()), text.data());
  printk({line, std::min(static_cast<size_t>(length), sizeof(line) - 1)});
}

}  // namespace coldread::fuse
