#include "sim/explore/finding_file.h"

#include "sim/scenario/json_text.h"

namespace coldread::sim {
namespace {

using nlohmann::ordered_json;

constexpr int kFormat = 1;

Error bad(const std::string& path, const char* pointer, const char* expected) {
  return Error{path + ": " + pointer + ": expected " + expected};
}

// Names of changes; a file of a finding in an unchanged profile need not have them.
Result<std::vector<std::string>> names(const std::string& path, const ordered_json& document,
                                       const char* member) {
  std::vector<std::string> result;
  const ordered_json list = document.value(member, ordered_json::array());
  if (!list.is_array()) return Error{path + ": /" + member + ": expected a list of changes"};
  for (const ordered_json& name : list) {
    if (!name.is_string()) return Error{path + ": /" + member + ": expected a list of changes"};
    result.push_back(name);
  }
  return result;
}

}  // namespace

std::string finding_text(const FindingFile& finding) {
  const ordered_json document = {
      {"coldread_finding", kFormat},
      {"kernel", finding.kernel},
      {"with", finding.changes.with},
      {"without", finding.changes.without},
      {"schedule", schedule_text(finding.schedule)},
      {"daemon_choices", finding.daemon_choices},
      {"report",
       {{"kind", finding.report.kind},
        {"text", finding.report.text},
        {"details", finding.report.details}}},
      {"path", finding.path},
      {"scenario", finding.scenario},
  };
  return document.dump(2) + "\n";
}

Result<FindingFile> parse_finding(const std::string& path, const std::string& text) {
  const Result<ordered_json> parsed = scenario::parse_json(text);
  if (!parsed) return Error{path + ": " + parsed.error()};
  const ordered_json& document = *parsed;
  if (!document.is_object()) return bad(path, "/", "a JSON object");
  if (document.value("coldread_finding", ordered_json()) != kFormat)
    return bad(path, "/coldread_finding", "1: not a file that `coldread explore --save` wrote");
  const auto text_of = [&document](const char* name) -> const std::string* {
    const auto found = document.find(name);
    return found != document.end() && found->is_string() ? found->get_ptr<const std::string*>()
                                                         : nullptr;
  };
  FindingFile finding;
  if (text_of("kernel") == nullptr) return bad(path, "/kernel", "a profile's name");
  finding.kernel = *text_of("kernel");
  const auto with = names(path, document, "with"), without = names(path, document, "without");
  if (!with) return Error{with.error()};
  if (!without) return Error{without.error()};
  finding.changes = {*with, *without};
  if (const Status known = check_changes(finding.changes); !known)
    return Error{path + ": " + known.error()};
  if (text_of("path") == nullptr) return bad(path, "/path", "a string");
  finding.path = *text_of("path");
  if (text_of("schedule") == nullptr) return bad(path, "/schedule", "a string");
  const Result<Schedule> schedule = parse_schedule(*text_of("schedule"));
  if (!schedule) return Error{path + ": /schedule: " + schedule.error()};
  finding.schedule = *schedule;
  const auto choices = document.find("daemon_choices");
  if (choices != document.end() && !choices->is_boolean())
    return bad(path, "/daemon_choices", "true or false");
  finding.daemon_choices = choices != document.end() && choices->get<bool>();
  const auto report = document.find("report");
  if (report == document.end() || !report->is_object() || !report->contains("kind") ||
      !report->at("kind").is_string() || !report->contains("text") ||
      !report->at("text").is_string())
    return bad(path, "/report", "an object with \"kind\" and \"text\"");
  finding.report.kind = report->at("kind");
  finding.report.text = report->at("text");
  if (!document.contains("scenario") || !document.at("scenario").is_object())
    return bad(path, "/scenario", "a scenario");
  finding.scenario = document.at("scenario");
  return finding;
}

std::string report_signature(const player::RunReport& report) {
  std::string signature = report.kind + ": ";
  for (const char c : report.text.substr(0, report.text.find(';')))
    if (c < '0' || c > '9') signature += c;
  return signature;
}

}  // namespace coldread::sim
