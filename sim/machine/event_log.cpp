// What a run says as it goes.
#include "sim/machine/event_log.h"

#include <fmt/core.h>

namespace coldread::sim {

std::string ftrace_line(const Scheduler& scheduler, std::string_view event,
                        std::string_view fields) {
  const Task* task = scheduler.current();
  const TimeNs now = scheduler.now();
  return fmt::format("{:>16}-{:<7} [000] ..... {:5}.{:06}: {}: {}",
                     std::string_view(task != nullptr ? task->name : "<idle>").substr(0, 15),
                     task != nullptr ? task->pid : 0, now / kNsPerSecond, now % kNsPerSecond / 1000,
                     event, fields);
}

EventLog::EventLog(const Scheduler& scheduler, bool enabled, size_t history, OnLine on_line)
    : scheduler_(scheduler), history_(history), on_line_(std::move(on_line)) {
  enabled_ = enabled;
  level_ = enabled ? Level::error : Level::none;
}

void EventLog::add_line(std::string line) {
  const Task* task = scheduler_.current();
  std::deque<std::string>& last = last_[task != nullptr ? task->name : "timer"];
  if (on_line_) on_line_(line);
  last.push_back(std::move(line));
  if (last.size() > history_) last.pop_front();
}

void EventLog::emit(std::string_view event, std::string_view fields) {
  events_.push_back(fmt::format("{}: {}", event, fields));
  add_line(ftrace_line(scheduler_, event, fields));
}

void EventLog::printk(std::string_view line) {
  emit("console", line);
}

void EventLog::note(ReportKind kind, std::string_view text) {
  if (enabled_) emit("console", fmt::format("{}: {}", report_kind_name(kind), text));
  if (finding_) return;
  const Task* task = scheduler_.current();
  finding_ =
      player::RunReport{report_kind_name(kind),
                        fmt::format("{} (task {})", text, task != nullptr ? task->name : "timer"),
                        {}};
}

std::map<std::string, std::vector<std::string>> EventLog::last_events() const {
  std::map<std::string, std::vector<std::string>> result;
  for (const auto& [task, lines] : last_) {
    result.emplace(task, std::vector<std::string>(lines.begin(), lines.end()));
  }
  return result;
}

}  // namespace coldread::sim
