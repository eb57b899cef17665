#include "sim/scenario/expectation.h"

#include <algorithm>

#include "kernelmodel/kernel/report.h"
#include "sim/scenario/errno_names.h"
#include "sim/scenario/json_text.h"

namespace coldread::scenario {
namespace {

constexpr size_t kMaxList = 100'000;
constexpr size_t kMaxText = 65536;

const std::vector<std::string> kOperations = {"OPEN", "CLOSE", "READ"};
const std::vector<std::string> kSources = {"UNKNOWN", "FILL_WITH_ZEROES", "DOWNLOAD_FROM_SERVER",
                                           "READ_FROM_CACHE", "INVALID_READ"};

using Check = std::function<void(const Node&)>;

// `node`, or every alternative in it where it is a choice.
void check_choice(const Node& node, const Names& names, const Check& leaf) {
  const auto& json = node.json();
  if (!json.is_object() || (!json.contains("one_of") && !json.contains("by_kernel"))) {
    leaf(node);
    return;
  }
  Fields fields(node, "a choice");
  if (fields.first_of("one_of", "by_kernel")) {
    const Node alternatives = fields.need("one_of");
    if (alternatives.elements(kMaxList).empty()) alternatives.fail("at least one alternative");
    for (const Node& alternative : alternatives.elements(kMaxList))
      check_choice(alternative, names, leaf);
  } else {
    const Node kernels = fields.need("by_kernel");
    std::vector<std::string> known = names.scenario->kernels;
    known.emplace_back("*");
    for (const auto& [kernel, alternative] : kernels.members(known.size())) {
      if (std::find(known.begin(), known.end(), kernel) == known.end())
        alternative.fail("one of the scenario's kernels or \"*\"",
                         "\"" + kernel + "\"" + did_you_mean(kernel, known));
      check_choice(alternative, names, leaf);
    }
    for (const std::string& kernel : names.scenario->kernels)
      if (!kernels.json().contains(kernel) && !kernels.json().contains("*"))
        kernels.fail("a member for every kernel of the scenario, or \"*\"",
                     "none for \"" + kernel + "\"");
  }
  fields.done();
}

void check_errno(const Node& node) {
  if (!node.json().is_string() || !errno_number(node.string(64)))
    node.fail("the name of an error (\"ENOBUFS\")");
}

void check_words(const Node& node, const std::vector<std::string>& words, std::string_view what) {
  for (const Node& word : node.elements(words.size())) word.one_of(words, what);
}

void check_message(const Node& node) {
  Fields fields(node, "a message");
  if (const auto op = fields.find("op")) op->one_of(kOperations, "an operation");
  for (const char* number : {"id", "object", "len", "fd", "flags", "off", "length"})
    if (const auto value = fields.find(number)) value->number(UINT64_MAX);
  for (const char* text : {"volume", "cookie"})
    if (const auto value = fields.find(text)) value->string(kMaxText);
  fields.done();
}

void check_messages(const Node& node) {
  for (const Node& message : node.elements(kMaxList)) check_message(message);
}

void check_slices(const Node& node) {
  for (const Node& slice : node.elements(kMaxList)) {
    Fields fields(slice, "a slice");
    if (const auto source = fields.find("source")) source->one_of(kSources, "a source");
    fields.number_or("offset", 0, UINT64_MAX);
    fields.number_or("length", 0, UINT64_MAX);
    fields.done();
  }
}

void check_data(const Node& node, const Names& names) {
  if (node.json().is_string()) {
    node.one_of({"zeros"}, "the word");
    return;
  }
  Fields fields(node, "\"zeros\" or an object with the data");
  if (fields.first_of("blob", "sha256")) {
    fields.need("blob").one_of(names.blobs, "the name of a blob");
    fields.number_or("offset", 0, UINT64_MAX);
  } else if (const Node digest = fields.need("sha256"); digest.hex(32).size() != 32) {
    digest.fail("64 hex digits");
  }
  fields.done();
}

void check_ranges(const Node& node) {
  for (const Node& range : node.elements(kMaxList)) {
    if (range.elements(2).size() != 2) range.fail("a range [from, to]");
    for (const Node& bound : range.elements(2)) bound.number(kMaxPlainNumber - 1);
  }
}

void check_disk_entry(const Node& node) {
  Fields fields(node, "an entry of the disk");
  if (const auto type = fields.find("type"))
    type->one_of({"directory", "file", "other"}, "a type of file");
  if (const auto mode = fields.find("mode")) mode->octal_mode();
  fields.number_or("size", 0, kMaxPlainNumber - 1);
  fields.number_or("fanout", 0, 256);
  fields.number_or("entries", 0, 10'000);
  if (const auto xattr = fields.find("xattr"); xattr && !xattr->json().is_null()) xattr->hex(65536);
  if (const auto data = fields.find("data")) check_ranges(*data);
  fields.done();
}

bool is_any_of(Verb verb, std::initializer_list<Verb> verbs) {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

// The members that describe what a call brought, each for the verbs that bring it.
void check_results(Fields& fields, Verb verb, const Names& names) {
  const auto find = [&](const char* name, std::initializer_list<Verb> verbs) {
    auto node = fields.find(name);
    if (node && !is_any_of(verb, verbs))
      node->fail("a member that \"" + std::string(verb_name(verb)) + "\" can answer",
                 "\"" + std::string(name) + "\"");
    return node;
  };
  if (const auto node = find("message", {Verb::read_message})) check_message(*node);
  if (const auto node = find("text", {Verb::read_message})) node->string(kMaxText);
  if (const auto node = find("events", {Verb::poll})) check_words(*node, {"in", "out"}, "an event");
  if (const auto node = find("source", {Verb::prepare_read})) node->one_of(kSources, "a source");
  if (const auto node = find("offset", {Verb::prepare_write, Verb::query_occupancy}))
    node->number(UINT64_MAX);
  if (const auto node =
          find("length", {Verb::prepare_read, Verb::prepare_write, Verb::query_occupancy}))
    node->number(UINT64_MAX);
  if (const auto node = find("flags", {Verb::prepare_read}))
    check_words(*node, {"ondemand", "copy_to_cache"}, "a flag");
  if (const auto node = find("slices", {Verb::read})) check_slices(*node);
  if (const auto node = find("data", {Verb::read, Verb::cache_read})) check_data(*node, names);
  if (const auto node = find("messages", {Verb::serve})) check_messages(*node);
  if (const auto node = find("entry", {Verb::disk})) check_disk_entry(*node);
  if (const auto node = find("lines", {Verb::proc}))
    for (const Node& line : node->elements(kMaxList)) line.string(kMaxText);
}

void check_answer(const Node& node, Verb verb, const Names& names) {
  const auto& json = node.json();
  if (json.is_number()) {
    node.number(kMaxPlainNumber - 1);
    return;
  }
  if (json.is_string()) {
    check_errno(node);
    return;
  }
  if (!json.is_object() || json.empty())
    node.fail("a result (a number, the name of an error, or an object with members)");
  Fields fields(node, "an expectation");
  const auto ret = fields.find("ret");
  const auto error = fields.find("errno");
  if (ret && error) node.fail("either \"ret\" or \"errno\"", "both");
  if (ret) ret->number(kMaxPlainNumber - 1);
  if (error) check_errno(*error);
  for (const char* ending : {"waits", "killed", "skipped"})
    if (const auto value = fields.find(ending)) {
      if (!value->boolean()) value->fail("true");
      if (json.size() != 1) node.fail("\"" + std::string(ending) + "\" alone");
    }
  check_results(fields, verb, names);
  fields.done();
}

void check_disk(const Node& node, const Names& names) {
  for (const auto& [path, entry] : node.members(kMaxList))
    check_choice(entry, names, check_disk_entry);
}

void check_report(const Node& node) {
  std::vector<std::string> words;
  for (auto kind = ReportKind::none; kind <= ReportKind::stack_overflow;
       kind = static_cast<ReportKind>(static_cast<uint8_t>(kind) + 1))
    words.emplace_back(report_kind_name(kind));
  node.one_of(words, "a kind of report");
}

}  // namespace

namespace {

// "name" or "name: fields".
void check_event(const Node& node) {
  const std::string text = node.string(kMaxText);
  const size_t colon = text.find(": ");
  if (colon != std::string::npos && colon + 2 == text.size()) node.fail("fields behind the colon");
  if (!is_name(std::string_view(text).substr(0, colon))) node.fail("the name of an event");
}

}  // namespace

void check_step_expectation(const Node& node, Verb verb, const Names& names) {
  check_choice(node, names, [&](const Node& leaf) { check_answer(leaf, verb, names); });
}

void check_final_expectation(const Node& node, const Names& names) {
  Fields fields(node, "the final expectations");
  if (const auto messages = fields.find("messages")) check_choice(*messages, names, check_messages);
  if (const auto disk = fields.find("disk"))
    check_choice(*disk, names, [&](const Node& leaf) { check_disk(leaf, names); });
  if (const auto events = fields.find("events"))
    check_choice(*events, names, [](const Node& leaf) {
      for (const Node& event : leaf.elements(kMaxList)) check_event(event);
    });
  if (const auto report = fields.find("report")) check_choice(*report, names, check_report);
  fields.done();
}

const nlohmann::json& select_kernel(const nlohmann::json& json, const std::string& kernel,
                                    std::string& pointer) {
  if (!json.is_object() || !json.contains("by_kernel")) return json;
  const auto& kernels = json.at("by_kernel");
  const std::string member = kernels.contains(kernel) ? kernel : "*";
  if (!kernels.contains(member)) return json;
  pointer += "/by_kernel" + pointer_token(member);
  return kernels.at(member);
}

}  // namespace coldread::scenario
