#include "sim/player/transcript.h"

#include <algorithm>

namespace coldread::player {
namespace {

using nlohmann::json;

json without_seq(json record) {
  record.erase("seq");
  if (const auto messages = record.find("messages"); messages != record.end())
    for (json& message : *messages)
      if (message.is_object()) message.erase("seq");
  return record;
}

// A call that never came back: how far it had got is a matter of when one looks. An empty list of
// messages is as good as none.
json without_results(const json& record) {
  json rest = json::object();
  for (const char* member : {"step", "do", "waits", "messages"}) {
    if (record.contains(member)) rest[member] = record[member];
  }
  if (rest.contains("messages") && rest["messages"].empty()) rest.erase("messages");
  return without_seq(std::move(rest));
}

uint64_t seq_of(const json& object) {
  const auto seq = object.find("seq");
  return seq != object.end() && seq->is_number_integer() ? seq->get<uint64_t>() : UINT64_MAX;
}

json report_json(const RunReport& report) {
  return {{"kind", report.kind}, {"text", report.text}, {"details", report.details}};
}

Error bad(const std::string& pointer, const char* expected) {
  return Error{"transcript: " + pointer + ": expected " + expected};
}

bool is_record(const json& record) {
  return record.is_object() && record.contains("step") && record["step"].is_string() &&
         record.contains("do") && record["do"].is_string();
}

bool are_strings(const json& list) {
  return list.is_array() &&
         std::all_of(list.begin(), list.end(), [](const json& text) { return text.is_string(); });
}

Result<std::map<std::string, std::vector<Record>>> read_tasks(const json& tasks) {
  std::map<std::string, std::vector<Record>> result;
  if (!tasks.is_object()) return bad("/tasks", "an object");
  for (const auto& [name, records] : tasks.items()) {
    if (!records.is_array() || !std::all_of(records.begin(), records.end(), is_record))
      return bad("/tasks/" + name, "an array of records with \"step\" and \"do\"");
    result[name] = records.get<std::vector<Record>>();
  }
  return result;
}

Result<RunReport> read_report(const json& report) {
  if (!report.is_object() || !report.contains("kind") || !report["kind"].is_string())
    return bad("/report", "an object with a \"kind\"");
  RunReport result;
  result.kind = report["kind"].get<std::string>();
  if (const auto text = report.find("text"); text != report.end()) {
    if (!text->is_string()) return bad("/report/text", "a string");
    result.text = text->get<std::string>();
  }
  if (const auto details = report.find("details"); details != report.end()) {
    if (!are_strings(*details)) return bad("/report/details", "an array of strings");
    result.details = details->get<std::vector<std::string>>();
  }
  return result;
}

}  // namespace

std::vector<json> Transcript::messages() const {
  std::vector<std::pair<uint64_t, json>> found;
  for (const auto& [name, records] : tasks)
    for (const Record& record : records) {
      if (const auto message = record.find("message"); message != record.end())
        found.emplace_back(seq_of(record), *message);
      if (const auto served = record.find("messages"); served != record.end())
        for (const json& message : *served)
          found.emplace_back(seq_of(message), without_seq(message));
    }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<json> result;
  for (auto& [seq, message] : found) result.push_back(std::move(message));
  return result;
}

json Transcript::to_json() const {
  json result = {{"kernel", kernel}, {"tasks", tasks}, {"disk", disk}, {"report", nullptr}};
  if (report) result["report"] = report_json(*report);
  if (events) result["events"] = *events;
  return result;
}

json Transcript::canonical() const {
  json result = {{"tasks", json::object()}, {"disk", disk}, {"report", nullptr}};
  if (report) result["report"] = {{"kind", report->kind}};
  for (const auto& [name, records] : tasks) {
    json& list = result["tasks"][name] = json::array();
    for (const Record& record : records) {
      list.push_back(came_back(record) ? without_seq(record) : without_results(record));
    }
  }
  return result;
}

Result<Transcript> Transcript::from_json(const json& json) {
  if (!json.is_object() || !json.contains("kernel") || !json["kernel"].is_string())
    return bad("/", "an object with a \"kernel\"");
  Transcript transcript;
  transcript.kernel = json["kernel"].get<std::string>();
  if (!json.contains("tasks")) return bad("/tasks", "an object");
  auto tasks = read_tasks(json["tasks"]);
  if (!tasks) return Error{tasks.error()};
  transcript.tasks = std::move(*tasks);
  if (const auto disk = json.find("disk"); disk != json.end()) {
    if (!disk->is_null() && !disk->is_object()) return bad("/disk", "an object or null");
    transcript.disk = *disk;
  }
  if (const auto report = json.find("report"); report != json.end() && !report->is_null()) {
    auto read = read_report(*report);
    if (!read) return Error{read.error()};
    transcript.report = std::move(*read);
  }
  if (const auto events = json.find("events"); events != json.end()) {
    if (!are_strings(*events)) return bad("/events", "an array of strings");
    transcript.events = events->get<std::vector<std::string>>();
  }
  return transcript;
}

bool came_back(const Record& record) {
  return record.contains("ret") || record.contains("errno") || record.contains("skipped");
}

void mark_waiting(std::vector<Record>& records) {
  if (!records.empty() && !came_back(records.back())) records.back()["waits"] = true;
}

}  // namespace coldread::player
