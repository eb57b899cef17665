// Two transcripts of one scenario, member by member.
#include <algorithm>
#include <set>

#include "sim/player/check.h"
#include "sim/scenario/json_text.h"

namespace coldread::player {
namespace {

using nlohmann::json;

class Comparison {
 public:
  std::vector<Mismatch> take() { return std::move(found_); }

  void walk(const json& model, const json& real, const std::string& pointer,
            const std::string& task) {
    if (model.is_object() && real.is_object()) {
      for (const auto& [name, value] : model.items())
        member(&value, real.contains(name) ? &real.at(name) : nullptr, name, pointer, task);
      for (const auto& [name, value] : real.items())
        if (!model.contains(name)) member(nullptr, &value, name, pointer, task);
    } else if (model.is_array() && real.is_array()) {
      for (size_t i = 0; i < std::max(model.size(), real.size()); ++i)
        member(i < model.size() ? &model[i] : nullptr, i < real.size() ? &real[i] : nullptr,
               std::to_string(i), pointer, task);
    } else if (model != real) {
      found_.push_back({pointer, task, real.dump(), model.dump()});
    }
  }

 private:
  void member(const json* model, const json* real, const std::string& name,
              const std::string& pointer, const std::string& task) {
    const std::string inside = pointer + scenario::pointer_token(name);
    const std::string& inside_task = pointer == "/tasks" ? name : task;
    if (model != nullptr && real != nullptr)
      walk(*model, *real, inside, inside_task);
    else
      found_.push_back({inside, inside_task, real == nullptr ? "nothing" : real->dump(),
                        model == nullptr ? "nothing" : model->dump()});
  }

  std::vector<Mismatch> found_;
};

std::string event_name(const std::string& line) {
  return line.substr(0, line.find(':'));
}

void add_event_names(const json& expect, std::set<std::string>& names) {
  if (expect.is_string()) names.insert(event_name(expect.get_ref<const std::string&>()));
  if (!expect.is_structured()) return;
  for (const json& inside : expect) add_event_names(inside, names);
}

// "ni=a8 B=20" becomes "ni=* B=*": which inodes a file system hands out is its own affair.
std::string without_inodes(const std::string& line) {
  std::string result;
  for (size_t i = 0; i < line.size(); ++i) {
    result += line[i];
    if (!result.ends_with("B=") && !result.ends_with(" ni=")) continue;
    result += '*';
    while (i + 1 < line.size() && line[i + 1] != ' ') ++i;
  }
  return result;
}

bool looked(const json& transcript, const char* member) {
  return transcript.contains(member) && !transcript.at(member).is_null();
}

}  // namespace

json comparable(const scenario::Scenario& scenario, const Transcript& transcript) {
  json result = transcript.canonical();
  std::set<std::string> names;
  if (scenario.expect.is_object() && scenario.expect.contains("events"))
    add_event_names(scenario.expect.at("events"), names);
  if (names.empty() || !transcript.events) return result;
  json& events = result["events"] = json::array();
  for (const std::string& line : *transcript.events) {
    if (names.contains(event_name(line))) events.push_back(without_inodes(line));
  }
  return result;
}

std::vector<Mismatch> compare(const Transcript& model, const Transcript& real) {
  return compare(model.canonical(), real.canonical());
}

std::vector<Mismatch> compare(const json& model, const json& real) {
  Comparison comparison;
  json ours = model;
  json theirs = real;
  for (const char* member : {"disk", "events"}) {
    if (looked(model, member) && looked(real, member)) continue;
    ours.erase(member);
    theirs.erase(member);
  }
  comparison.walk(ours, theirs, "", "");
  return comparison.take();
}

}  // namespace coldread::player
