#include "sim/scenario/loader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>

#include "sim/scenario/blobs.h"
#include "sim/scenario/expectation.h"
#include "sim/scenario/json_text.h"
#include "sim/scenario/references.h"
#include "sim/scenario/steps.h"
#include "sim/sha256.h"

namespace coldread::scenario {
namespace {

constexpr size_t kMaxThings = 1000;  // volumes, cookies, kernels
constexpr size_t kMaxKey = 300;      // fscache refuses keys of more than 254 or 255 bytes
constexpr size_t kMaxStory = 65536;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kMaxBytesWithInodes = uint64_t{128} << 20;
constexpr uint64_t kSmallBlock = 1024;
constexpr uint64_t kBytesWithSmallBlocks = uint64_t{8} << 20;
constexpr uint64_t kMinInodes = 512;  // a volume takes 257
constexpr uint64_t kInodesPerBlock = 16;

std::string read_story(const Node& node) {
  if (node.json().is_string()) return node.string(kMaxStory);
  if (!node.json().is_array()) node.fail("a string or an array of strings");
  std::string story;
  for (const Node& line : node.elements(kMaxThings))
    story += (story.empty() ? "" : "\n") + line.string(kMaxStory);
  return story;
}

std::vector<std::string> read_kernels(const Node& node, const std::vector<std::string>& known) {
  std::vector<std::string> kernels;
  for (const Node& element : node.elements(kMaxThings)) {
    const std::string kernel = element.name();
    if (!known.empty()) element.one_of(known, "the name of a profile");
    if (std::find(kernels.begin(), kernels.end(), kernel) != kernels.end())
      element.fail("every kernel once");
    kernels.push_back(kernel);
  }
  if (kernels.empty()) node.fail("at least one kernel");
  return kernels;
}

std::vector<std::string> read_facts(const Node& node) {
  std::vector<std::string> facts;
  for (const Node& element : node.elements(kMaxThings)) {
    const std::string fact = element.name();
    if (std::find(facts.begin(), facts.end(), fact) != facts.end()) element.fail("every fact once");
    facts.push_back(fact);
  }
  return facts;
}

// Takes away what only says what people or the verdict make of a run.
void keep_what_is_played(nlohmann::json& json) {
  if (json.is_object())
    for (const char* name : {"$schema", "title", "story", "facts", "kernels", "note", "expect"})
      json.erase(name);
  if (json.is_structured())
    for (auto& value : json) keep_what_is_played(value);
}

std::string digest_of(const nlohmann::ordered_json& document) {
  nlohmann::json played = document;  // ordered by name: how a file is laid out does not count
  std::vector<std::string> tasks;    // but the tasks' order does
  for (const auto& [name, steps] : document.at("tasks").items()) tasks.push_back(name);
  keep_what_is_played(played);
  played["task order"] = tasks;
  const std::string text = played.dump();
  return sha256_of(std::as_bytes(std::span(text)), 0, text.size()).substr(0, 16);
}

std::string read_c_string(const Node& node, size_t max) {
  std::string text = node.string(max);
  if (text.find('\0') != std::string::npos) node.fail("a string without \\u0000");
  return text;
}

std::vector<Volume> read_volumes(const Node& node) {
  std::vector<Volume> volumes;
  for (const auto& [name, value] : node.named_members(kMaxThings)) {
    Fields fields(value, "a volume");
    Volume& volume = volumes.emplace_back();
    volume.name = name;
    volume.key = read_c_string(fields.need("key"), kMaxKey);
    if (const auto cache = fields.find("cache")) volume.cache = cache->name();
    if (const auto coherency = fields.find("coherency")) volume.coherency = coherency->hex(kMaxKey);
    fields.done();
  }
  return volumes;
}

std::vector<Cookie> read_cookies(const Node& node, const std::vector<Volume>& volumes) {
  std::vector<std::string> names;
  for (const Volume& volume : volumes) names.push_back(volume.name);
  std::vector<Cookie> cookies;
  for (const auto& [name, value] : node.named_members(kMaxThings)) {
    Fields fields(value, "a cookie");
    Cookie& cookie = cookies.emplace_back();
    cookie.name = name;
    cookie.volume = fields.need("volume").one_of(names, "the name of a volume");
    if (fields.first_of("key", "key_hex")) {
      const std::string key = fields.need("key").string(kMaxKey);
      const auto* bytes = reinterpret_cast<const std::byte*>(key.data());
      cookie.key.assign(bytes, bytes + key.size());
    } else {
      cookie.key = fields.need("key_hex").hex(kMaxKey);
    }
    if (const auto aux = fields.find("aux_hex")) cookie.aux = aux->hex(kMaxKey);
    cookie.size = fields.number_or("size", 0, kMaxPlainNumber - 1);
    cookie.want_cache_size = fields.boolean_or("want_cache_size", true);
    fields.done();
  }
  return cookies;
}

// The tasks with their names and processes; returns the nodes of their steps.
std::vector<Node> read_tasks(const Node& node, Scenario& scenario) {
  std::vector<Node> steps;
  for (const auto& [name, value] : node.named_members(kMaxTasks)) {
    TaskSpec& task = scenario.tasks.emplace_back();
    task.name = name;
    std::string process = name;
    if (value.json().is_object()) {
      Fields fields(value, "a task");
      process = fields.name_or("process", name);
      steps.push_back(fields.need("steps"));
      fields.done();
    } else {
      if (!value.json().is_array())
        value.fail("a task (an array of steps, or an object with them)");
      steps.push_back(value);
    }
    auto& processes = scenario.processes;
    const auto found = std::find(processes.begin(), processes.end(), process);
    task.process = static_cast<size_t>(found - processes.begin());
    if (found == processes.end()) processes.push_back(process);
  }
  if (scenario.tasks.empty()) node.fail("at least one task");
  return steps;
}

void add_steps(TaskSpec& task, std::vector<Step> steps, const Node& node) {
  if (task.steps.size() + steps.size() > kMaxSteps)
    node.fail("at most " + std::to_string(kMaxSteps) + " steps in a task", "more");
  for (Step& step : steps) task.steps.push_back(std::move(step));
}

void read_setup(const Node& node, Scenario& scenario, Names& names) {
  for (const Node& element : node.elements(kMaxTasks * kMaxSteps)) {
    std::vector<Step> steps = read_step(element, /*setup=*/true, names);
    const size_t task = element.child("task").one_of(names.tasks, "the name of a task");
    for (Step& step : steps) step.setup_turn = scenario.setup_turns++;
    add_steps(scenario.tasks[task], std::move(steps), element);
  }
}

// A task that kills its own process could never say how that went.
void check_kills(const Scenario& scenario) {
  for (const TaskSpec& task : scenario.tasks)
    for (const Step& step : task.steps)
      if (step.verb == Verb::kill && static_cast<size_t>(step.process) == task.process)
        throw BadInput{step.pointer,
                       "expected the process of another task, got the task's own, \"" +
                           scenario.processes[task.process] + "\""};
}

// What the step wants of the machine it is played on.
void note_needs(const Step& step, Scenario& scenario) {
  if (step.verb == Verb::fault)
    scenario.model_only = "only the model's disk can be told which call goes wrong";
  if (step.verb == Verb::unload)
    scenario.model_only = "the kernels that are built have fscache in them, not as a module";
  scenario.freezes |= step.verb == Verb::disk && step.disk.operation == DiskOperation::freeze;
}

void read_steps(Fields& fields, Scenario& scenario) {
  const std::vector<Node> task_nodes = read_tasks(fields.need("tasks"), scenario);
  Names names(scenario);
  if (const auto setup = fields.find("setup")) read_setup(*setup, scenario, names);
  for (size_t i = 0; i < scenario.tasks.size(); ++i)
    for (const Node& step : task_nodes[i].elements(kMaxSteps))
      add_steps(scenario.tasks[i], read_step(step, /*setup=*/false, names), step);
  check_names(scenario);
  check_kills(scenario);
  for (const TaskSpec& task : scenario.tasks)
    for (const Step& step : task.steps) note_needs(step, scenario);
  resolve_operations(scenario, names);
  resolve_barriers(scenario, names);
  resolve_children(scenario, names);
  if (const auto expect = fields.find("expect")) {
    check_final_expectation(*expect, names);
    scenario.expect = expect->json();
  }
}

// Only where mkfs.ext4 makes exactly as many: in one block group, whole blocks of the inode table.
uint64_t read_inodes(const Node& node, uint64_t cache_bytes) {
  const uint64_t inodes = node.number(cache_bytes / kPage);
  if (cache_bytes > kMaxBytesWithInodes)
    node.fail("a number of inodes only where \"cache_bytes\" is at most 128 MiB");
  if (inodes < kMinInodes || inodes % kInodesPerBlock != 0)
    node.fail("a multiple of 16 from 512 to one for every 4096 bytes");
  return inodes;
}

void read_block(const Node& node, Scenario& scenario) {
  const uint64_t block = node.number(kPage);
  if (block != kPage && block != kSmallBlock) node.fail("1024 or 4096");
  if (block == kSmallBlock &&
      (scenario.cache_bytes != kBytesWithSmallBlocks || scenario.cache_inodes != 0))
    node.fail(
        "blocks of 1024 bytes only where \"cache_bytes\" is 8388608, without \"cache_inodes\"");
  scenario.cache_block = static_cast<uint32_t>(block);
}

Scenario read_scenario(const std::string& name, const nlohmann::ordered_json& json,
                       const LoadOptions& options) {
  const Node root(json, "");
  Fields fields(root, "a scenario");
  fields.find("$schema");
  const Node version = fields.need("version");
  if (version.number(UINT32_MAX) != kFormatVersion)
    version.fail("version " + std::to_string(kFormatVersion) + " of the format");

  Scenario scenario;
  scenario.path = name;
  const Node title = fields.need("title");
  scenario.title = title.string(kMaxStory);
  if (scenario.title.empty()) title.fail("a title");
  if (const auto story = fields.find("story")) scenario.story = read_story(*story);
  if (const auto facts = fields.find("facts")) scenario.facts = read_facts(*facts);
  scenario.kernels = read_kernels(fields.need("kernels"), options.known_kernels);
  if (const auto size = fields.find("cache_bytes")) {
    scenario.cache_bytes = size->number(kMaxCacheBytes);
    if (scenario.cache_bytes < kMinCacheBytes) size->fail("at least 1 MiB (1048576)");
  }
  if (const auto inodes = fields.find("cache_inodes"))
    scenario.cache_inodes = read_inodes(*inodes, scenario.cache_bytes);
  if (const auto block = fields.find("cache_block")) read_block(*block, scenario);
  scenario.security = fields.boolean_or("security", false);
  if (const auto blobs = fields.find("blobs"))
    scenario.blobs = read_blobs(*blobs,
                                {std::filesystem::path(name).parent_path(),
                                 options.blob_directories, options.max_blob_bytes},
                                &scenario.unavailable);
  if (const auto volumes = fields.find("volumes")) scenario.volumes = read_volumes(*volumes);
  if (const auto cookies = fields.find("cookies"))
    scenario.cookies = read_cookies(*cookies, scenario.volumes);
  read_steps(fields, scenario);
  fields.done();
  scenario.digest = digest_of(json);
  return scenario;
}

Error file_error(const std::filesystem::path& path, const std::string& what) {
  return Error{path.string() + ": expected a readable scenario file, got " + what};
}

}  // namespace

Result<Scenario> load_text(const std::string& name, std::string_view text,
                           const LoadOptions& options) {
  try {
    auto json = parse_json(text);
    if (!json) return Error{name + ": " + json.error()};
    return read_scenario(name, *json, options);
  } catch (const BadInput& bad) {
    return Error{name + ": " + (bad.pointer.empty() ? "/" : bad.pointer) + ": " + bad.message};
  } catch (const std::bad_alloc&) {
    return Error{name + ": expected a scenario that fits into memory, got a larger one"};
  } catch (const std::exception& error) {
    return Error{name + ": " + error.what()};
  }
}

Result<Scenario> load_file(const std::filesystem::path& path, const LoadOptions& options) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    return file_error(path, error ? error.message() : std::strerror(ENOENT));
  if (!std::filesystem::is_regular_file(status)) return file_error(path, "something else");
  std::ifstream in(path, std::ios::binary);
  if (!in) return file_error(path, std::strerror(errno != 0 ? errno : EIO));
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return file_error(path, "an input/output error");
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kMaxFileBytes) return file_error(path, "more than 16 MiB");
  return load_text(path.string(), text, options);
}

}  // namespace coldread::scenario
