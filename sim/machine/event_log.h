// What a run says as it goes: trace events in ftrace's line format, the kernel log, and findings
// that do not end the run.
//
// Keeps the last events of each task for failures, and all of them for expectations. Thread
// rules: those of the run. The Scheduler outlives it; views given to it are copied.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernelmodel/ports/log.h"
#include "kernelmodel/ports/scheduler.h"
#include "kernelmodel/ports/trace.h"
#include "sim/player/transcript.h"

namespace coldread::sim {

// An event of the current task, now, as ftrace prints it: one processor; no interrupt, preemption
// or lock state to show.
std::string ftrace_line(const Scheduler& scheduler, std::string_view event,
                        std::string_view fields);

class EventLog final : public Trace, public Log {
 public:
  using OnLine = std::function<void(std::string_view line)>;

  // `history`: how many lines to keep of each task. `on_line` may be null; it runs on the stack of
  // the task that says something, and its view is good during the call.
  // Not `enabled`: findings alone.
  EventLog(const Scheduler& scheduler, bool enabled, size_t history, OnLine on_line);

  void emit(std::string_view event, std::string_view fields) override;
  void printk(std::string_view line) override;
  void note(ReportKind kind, std::string_view text) override;

  // All events in order: "name: fields".
  const std::vector<std::string>& events() const { return events_; }
  // Task name ("timer": none ran) -> its last lines, oldest first.
  std::map<std::string, std::vector<std::string>> last_events() const;
  // The first finding; the run went on after it.
  const std::optional<player::RunReport>& finding() const { return finding_; }

 private:
  void add_line(std::string line);

  const Scheduler& scheduler_;
  size_t history_;
  OnLine on_line_;
  std::vector<std::string> events_;
  std::map<std::string, std::deque<std::string>> last_;
  std::optional<player::RunReport> finding_;
};

}  // namespace coldread::sim
