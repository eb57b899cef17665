#include "sim/explore/schedule.h"

#include <fmt/core.h>

#include <charconv>

namespace coldread::sim {
namespace {

constexpr const char* kExpected =
    "expected a schedule: DECISION:CHOICE,... with growing decisions, or - for none";

template <typename Number>
bool take_number(std::string_view& text, Number* number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(rest - text.data()));
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

size_t ordinary(const Task* current, const RunQueue& runnable) {
  return current != nullptr ? runnable.size() : 0;
}

}  // namespace

std::string schedule_text(const Schedule& schedule) {
  std::string text;
  for (const auto& [decision, choice] : schedule)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", decision, choice);
  return text.empty() ? "-" : text;
}

Result<Schedule> parse_schedule(std::string_view text) {
  Schedule schedule;
  if (text == "-") return schedule;
  do {
    uint64_t decision = 0;
    uint32_t choice = 0;
    if (!take_number(text, &decision) || !take(text, ':') || !take_number(text, &choice))
      return Error{kExpected};
    if (!schedule.empty() && decision <= schedule.rbegin()->first) return Error{kExpected};
    schedule.emplace(decision, choice);
  } while (take(text, ','));
  if (!text.empty()) return Error{kExpected};
  return schedule;
}

// Most runs are only looked at for how they end.
inline size_t DecidingStrategy::ask(const Task* current, const void* object,
                                    const RunQueue& runnable) {
  if (!active_) return ordinary(current, runnable);
  if (decisions_ >= kFairFrom) [[unlikely]]
    return 0;
  const size_t choice = decide(current, object, runnable);
  if (keeps_schedule_ || watch_ != nullptr) [[unlikely]]
    note(current, object, runnable, choice);
  decisions_++;
  return choice;
}

void DecidingStrategy::note(const Task* current, const void* object, const RunQueue& runnable,
                            size_t choice) {
  if (choice != ordinary(current, runnable) && keeps_schedule_)
    schedule_[decisions_] = static_cast<uint32_t>(choice);
  if (watch_ != nullptr)
    watch_->decided(current, object, choice == runnable.size() ? *current : runnable[choice]);
}

void DecidingStrategy::alone(const Task* current, const void* object, const RunQueue& runnable) {
  if (active_ && decisions_ < kFairFrom) note_alone(current, object, runnable);
}

size_t DecidingStrategy::choose(size_t count) {
  if (!active_ || decisions_ >= kFairFrom) return 0;
  const size_t choice = decide_among(count);
  if (choice != 0 && keeps_schedule_) schedule_[decisions_] = static_cast<uint32_t>(choice);
  decisions_++;
  return choice;
}

size_t DecidingStrategy::next(const RunQueue& runnable) {
  return ask(nullptr, nullptr, runnable);
}

size_t DecidingStrategy::preempt(const Task& current, const void* object,
                                 const RunQueue& runnable) {
  const size_t choice = ask(&current, object, runnable);
  return choice == runnable.size() ? kStay : choice;
}

size_t ReplayStrategy::decide(const Task* current, const void*, const RunQueue& runnable) {
  const auto wanted = wanted_.find(decisions());
  const size_t choices = runnable.size() + (current != nullptr ? 1 : 0);
  if (wanted == wanted_.end() || wanted->second >= choices) return ordinary(current, runnable);
  return wanted->second;
}

size_t ReplayStrategy::decide_among(size_t count) {
  const auto wanted = wanted_.find(decisions());
  return wanted == wanted_.end() || wanted->second >= count ? 0 : wanted->second;
}

}  // namespace coldread::sim
