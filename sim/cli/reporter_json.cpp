// Results for programs: one JSON document, printed when everything is known.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "sim/cli/reporter.h"

namespace coldread::cli {
namespace {

using Json = nlohmann::ordered_json;

Json pairs(const std::vector<player::Mismatch>& mismatches, const char* left, const char* right) {
  Json list = Json::array();
  for (const player::Mismatch& mismatch : mismatches) {
    Json item{{"pointer", mismatch.pointer}};
    if (!mismatch.task.empty()) item["task"] = mismatch.task;
    item[left] = mismatch.expected;
    item[right] = mismatch.got;
    list.push_back(std::move(item));
  }
  return list;
}

Json result(const Outcome& outcome) {
  Json out{{"scenario", outcome.path}};
  if (!outcome.profile.empty()) out["kernel"] = outcome.profile;
  out["verdict"] = verdict_name(outcome.verdict);
  if (outcome.agreement != Agreement::not_compared) {
    out["agreement"] = agreement_name(outcome.agreement);
  }
  if (!outcome.reason.empty()) out["reason"] = outcome.reason;
  if (!outcome.mismatches.empty()) {
    out["mismatches"] = pairs(outcome.mismatches, "expected", "got");
  }
  if (!outcome.differences.empty()) {
    out["differences"] = pairs(outcome.differences, "kernel", "model");
  }
  if (outcome.transcript && outcome.transcript->report) {
    const player::RunReport& report = *outcome.transcript->report;
    out["report"] = {{"kind", report.kind}, {"text", report.text}, {"details", report.details}};
  }
  if (outcome.verdict != Verdict::passed && !outcome.last_events.empty()) {
    out["last_events"] = outcome.last_events;
  }
  if (outcome.verdict != Verdict::passed && !outcome.repeat.empty()) out["repeat"] = outcome.repeat;
  return out;
}

class JsonReporter : public Reporter {
 public:
  explicit JsonReporter(FILE* out) : out_(out) {}

  void begin(const RunRequest& request) override {
    document_["seed"] = request.seed;
    document_["strategy"] = strategy_name(request.strategy);
    if (request.schedule) document_["schedule"] = sim::schedule_text(*request.schedule);
    document_["on"] = target_name(request.on);
    document_["summary"] = Json::object();  // its place is before the results
    document_["results"] = Json::array();
    compared_ = request.compare || !request.recorded.empty();
  }

  void add(const Outcome& outcome) override { document_["results"].push_back(result(outcome)); }

  void end(const Summary& summary, bool interrupted) override {
    Json& counts = document_["summary"];
    for (size_t i = 0; i < kVerdicts; ++i) {
      const auto verdict = static_cast<Verdict>(i);
      counts[verdict_name(verdict)] = summary.count(verdict);
    }
    if (compared_) {
      for (const Agreement agreement :
           {Agreement::agree, Agreement::differ, Agreement::not_expressible}) {
        counts[agreement_name(agreement)] = summary.count(agreement);
      }
    }
    if (interrupted) counts["interrupted"] = true;
    // Paths need not be UTF-8, JSON must.
    fmt::print(out_, "{}\n", document_.dump(2, ' ', false, Json::error_handler_t::replace));
    fflush(out_);
  }

 private:
  FILE* const out_;
  Json document_;
  bool compared_ = false;
};

}  // namespace

std::unique_ptr<Reporter> make_json_reporter(FILE* out) {
  return std::make_unique<JsonReporter>(out);
}

}  // namespace coldread::cli
