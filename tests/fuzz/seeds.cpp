// Makes the seeds of all targets from the scenarios, and says which: seeds SCENARIO_DIRECTORY
// OUTPUT_DIRECTORY [EROFS_IMAGE...].
//
// Each target gets a directory of its name. The same scenarios make the same files; scenarios of
// which a target would learn the same make one file. Steps that hostile plays do not know are left
// out.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "sim/scenario/loader.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/program.h"

namespace coldread::fuzz {
namespace {

namespace fs = std::filesystem;
using scenario::Step;
using scenario::Verb;

constexpr size_t kMaxJson = 2'000;  // bytes: larger scenarios teach a fuzzer little
constexpr size_t kMaxCommand = 4'200;
constexpr size_t kSchedules = 8;  // bytes

class Writer {
 public:
  explicit Writer(fs::path directory) : directory_(std::move(directory)) {}

  void write(const std::string& target, const std::string& name, const std::string& bytes) {
    if (!written_[target].insert(bytes).second) return;
    fs::create_directories(directory_ / target);
    fmt::print("{}/{}\n", target, name);
    std::ofstream file(directory_ / target / name, std::ios::binary);
    file << bytes;
    if (!file.flush()) {
      fmt::print(stderr, "{}: cannot be written\n", (directory_ / target / name).string());
      std::exit(1);
    }
  }

 private:
  fs::path directory_;
  std::map<std::string, std::set<std::string>> written_;
};

// Placeholders as they are in most runs.
std::string expand(std::string text) {
  for (const auto& [name, value] : {std::pair{std::string("{CACHE}"), std::string("/cache-disk")}})
    for (size_t at = 0; (at = text.find(name)) != std::string::npos;)
      text.replace(at, name.size(), value);
  for (size_t from = 0; (from = text.find('{')) != std::string::npos;) {
    const size_t end = text.find('}', from);
    if (end == std::string::npos) break;
    text.replace(from, end - from + 1, "0");
  }
  return text;
}

using Steps = std::vector<std::pair<size_t, const Step*>>;  // each with its task

// The steps in an order in which they may have happened: the setup, then the tasks by turns.
Steps in_turns(const scenario::Scenario& scenario) {
  Steps setup, steps;
  size_t longest = 0;
  for (const scenario::TaskSpec& task : scenario.tasks)
    longest = std::max(longest, task.steps.size());
  for (size_t i = 0; i < longest; i++)
    for (size_t task = 0; task < scenario.tasks.size(); task++) {
      if (i >= scenario.tasks[task].steps.size()) continue;
      const Step& step = scenario.tasks[task].steps[i];
      (step.setup_turn >= 0 ? setup : steps).emplace_back(task, &step);
    }
  std::sort(setup.begin(), setup.end(), [](const auto& a, const auto& b) {
    return a.second->setup_turn < b.second->setup_turn;
  });
  setup.insert(setup.end(), steps.begin(), steps.end());
  return setup;
}

std::string commands_of(const scenario::Scenario& scenario) {
  std::string text(1, '\0');  // Stage::opened
  for (const auto& [task, step] : in_turns(scenario)) {
    if (step->verb != Verb::command) continue;
    const std::string command = step->raw_text ? step->text : expand(step->text);
    if (command.size() > kMaxCommand) continue;
    text += command + '\xff';
  }
  return text.size() == 1 ? std::string() : text;
}

uint8_t byte(size_t number) {
  return static_cast<uint8_t>(number & 0xff);
}

class Translation {
 public:
  explicit Translation(const scenario::Scenario& scenario) : scenario_(scenario) {}

  // The same play, as far as hostile plays know its steps.
  std::string bytes() {
    bytes_.assign(kHeaderBytes, '\0');
    const Steps steps = in_turns(scenario_);
    for (size_t i = begin(steps); i < steps.size(); i++)
      translate(steps[i].first, *steps[i].second);
    return bytes_.substr(0, kHeaderBytes + kMaxInstructions * kInstructionBytes);
  }

 private:
  // Most scenarios begin with bind and connect: then the play begins on the stage behind these,
  // which is set up once for all plays. How many steps that spares.
  size_t begin(const Steps& steps) {
    constexpr Verb kBindAndConnect[] = {Verb::open,      Verb::command,        Verb::command,
                                        Verb::command,   Verb::acquire_volume, Verb::acquire_cookie,
                                        Verb::use_cookie};
    constexpr size_t kLength = std::size(kBindAndConnect);
    if (steps.size() < kLength ||
        !std::equal(std::begin(kBindAndConnect), std::end(kBindAndConnect), steps.begin(),
                    [](Verb verb, const auto& step) { return step.second->verb == verb; }))
      return 0;
    const bool ondemand = steps[3].second->text == "bind ondemand";
    if (!ondemand && steps[3].second->text != "bind") return 0;
    bytes_[0] = static_cast<char>(ondemand ? Stage::bound : Stage::classic);
    return kLength;
  }

  void add(Op op, size_t a = 0, size_t b = 0, size_t c = 0) {
    for (const size_t number : {static_cast<size_t>(op), a, b, c})
      bytes_ += static_cast<char>(byte(number));
  }

  void text(const Step& step) {
    const std::string command = step.raw_text ? step.text : expand(step.text);
    const size_t length = std::min(command.size(), kMaxTextBytes - 1);
    add(Op::text, length);
    bytes_ += command.substr(0, length);
  }

  void translate(size_t task, const Step& step) {
    const size_t reader = task % 3;
    const size_t cookie = step.cookie < 0 ? 0 : static_cast<size_t>(step.cookie) % 2;
    switch (step.verb) {
      case Verb::command:
        return text(step);
      case Verb::open:
        return add(Op::open_device);
      case Verb::copen:
        return add(Op::copen, 0, step.answer && *step.answer < 0 ? 12 : 0);
      case Verb::read_message:
        return add(Op::read_message);
      case Verb::serve:
        for (int i = 0; i < 4; i++) add(Op::serve);
        return;
      case Verb::poll:
        return add(Op::poll);
      case Verb::close:
        return add(Op::close, step.fd == "dev" ? 0xff : 0);
      case Verb::write:
        return add(Op::write);
      case Verb::pwrite:
        return add(Op::pwrite, 0, step.offset / 4096, step.length / 4096);
      case Verb::lseek:
        return add(Op::lseek, 0, 0, static_cast<size_t>(step.whence));
      case Verb::complete:
        return add(Op::complete);
      case Verb::dup:
        return add(Op::dup);
      case Verb::sleep:
        return add(Op::sleep, 2);
      case Verb::kill:
        return add(Op::kill, 0);
      case Verb::inject:
        return add(Op::inject, step.flags);
      case Verb::disk:
        return add(Op::disk, static_cast<size_t>(step.disk.operation));
      default:
        return reader_step(reader, cookie, step);
    }
  }

  void reader_step(size_t reader, size_t cookie, const Step& step) {
    static const std::map<Verb, Op> kOps = {
        {Verb::acquire_volume, Op::acquire_volume},
        {Verb::relinquish_volume, Op::relinquish_volume},
        {Verb::acquire_cookie, Op::acquire_cookie},
        {Verb::relinquish_cookie, Op::relinquish_cookie},
        {Verb::use_cookie, Op::use_cookie},
        {Verb::unuse_cookie, Op::unuse_cookie},
        {Verb::read, Op::read},
        {Verb::prepare_read, Op::prepare_read},
        {Verb::cache_read, Op::cache_read},
        {Verb::cache_write, Op::cache_write},
        {Verb::prepare_write, Op::prepare_write},
        {Verb::query_occupancy, Op::query_occupancy},
        {Verb::write_to_cache, Op::write_to_cache},
        {Verb::issue_write, Op::issue_write},
        {Verb::invalidate, Op::invalidate},
        {Verb::resize, Op::resize},
        {Verb::update_cookie, Op::update_cookie},
        {Verb::note_page_release, Op::page_release},
    };
    const auto found = kOps.find(step.verb);
    if (found != kOps.end())
      add(found->second, reader, cookie, step.retire || step.invalidate ? 1 : 0);
  }

  const scenario::Scenario& scenario_;
  std::string bytes_;
};

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void make(const fs::path& scenarios, Writer& writer) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(scenarios))
    if (entry.path().extension() == ".json" && entry.path().stem() != "scenario.schema")
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  size_t number = 0;
  for (const fs::path& path : paths) {
    const std::string name = path.parent_path().filename().string() + "-" + path.stem().string();
    const std::string json = slurp(path);
    if (json.size() <= kMaxJson) writer.write("scenario_json", name, json);
    const auto scenario = scenario::load_text(path.string(), json);
    if (!scenario) continue;
    if (const std::string commands = commands_of(*scenario); !commands.empty())
      writer.write("command_parser", name, commands);
    const std::string program = Translation(*scenario).bytes();
    writer.write("hostile_daemon", name, program);
    writer.write("kernel_rules", name, program);
    writer.write("two_profiles", name, std::string(1, static_cast<char>(number % 8)) + program);
    std::string schedule = {static_cast<char>(byte(number >> 8)), static_cast<char>(byte(number))};
    for (size_t i = 0; i < kSchedules; i++)
      schedule += static_cast<char>(byte(number * 37 + i * 41));
    writer.write("schedule", name, schedule);
    number++;
  }
}

}  // namespace
}  // namespace coldread::fuzz

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: {} SCENARIO_DIRECTORY OUTPUT_DIRECTORY [EROFS_IMAGE...]\n", argv[0]);
    return 2;
  }
  coldread::fuzz::Writer writer(argv[2]);
  coldread::fuzz::make(argv[1], writer);
  for (int i = 3; i < argc; i++)
    writer.write("erofs_image", fmt::format("image-{}", i - 2), coldread::fuzz::slurp(argv[i]));
  return 0;
}
