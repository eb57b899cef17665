#include "sim/live/play_main.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>

#include "sim/live/conductor.h"
#include "sim/live/proc_state.h"
#include "sim/scenario/loader.h"

namespace coldread::live {
namespace {

GuestAnswer play(const PlaySetup& setup, int netfs) {
  GuestAnswer answer;
  scenario::LoadOptions load;
  for (const std::string& directory : setup.task.blob_directories)
    load.blob_directories.emplace_back(directory);
  Result<scenario::Scenario> scenario = scenario::load_file(setup.task.path, load);
  if (!scenario) {
    answer.error = scenario.error();
    return answer;
  }
  PlayOptions options;
  options.cache_directory = setup.cache;
  options.work_directory = setup.work;
  options.netfs = netfs;
  options.hang_after_ms = setup.task.hang_after_ms;
  options.kernel = {setup.mount, getppid()};
  Result<Played> played = play_scenario(*scenario, options);
  if (!played) answer.error = played.error();
  if (played) answer.transcript = std::move(played->transcript);
  return answer;
}

Status play_setup(const std::string& path) {
  const Result<PlaySetup> setup =
      PlaySetup::from_json(nlohmann::json::parse(read_file(path), nullptr, false));
  if (!setup) return Error{setup.error()};
  const std::string device = setup->mount + "/dev/coldread_netfs";
  const int netfs = move_up(open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (netfs < 0) return Error{fmt::format("{}: {}", device, std::strerror(errno))};
  return publish(setup->answer, play(*setup, netfs).to_json().dump());
}

}  // namespace

nlohmann::json PlaySetup::to_json() const {
  return {{"task", task.to_json()},
          {"mount", mount},
          {"cache", cache},
          {"work", work},
          {"answer", answer}};
}

Result<PlaySetup> PlaySetup::from_json(const nlohmann::json& object) {
  try {
    Result<GuestTask> task = GuestTask::from_json(object.at("task"));
    if (!task) return Error{task.error()};
    return PlaySetup{std::move(*task), object.at("mount").get<std::string>(),
                     object.at("cache").get<std::string>(), object.at("work").get<std::string>(),
                     object.at("answer").get<std::string>()};
  } catch (const nlohmann::json::exception& error) {
    return Error{std::string("the player's setup: ") + error.what()};
  }
}

int run_play(const std::string& setup_path) {
  const Status done = play_setup(setup_path);
  if (!done) fmt::print(stderr, "coldread: {}\n", done.error());
  return done ? 0 : 1;
}

}  // namespace coldread::live
