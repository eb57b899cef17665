// Two transcripts of one scenario, member by member.
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

}  // namespace

std::vector<Mismatch> compare(const Transcript& model, const Transcript& real) {
  return compare(model.canonical(), real.canonical());
}

std::vector<Mismatch> compare(const json& model, const json& real) {
  Comparison comparison;
  if (!model.at("disk").is_null() && !real.at("disk").is_null()) {
    comparison.walk(model, real, "", "");
    return comparison.take();
  }
  json ours = model;
  json theirs = real;
  ours.erase("disk");
  theirs.erase("disk");
  comparison.walk(ours, theirs, "", "");
  return comparison.take();
}

}  // namespace coldread::player
