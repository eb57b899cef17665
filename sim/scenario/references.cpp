#include "sim/scenario/references.h"

#include <algorithm>
#include <set>

namespace coldread::scenario {
namespace {

// The pointer of a member of the step; steps of a sequence stand for a step without members.
std::string member_pointer(const Step& step, const char* member) {
  const size_t suffix = step.pointer.rfind('#');
  if (suffix != std::string::npos) return step.pointer.substr(0, suffix);
  return step.pointer + "/" + member;
}

bool uses_fd(Verb verb) {
  switch (verb) {
    case Verb::command:
    case Verb::copen:
    case Verb::read_message:
    case Verb::poll:
    case Verb::close:
    case Verb::write:
    case Verb::pwrite:
    case Verb::lseek:
    case Verb::complete:
    case Verb::serve:
    case Verb::dup:
    case Verb::send_fd:
    case Verb::ioctl:
    case Verb::pread:
    case Verb::fsync:
    case Verb::ftruncate:
    case Verb::fallocate:
    case Verb::mmap:
    case Verb::fcntl:
      return true;
    default:
      return false;
  }
}

bool gives_fd(Verb verb) {
  switch (verb) {
    case Verb::open:
    case Verb::read_message:
    case Verb::dup:
    case Verb::receive_fd:
      return true;
    default:
      return false;
  }
}

// The names that the steps of one process give.
struct Given {
  std::vector<std::string> files;  // by calls, and by messages that may bring one
  std::vector<std::string> messages;
};

void need_name(const std::vector<std::string>& names, const std::string& name, const Step& step,
               const char* member, const std::string& expected) {
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw BadInput{member_pointer(step, member),
                   "expected " + expected + ", got \"" + name + "\"" + did_you_mean(name, names)};
}

void check_text(const Step& step, const Given& given) {
  const char* member = step.verb == Verb::chdir ? "path" : "text";
  const auto use = [&](std::string_view name, std::string_view field) {
    if (name.empty()) return std::string();
    need_name(given.messages, std::string(name), step, member,
              "the name of a message that a step of the same process reads");
    need_name(placeholder_fields(), std::string(field), step, member, "a field of a message");
    return std::string();
  };
  if (!expand_placeholders(step.text, use))
    throw BadInput{
        member_pointer(step, member),
        "expected \"{CACHE}\" or \"{message.field}\" where there are braces (other braces: "
        "\"text_hex\"), got \"" +
            step.text + "\""};
}

void check_step(const Step& step, const Given& given) {
  if (uses_fd(step.verb) && !step.fd.empty())
    need_name(given.files, step.fd, step, "fd",
              "the name of a file that a step of the same process opens");
  if (!step.message.empty())
    need_name(given.messages, step.message, step, "message",
              "the name of a message that a step of the same process reads");
  if (step.verb == Verb::chdir || (step.verb == Verb::command && !step.raw_text))
    check_text(step, given);
}

// Depth first through "meets a, then b"; throws at the first cycle.
class BarrierOrder {
 public:
  BarrierOrder(const Scenario& scenario, size_t count)
      : scenario_(scenario), next_(count), state_(count, State::unseen) {
    for (const TaskSpec& task : scenario_.tasks) {
      const Step* last = nullptr;
      for (const Step& step : task.steps) {
        if (step.verb != Verb::barrier) continue;
        if (last != nullptr) next_[index(*last)].emplace_back(&step);
        last = &step;
      }
    }
  }

  void check() {
    for (size_t i = 0; i < next_.size(); ++i) visit(i);
  }

 private:
  enum class State : uint8_t { unseen, open, done };

  static size_t index(const Step& step) { return static_cast<size_t>(step.barrier); }

  // As deep as there are barriers, which the loader limits.
  void visit(size_t barrier) {
    if (state_[barrier] != State::unseen) return;
    state_[barrier] = State::open;
    for (const Step* step : next_[barrier]) {
      if (state_[index(*step)] == State::open)
        throw BadInput{step->pointer, "expected barriers in the same order in all tasks, got \"" +
                                          scenario_.barriers[index(*step)].name + "\" after \"" +
                                          scenario_.barriers[barrier].name +
                                          "\" here and before it elsewhere"};
      visit(index(*step));
    }
    state_[barrier] = State::done;
  }

  const Scenario& scenario_;
  std::vector<std::vector<const Step*>> next_;
  std::vector<State> state_;
};

}  // namespace

void check_names(const Scenario& scenario) {
  std::vector<Given> given(scenario.processes.size());
  for (const TaskSpec& task : scenario.tasks)
    for (const Step& step : task.steps) {
      if (!gives_fd(step.verb)) continue;
      given[task.process].files.push_back(step.as);
      if (step.verb == Verb::read_message) given[task.process].messages.push_back(step.as);
    }
  for (Given& names : given)
    for (auto* list : {&names.files, &names.messages}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
  for (const TaskSpec& task : scenario.tasks)
    for (const Step& step : task.steps) check_step(step, given[task.process]);
}

void resolve_children(Scenario& scenario, const Names& names) {
  scenario.children = names.children;
  std::vector<const Step*> forked(names.children.size());
  for (const TaskSpec& task : scenario.tasks)
    for (const Step& step : task.steps) {
      if (step.verb != Verb::fork) continue;
      const Step*& first = forked[static_cast<size_t>(step.child)];
      if (first != nullptr)
        throw BadInput{step.pointer, "expected a name that no other child has, got \"" +
                                         names.children[static_cast<size_t>(step.child)] + "\""};
      first = &step;
    }
  for (const TaskSpec& task : scenario.tasks)
    for (const Step& step : task.steps)
      if (step.verb == Verb::end_child && forked[static_cast<size_t>(step.child)] == nullptr)
        throw BadInput{step.pointer, "expected the name of a child that a step forks, got \"" +
                                         names.children[static_cast<size_t>(step.child)] + "\""};
}

void resolve_operations(Scenario& scenario, const Names& names) {
  std::vector<std::string> begun;
  for (const TaskSpec& task : scenario.tasks)
    for (const Step& step : task.steps)
      if (step.verb == Verb::begin_operation)
        begun.push_back(names.operations[static_cast<size_t>(step.operation)]);
  for (const TaskSpec& task : scenario.tasks)
    for (const Step& step : task.steps)
      if (step.operation >= 0)
        need_name(begun, names.operations[static_cast<size_t>(step.operation)], step, "operation",
                  "the name of an operation that a step begins");
  scenario.operations = names.operations;
}

void resolve_barriers(Scenario& scenario, const Names& names) {
  std::vector<const Step*> first(names.barriers.size());
  for (const std::string& name : names.barriers) scenario.barriers.push_back({name, 0});
  for (const TaskSpec& task : scenario.tasks) {
    std::set<int> passed;
    for (const Step& step : task.steps) {
      if (step.verb != Verb::barrier) continue;
      const auto index = static_cast<size_t>(step.barrier);
      if (!passed.insert(step.barrier).second)
        throw BadInput{step.pointer, "expected a task to meet a barrier once, got \"" +
                                         names.barriers[index] + "\" a second time"};
      if (++scenario.barriers[index].parties == 1) first[index] = &step;
    }
  }
  for (size_t i = 0; i < scenario.barriers.size(); ++i)
    if (scenario.barriers[i].parties == 1)
      throw BadInput{first[i]->pointer, "expected a barrier that at least two tasks meet, got \"" +
                                            scenario.barriers[i].name + "\" in this task alone"};
  BarrierOrder(scenario, scenario.barriers.size()).check();
}

std::optional<std::string> expand_placeholders(
    std::string_view text,
    const std::function<std::string(std::string_view name, std::string_view field)>& use) {
  std::string result;
  while (!text.empty()) {
    const size_t open = text.find_first_of("{}");
    result += text.substr(0, open);
    if (open == std::string_view::npos) break;
    const size_t close = text.find_first_of("{}", open + 1);
    if (text[open] == '}' || close == std::string_view::npos || text[close] == '{')
      return std::nullopt;
    const std::string_view inside = text.substr(open + 1, close - open - 1);
    const size_t dot = inside.rfind('.');
    if (inside == "CACHE")
      result += use("", inside);
    else if (dot == std::string_view::npos || dot == 0)
      return std::nullopt;
    else
      result += use(inside.substr(0, dot), inside.substr(dot + 1));
    text.remove_prefix(close + 1);
  }
  return result;
}

const std::vector<std::string>& placeholder_fields() {
  static const std::vector<std::string> kFields = {"id", "object", "fd", "off", "length"};
  return kFields;
}

}  // namespace coldread::scenario
