#include "sim/player/check.h"

#include <set>

#include "sim/player/match.h"

namespace coldread::player {
namespace {

using nlohmann::json;
using scenario::Step;
using scenario::TaskSpec;
using scenario::Verb;

// What the transcript says of one step; no record: it was never begun.
std::string result_text(const Record* record) {
  if (record == nullptr) return "never begun";
  if (record->contains("skipped")) return "skipped: " + record->at("skipped").get<std::string>();
  if (record->contains("errno")) return record->at("errno").get<std::string>();
  if (record->contains("ret")) return record->at("ret").dump();
  return record->contains("waits") ? "still waiting" : "killed while it waited";
}

std::string success_text(const Step& step, const Record& record) {
  switch (step.verb) {
    case Verb::command:
    case Verb::copen:
    case Verb::read:
      return "success (" + record.value("asked", json(0)).dump() + ")";
    case Verb::write:
    case Verb::pwrite:
    case Verb::cache_write:
    case Verb::write_to_cache:
    case Verb::issue_write:
      return "success (" + std::to_string(step.length) + ")";
    case Verb::cache_read:
      return "success (" + std::to_string(step.sync ? 0 : step.length) + ")";
    case Verb::read_message:
      return "a message";
    case Verb::poll:
      return "an event";
    default:
      return "success";
  }
}

// A step without expectation must succeed; what that is depends on the verb.
bool succeeded(const Step& step, const Record& record) {
  const auto ret = record.find("ret");
  if (ret == record.end() || !ret->is_number_integer()) return false;
  switch (step.verb) {
    case Verb::command:
    case Verb::copen:
    case Verb::read:
      return record.contains("asked") && *ret == record["asked"];
    case Verb::cache_read:
      return *ret == (step.sync ? 0 : step.length);
    case Verb::write:
    case Verb::pwrite:
    case Verb::cache_write:
    case Verb::write_to_cache:
    case Verb::issue_write:
      return *ret == step.length;
    case Verb::read_message:
    case Verb::poll:
      return *ret > 0;
    default:
      return *ret >= 0;
  }
}

class Judge {
 public:
  Judge(const scenario::Scenario& scenario, const std::string& profile,
        const Transcript& transcript)
      : scenario_(scenario), transcript_(transcript), matcher_(scenario, profile) {
    for (const TaskSpec& task : scenario.tasks) find_kills(task);
  }

  std::vector<Mismatch> run() {
    for (const TaskSpec& task : scenario_.tasks) judge_task(task);
    judge_end();
    return std::move(found_);
  }

 private:
  const std::vector<Record>& records_of(const TaskSpec& task) const {
    static const std::vector<Record> kNone;
    const auto found = transcript_.tasks.find(task.name);
    return found == transcript_.tasks.end() ? kNone : found->second;
  }

  void find_kills(const TaskSpec& task) {
    const auto& records = records_of(task);
    for (size_t i = 0; i < std::min(records.size(), task.steps.size()); ++i)
      if (task.steps[i].verb == Verb::kill && records[i].contains("ret"))
        killed_.insert(task.steps[i].process);
  }

  bool was_killed(const TaskSpec& task) const {
    return killed_.contains(static_cast<int>(task.process));
  }

  // The run was cut short by a report that is not the tasks' own waiting.
  bool cut_short() const { return transcript_.report && transcript_.report->kind != "hang"; }

  void judge_task(const TaskSpec& task) {
    const auto& records = records_of(task);
    for (size_t i = 0; i < task.steps.size(); ++i) {
      const Record* record = i < records.size() ? &records[i] : nullptr;
      judge_step(task, task.steps[i], record);
      // What comes after a call that never came back was never begun: said once is enough.
      if (record == nullptr || !came_back(*record)) break;
    }
  }

  void judge_step(const TaskSpec& task, const Step& step, const Record* record) {
    const bool explicit_expectation = !step.expect.is_null();
    const bool excused = cut_short() || was_killed(task);
    if (record == nullptr) {
      if (!excused) add(task, step.pointer, "to be reached", result_text(record));
      return;
    }
    const bool waits = record->contains("waits");
    if (explicit_expectation) {
      if (!came_back(*record) && cut_short()) return;
      take(task, matcher_.step(step, *record, result_text(record)));
      return;
    }
    if (!came_back(*record) && (cut_short() || (was_killed(task) && !waits))) return;
    if (!succeeded(step, *record))
      add(task, step.pointer, success_text(step, *record), result_text(record));
  }

  void judge_end() {
    const json& expect = scenario_.expect;
    const auto member = [&](const char* name) {
      return expect.is_object() && expect.contains(name) ? &expect.at(name) : nullptr;
    };
    if (const json* messages = member("messages"))
      take(matcher_.messages(*messages, "/expect/messages", transcript_.messages()));
    if (const json* disk = member("disk"); disk != nullptr && !cut_short())
      take(matcher_.disk(*disk, "/expect/disk", transcript_.disk));
    if (const json* events = member("events"); events != nullptr && transcript_.events)
      take(matcher_.events(*events, "/expect/events", *transcript_.events));
    static const json kNoReport = "none";
    const json* report = member("report");
    take(matcher_.report(report == nullptr ? kNoReport : *report, "/expect/report",
                         transcript_.report));
  }

  void add(const TaskSpec& task, std::string pointer, std::string expected, std::string got) {
    found_.push_back({std::move(pointer), task.name, std::move(expected), std::move(got)});
  }
  void take(std::vector<Mismatch> mismatches) {
    for (Mismatch& mismatch : mismatches) found_.push_back(std::move(mismatch));
  }
  void take(const TaskSpec& task, std::vector<Mismatch> mismatches) {
    for (Mismatch& mismatch : mismatches) mismatch.task = task.name;
    take(std::move(mismatches));
  }

  const scenario::Scenario& scenario_;
  const Transcript& transcript_;
  Matcher matcher_;
  std::set<int> killed_;
  std::vector<Mismatch> found_;
};

}  // namespace

std::vector<Mismatch> verify(const scenario::Scenario& scenario, const std::string& profile,
                             const Transcript& transcript) {
  return Judge(scenario, profile, transcript).run();
}

}  // namespace coldread::player
