#include "sim/live/job.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace coldread::live {

using nlohmann::json;

namespace {

// Both ends are this program: a file that is not as expected is damaged, details help nobody.
template <typename Read>
auto guarded(const char* what, Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const json::exception& error) {
    return Error{std::string(what) + ": " + error.what()};
  }
}

}  // namespace

json GuestSetup::to_json() const {
  return {{"module", module}, {"out", out}, {"cache", cache}, {"work", work}};
}

Result<GuestSetup> GuestSetup::from_json(const json& object) {
  return guarded("the guest's setup", [&]() -> Result<GuestSetup> {
    return GuestSetup{object.at("module").get<std::string>(), object.at("out").get<std::string>(),
                      object.at("cache").get<std::string>(), object.at("work").get<std::string>()};
  });
}

json GuestTask::to_json() const {
  return {{"path", path}, {"blob_directories", blob_directories}, {"hang_after_ms", hang_after_ms}};
}

Result<GuestTask> GuestTask::from_json(const json& object) {
  return guarded("the guest's task", [&]() -> Result<GuestTask> {
    return GuestTask{object.at("path").get<std::string>(),
                     object.at("blob_directories").get<std::vector<std::string>>(),
                     object.at("hang_after_ms").get<int>()};
  });
}

json GuestAnswer::to_json() const {
  json result = {{"error", error}, {"last", last}, {"transcript", nullptr}};
  if (error.empty()) result["transcript"] = transcript.to_json();
  return result;
}

Result<GuestAnswer> GuestAnswer::from_json(const json& object) {
  return guarded("the guest's answer", [&]() -> Result<GuestAnswer> {
    GuestAnswer answer;
    answer.error = object.at("error").get<std::string>();
    answer.last = object.at("last").get<bool>();
    if (!answer.error.empty()) return answer;
    Result<player::Transcript> read = player::Transcript::from_json(object.at("transcript"));
    if (!read) return Error{"the guest's answer: " + read.error()};
    answer.transcript = std::move(*read);
    return answer;
  });
}

std::string ready_path(const std::string& out) {
  return out + "/ready";
}
std::string failed_path(const std::string& out) {
  return out + "/failed";
}
std::string task_path(const std::string& out, size_t scenario) {
  return out + "/" + std::to_string(scenario) + ".task";
}
std::string answer_path(const std::string& out, size_t scenario) {
  return out + "/" + std::to_string(scenario) + ".answer";
}

Status publish(const std::string& path, const std::string& text) {
  const auto failed = [&] { return Error{path + ": " + std::strerror(errno)}; };
  const std::string temporary = path + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed();
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = write(fd, text.data() + done, text.size() - done);
    if (written <= 0) break;
    done += static_cast<size_t>(written);
  }
  const bool whole = done == text.size() && fsync(fd) == 0;
  close(fd);
  if (!whole || rename(temporary.c_str(), path.c_str()) < 0) return failed();
  return Nothing{};
}

}  // namespace coldread::live
