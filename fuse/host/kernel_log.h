// What a served kernel says: tracepoints for whoever follows them, and the kernel log.
//
// Events are kept in ftrace's line format until somebody takes them, the newest kMaxLines of them;
// nothing is formatted while nobody follows. Thread rules: the host's thread. The Scheduler
// outlives it.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <string>

#include "fuse/host/kernel_ring.h"
#include "kernelmodel/kernel/wait_queue.h"
#include "kernelmodel/ports/log.h"
#include "kernelmodel/ports/scheduler.h"
#include "kernelmodel/ports/trace.h"

namespace coldread::fuse {

class KernelLog final : public Trace, public Log {
 public:
  static constexpr size_t kMaxLines = 65536;

  // Receives each line of the kernel log, on the stack of the task that says it; may be null.
  using OnPrintk = std::function<void(std::string_view line)>;

  KernelLog(Scheduler& scheduler, OnPrintk on_printk);

  // Receives every event's line, whether somebody follows or not. Once, before the first event.
  void observe(std::function<void(std::string_view line)> observer);

  // Followers are counted; the last one's leave forgets what is kept.
  void follow();
  void unfollow();

  // Moves as many whole lines to `out` as fit, each with its newline: the bytes. A line that does
  // not fit into an empty `out` is cut.
  size_t take(std::span<char> out);
  bool empty() const { return lines_.empty(); }
  WaitQueue& arrived() { return arrived_; }  // woken with every line

  void emit(std::string_view event, std::string_view fields) override;
  void printk(std::string_view line) override;
  void notice(std::string_view line) override { say(kNotice, line); }
  void note(ReportKind kind, std::string_view text) override;

  // The kernel log itself, of which trace lines and OnPrintk's have no notices.
  static constexpr int kError = 3, kWarning = 4, kNotice = 5;
  KernelRing& ring() { return ring_; }
  void say(int level, std::string_view line);
  WaitQueue& said() { return said_; }  // woken with every record

 private:
  Scheduler& scheduler_;
  OnPrintk on_printk_;
  std::function<void(std::string_view line)> observer_;
  std::deque<std::string> lines_;
  uint64_t lost_ = 0;
  unsigned followers_ = 0;
  WaitQueue arrived_;
  KernelRing ring_;
  WaitQueue said_;
};

}  // namespace coldread::fuse
