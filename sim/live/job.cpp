#include "sim/live/job.h"

namespace coldread::live {

using nlohmann::json;

json Job::to_json() const {
  json list = json::array();
  for (const JobScenario& scenario : scenarios) {
    list.push_back({{"path", scenario.path}, {"disk", scenario.disk}});
  }
  return {{"scenarios", list},
          {"blob_directories", blob_directories},
          {"module", module},
          {"out", out},
          {"cache", cache},
          {"work", work},
          {"hang_after_ms", hang_after_ms}};
}

// Both ends are this program: a file that is not as expected is damaged, details help nobody.
Result<Job> Job::from_json(const json& object) {
  try {
    Job job;
    for (const auto& scenario : object.at("scenarios")) {
      job.scenarios.push_back(
          {scenario.at("path").get<std::string>(), scenario.at("disk").get<int>()});
    }
    job.blob_directories = object.at("blob_directories").get<std::vector<std::string>>();
    job.module = object.at("module").get<std::string>();
    job.out = object.at("out").get<std::string>();
    job.cache = object.at("cache").get<std::string>();
    job.work = object.at("work").get<std::string>();
    job.hang_after_ms = object.at("hang_after_ms").get<int>();
    return job;
  } catch (const nlohmann::json::exception& error) {
    return Error{std::string("the guest's job: ") + error.what()};
  }
}

json JobAnswer::to_json() const {
  json result = {{"error", error}, {"last", last}, {"transcript", nullptr}};
  if (error.empty()) result["transcript"] = transcript.to_json();
  return result;
}

Result<JobAnswer> JobAnswer::from_json(const json& object) {
  JobAnswer answer;
  try {
    answer.error = object.at("error").get<std::string>();
    answer.last = object.at("last").get<bool>();
    if (!answer.error.empty()) return answer;
    Result<player::Transcript> transcript = player::Transcript::from_json(object.at("transcript"));
    if (!transcript) return Error{"the guest's answer: " + transcript.error()};
    answer.transcript = std::move(*transcript);
    return answer;
  } catch (const nlohmann::json::exception& error) {
    return Error{std::string("the guest's answer: ") + error.what()};
  }
}

std::string ready_path(const std::string& out) {
  return out + "/ready";
}
std::string failed_path(const std::string& out) {
  return out + "/failed";
}
std::string answer_path(const std::string& out, size_t scenario) {
  return out + "/" + std::to_string(scenario) + ".json";
}

}  // namespace coldread::live
