#include "sim/scenario/steps.h"

#include <fcntl.h>

#include <initializer_list>

#include "sim/scenario/expectation.h"
#include "sim/scenario/steps_reader.h"

namespace coldread::scenario {
namespace {

const std::vector<VerbReader>& all_verbs() {
  static const std::vector<VerbReader> kAll = [] {
    std::vector<VerbReader> all;
    for (const auto verbs :
         {daemon_verbs(), process_verbs(), netfs_verbs(), disk_verbs(), play_verbs()})
      all.insert(all.end(), verbs.begin(), verbs.end());
    return all;
  }();
  return kAll;
}

Step verb_step(Verb verb) {
  Step step;
  step.verb = verb;
  return step;
}

Step command_step(const std::string& fd, std::string text) {
  Step step = verb_step(Verb::command);
  step.fd = fd;
  step.text = std::move(text);
  return step;
}

std::vector<Step> expand_bind(Reader r) {
  const std::string fd = r.fields.name_or("as", "dev");
  const std::string tag = r.fields.name_or("tag", "coldread");
  bool ondemand = true;
  if (const auto node = r.fields.find("mode"))
    ondemand = node->one_of({"ondemand", ""}, "a mode") == 0;
  Step open = verb_step(Verb::open);
  open.open_flags = O_RDWR;
  open.as = fd;
  return {open, command_step(fd, "dir {CACHE}"), command_step(fd, "tag " + tag),
          command_step(fd, ondemand ? "bind ondemand" : "bind")};
}

std::vector<Step> expand_cookie(Reader r, std::initializer_list<Verb> verbs) {
  r.read_cookie();
  std::vector<Step> steps;
  for (const Verb verb : verbs) {
    Step& step = steps.emplace_back(verb_step(verb));
    step.cookie = r.step.cookie;
    if (verb == Verb::acquire_volume || verb == Verb::relinquish_volume) {
      step.volume =
          static_cast<int>(r.names.scenario->cookies[static_cast<size_t>(step.cookie)].volume);
      step.cookie = -1;
    }
  }
  return steps;
}

std::vector<Step> expand_connect(Reader r) {
  return expand_cookie(r, {Verb::acquire_volume, Verb::acquire_cookie, Verb::use_cookie});
}

std::vector<Step> expand_disconnect(Reader r) {
  return expand_cookie(r, {Verb::unuse_cookie, Verb::relinquish_cookie, Verb::relinquish_volume});
}

struct Sequence {
  const char* name;
  std::vector<Step> (*expand)(Reader);
};

constexpr Sequence kSequences[] = {
    {"bind", expand_bind}, {"connect", expand_connect}, {"disconnect", expand_disconnect}};

}  // namespace

Names::Names(const Scenario& loaded) : scenario(&loaded) {
  for (const Blob& blob : loaded.blobs) blobs.push_back(blob.name);
  for (const Volume& volume : loaded.volumes) volumes.push_back(volume.name);
  for (const Cookie& cookie : loaded.cookies) {
    cookies.push_back(cookie.name);
    cookie_keys.push_back(key_text(cookie.key));
  }
  for (const TaskSpec& task : loaded.tasks) tasks.push_back(task.name);
}

uint32_t read_flags(const Node& node, const std::vector<std::string>& words,
                    const std::vector<uint32_t>& values) {
  uint32_t flags = 0;
  for (const Node& word : node.elements(words.size())) {
    const uint32_t flag = values[word.one_of(words, "a flag")];
    if ((flags & flag) != 0) word.fail("every flag once");
    flags |= flag;
  }
  return flags;
}

const std::vector<std::string>& verb_words() {
  static const std::vector<std::string> kWords = [] {
    std::vector<std::string> words;
    for (const VerbReader& entry : all_verbs()) words.emplace_back(verb_name(entry.verb));
    for (const Sequence& entry : kSequences) words.emplace_back(entry.name);
    return words;
  }();
  return kWords;
}

std::vector<Step> read_step(const Node& node, bool setup, Names& names) {
  Fields fields(node, "a step");
  const Node verb_node = fields.need("do");
  const size_t verb = verb_node.one_of(verb_words(), "a verb");
  const std::string& word = verb_words()[verb];
  Fields members(node, "a step \"" + word + "\"");
  members.find("do");
  if (setup) members.need("task");
  members.string_or("note", "");

  std::vector<Step> steps;
  Step step = verb < all_verbs().size() ? verb_step(all_verbs()[verb].verb) : Step{};
  step.pointer = node.pointer();
  const Reader reader{members, step, names, setup};
  if (verb < all_verbs().size()) {
    if (setup && (step.verb == Verb::barrier || step.verb == Verb::serve))
      verb_node.fail("a step that ends by itself: setup steps run one after the other");
    all_verbs()[verb].read(reader);
    if (const auto expect = members.find("expect")) {
      check_step_expectation(*expect, step.verb, names);
      step.expect = expect->json();
    }
    steps.push_back(std::move(step));
  } else {
    steps = kSequences[verb - all_verbs().size()].expand(reader);
    for (size_t i = 0; i < steps.size(); ++i)
      steps[i].pointer = node.pointer() + "#" + std::to_string(i + 1);
  }
  members.done();
  return steps;
}

}  // namespace coldread::scenario
