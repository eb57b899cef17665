// The model against what real kernels were recorded to answer: a hostile program is played, and
// each of its calls must answer as some recording of that kernel shows that such a call can:
//   - an errno that a call of this kind, or a command of this word, was seen to give, and success
//     only where it was seen to succeed; a whole command answers its length,
//   - of poll, events that were seen,
//   - messages: the length that is read is the one the message says and the format's, a READ asks
//     for whole pages, and an id comes once unless the daemon began anew or asked for `restore`.
// The rules are learnt from tests/recordings when this is built (learn_rules.py, which also checks
// those about messages there). Left out: what no real disk does (Op::fault), lookups of paths,
// descriptors that are not open, of which any kernel says EBADF, and kernels that were not
// recorded.
#include <fmt/core.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "tests/fuzz/mutate.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/target.h"

namespace coldread::fuzz {
namespace {

// Numbers: 0 for success, an errno, or of poll the negative of a set of events.
struct LearnedRule {
  std::string_view kernel, key;
  size_t count;
  int answers[16];
};
#include "tests/fuzz/learned_rules.h"

constexpr std::string_view kMisuses[] = {"fsync", "ftruncate", "fallocate", "mmap",
                                         "fcntl", "chdir",     "pread"};
constexpr uint8_t kChdir = 5;

const LearnedRule* rule_of(std::string_view key) {
  for (const LearnedRule& rule : kLearnedRules)
    if (rule.kernel == profile().name && rule.key == key) return &rule;
  return nullptr;
}

std::string key_of(const Answer& answer) {
  const char* const file = answer.on_device ? "@device" : "@file";
  const bool says = answer.op == Op::command || answer.op == Op::copen;
  if (says && !answer.on_device) return "write@file";
  switch (answer.op) {
    case Op::command: {
      const std::string_view text = known_commands()[answer.detail];
      return "command:" + std::string(text.substr(0, text.find_first_of(" \n")));
    }
    case Op::copen:
      return "command:copen";
    case Op::open_device:
      return "open";
    case Op::misuse:
      return std::string(kMisuses[answer.detail]) + (answer.detail == kChdir ? "" : file);
    case Op::complete:
      return answer.on_device ? "ioctl@device" : "complete";
    case Op::read_message:
    case Op::poll:
    case Op::pwrite:
    case Op::write:
    case Op::lseek:
    case Op::ioctl:
    case Op::dup:
    case Op::close:
      return op_name(answer.op) + std::string(file);
    default:
      return op_name(answer.op);
  }
}

bool allows(std::string_view key, int64_t number) {
  const LearnedRule* const rule = rule_of(key);
  if (rule == nullptr) return false;
  const int* const end = rule->answers + rule->count;
  return std::find(rule->answers, end, number) != end;
}

// Of poll: all events together.
int64_t seen_events(std::string_view key) {
  int64_t events = 0;
  const LearnedRule* const rule = rule_of(key);
  for (size_t i = 0; rule != nullptr && i < rule->count; i++)
    if (rule->answers[i] < 0) events |= -rule->answers[i];
  return events;
}

// Nothing: a real kernel answers so.
std::string broken_rule(const Answer& answer) {
  if (answer.op == Op::text || answer.op == Op::disk) return "";
  if (answer.op == Op::misuse && answer.detail == kChdir) return "";
  if (answer.ret == -EBADF || (answer.op == Op::poll && answer.ret == POLLNVAL)) return "";
  const std::string key = key_of(answer);
  const int64_t number = answer.ret < 0 ? -answer.ret : 0;
  if (answer.op == Op::poll && answer.ret > 0) {
    if ((answer.ret & ~seen_events(key)) == 0) return "";
    return fmt::format("no recording of {} answers events {:#x}", key, answer.ret);
  }
  if (allows(key, number)) return "";
  // A dead cache says so to whatever word.
  const bool written = key.starts_with("command:") || key.ends_with("write@device");
  if (written && number == EIO && allows("copen", number)) return "";
  // Whatever is said, from memory that cannot be read (fact a2-bad-buffer).
  if (key == "write@device" && answer.detail == 1 && allows("command:hello", number)) return "";
  // On the device pread and pwrite are read and write (fact a1-other-calls); an object's file has
  // one function for both writes.
  if (key.starts_with("pwrite") && allows(key.substr(1), number)) return "";
  if (key.starts_with("write") && allows("p" + key, number)) return "";
  // A reader's last call is that one.
  if (key == "read" && allows("cache_read", number)) return "";
  // All three end in the same function.
  if ((key == "issue_write" || key == "write_to_cache") && allows("cache_write", number)) return "";
  // What the VFS itself refuses, whatever the file.
  const std::string call = key.substr(0, key.find('@'));
  if (answer.op == Op::misuse && (number == EINVAL || number == EACCES) &&
      (allows(call + "@device", number) || allows(call + "@file", number)))
    return "";
  if (key == "pread@device" && allows("read_message@device", number)) return "";
  return fmt::format("no recording of {} answers {}", key, number);
}

std::string broken_message(const Delivered& message, std::set<uint32_t>& ids, bool restored) {
  if (message.opcode == player::kOpRead && message.length != 32) return "the length of a READ";
  if (message.opcode == player::kOpClose && message.length != 16) return "the length of a CLOSE";
  if (message.opcode == player::kOpOpen && message.length <= 33) return "the length of an OPEN";
  if (message.opcode > player::kOpRead) return "an unknown opcode";
  if (message.opcode == player::kOpRead && (message.bytes == 0 || message.offset % 4096 != 0))
    return "the range of a READ";
  if (!ids.insert(message.id).second && !restored) return "an id that was delivered before";
  return "";
}

void judge(const Program& program, const Play& play) {
  bool restored = false;
  bool new_device = false;
  for (const Answer& answer : play.answers()) {
    restored = restored || answer.op == Op::text || answer.op == Op::command;
    new_device = new_device || (answer.op == Op::open_device && answer.ret >= 0);
    if (const std::string broken = broken_rule(answer); !broken.empty())
      found(broken, play_text(program, play));
  }
  std::set<uint32_t> ids;
  for (const Delivered& message : play.delivered()) {
    const std::string broken = broken_message(message, ids, restored || new_device);
    if (!broken.empty())
      found(fmt::format("{}: id {}, opcode {}", broken, message.id, message.opcode),
            play_text(program, play));
  }
}

bool has_faults(Program program) {
  Instruction instruction;
  program.restart();
  while (program.next(&instruction))
    if (instruction.op == Op::fault) return true;
  return false;
}

}  // namespace
}  // namespace coldread::fuzz

const size_t coldread::fuzz::kBytesBeforeProgram = 0;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace coldread::fuzz;
  if (coldread::fuzz::rule_of("command:bind") == nullptr) return 0;  // not recorded
  static std::array<std::unique_ptr<Play>, static_cast<size_t>(Stage::count)> plays;
  const Program program({data, size});
  if (has_faults(program)) return 0;
  std::unique_ptr<Play>& play = plays[static_cast<size_t>(program.stage())];
  if (!play) play = std::make_unique<Play>(profile(), program.stage());
  const auto result = play->run(program);
  const auto& report = result.transcript.report;
  if (report) found(*report, play_text(program, *play));
  if (!report) judge(program, *play);
  return 0;
}
