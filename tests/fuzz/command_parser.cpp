// Any bytes as commands on the device: lines separated by 0xff, behind one byte that says what the
// device has been through (Stage).
//
// Three judges: AddressSanitizer, since each command lies alone in memory; what the model finds in
// itself; and a second reading of the grammar, made from what real kernels answered (facts a2-*,
// a3-*, a4-*) and not from the model's parser, which foretells what it can.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "sim/machine/machine.h"
#include "sim/machine/workbench.h"
#include "sim/scheduler/strategy.h"
#include "tests/fuzz/program.h"
#include "tests/fuzz/stages.h"
#include "tests/fuzz/target.h"

namespace coldread::fuzz {
namespace {

constexpr int kDevice = 3;
constexpr uint8_t kSeparator = 0xff;
constexpr size_t kMaxCommands = 64;
constexpr size_t kMaxLine = 4095;  // bytes
constexpr uint64_t kMaxSteps = 100'000;

// What a real kernel would answer, as far as the text and what was said before decide it.
class Grammar {
 public:
  explicit Grammar(Stage stage)
      : dir_(stage != Stage::opened),
        tag_(dir_),
        ready_(dir_),
        ondemand_(stage != Stage::opened && stage != Stage::classic) {}

  std::optional<int64_t> foretell(std::string_view text) {
    bind_ = false;
    if (text.size() > kMaxLine) return -EOPNOTSUPP;
    if (text.find('\0') != std::string_view::npos || text.starts_with('\n')) return -EINVAL;
    const std::string_view line = text.substr(0, text.find('\n'));
    const size_t end = line.find_first_of(kBlanks);
    const std::string word(line.substr(0, end));
    const size_t begin = line.find_first_not_of(kBlanks, std::min(end, line.size()));
    const std::string args(begin == std::string_view::npos ? "" : line.substr(begin));
    const auto done = static_cast<int64_t>(text.size());
    if (word == "dir" || word == "tag") return name(word == "dir" ? dir_ : tag_, args, done);
    if (word == "debug") return std::regex_match(args, kNumber) ? done : -EINVAL;
    if (limits_.contains(word)) return limit(word, args) ? done : -EINVAL;
    if (word == "bind") return bind(args);
    if (word == "secctx") return secctx(args);
    if (word == "copen" || word == "restore")
      return ondemand_ ? std::nullopt : std::optional<int64_t>(-EOPNOTSUPP);
    if (word == "cull" || word == "inuse") {
      if (args.find('/') != std::string::npos) return -EINVAL;
      return ready_ ? std::nullopt : std::optional<int64_t>(-EIO);
    }
    return -EOPNOTSUPP;
  }

  // What it did answer.
  void answered(int64_t ret) {
    if (bind_ && ret >= 0) ready_ = tag_ = true;
    // A bind that fails behind its argument gave the cache its default tag already.
    if (bind_) tag_ = true;
  }

 private:
  static constexpr std::string_view kBlanks = " \t\n\v\f\r\xa0";
  static inline const std::regex kNumber{"|0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*"};
  static inline const std::regex kPercent{"([0-9]*)%"};

  static std::optional<int64_t> name(bool& set, const std::string& args, int64_t done) {
    if (args.empty()) return -EINVAL;
    if (set) return -EEXIST;
    set = true;
    return done;
  }

  std::optional<int64_t> bind(const std::string& args) {
    if (!dir_) return -EINVAL;
    if (ready_) return -EBUSY;
    if (!args.empty() && args != "ondemand") return -EINVAL;
    if (args == "ondemand") ondemand_ = true;
    bind_ = true;
    return {};
  }

  static std::optional<int64_t> secctx(const std::string& args) {
    if (args.empty()) return -EINVAL;
    if (!profile().has(Change::secctx_parse_immediate)) return {};
    return -EOPNOTSUPP;
  }

  // Numbers wrap around at 2^64.
  bool limit(const std::string& word, const std::string& args) {
    std::smatch found;
    if (!std::regex_match(args, found, kPercent)) return false;
    uint64_t value = 0;
    for (const char digit : found[1].str()) value = value * 10 + static_cast<uint64_t>(digit - '0');
    std::map<std::string, uint64_t> all = limits_;
    all[word] = value;
    const std::string of = word.substr(0, 1);
    if (value >= 100 || all[of + "stop"] >= all[of + "cull"] || all[of + "cull"] >= all[of + "run"])
      return false;
    limits_ = all;
    return true;
  }

  bool dir_, tag_, ready_, ondemand_;
  bool bind_ = false;  // the last command was one that went as far as binding
  std::map<std::string, uint64_t> limits_ = {{"frun", 7}, {"fcull", 5}, {"fstop", 1},
                                             {"brun", 7}, {"bcull", 5}, {"bstop", 1}};
};

// A command alone in memory of just its size.
struct Line {
  std::unique_ptr<std::byte[]> bytes;
  size_t size = 0;
  int64_t ret = 0;
};

class Commands final : private sim::FurtherPlay {
 public:
  explicit Commands(Stage stage) : stage_(stage), scenario_(stage_scenario(stage)) {
    sim::RunOptions options;
    options.history = 0;
    options.max_steps = kMaxSteps;
    options.keep = player::Keep::outcomes;
    options.further = this;
    // Each word once: statics that are made on first use must not lie in the run's arena.
    for (const char* text : {"dir /", "tag x", "bind ondemand", "restore", "copen 0,-5", "frun 9%",
                             "cull x", "inuse x", "secctx x", "debug 1", "x"})
      add(text);
    bench_ = std::make_unique<sim::Workbench>(scenario_, profile(), options);
  }

  void run(std::span<const uint8_t> bytes) {
    lines_.clear();
    while (!bytes.empty() && lines_.size() < kMaxCommands) {
      const auto end = std::find(bytes.begin(), bytes.end(), kSeparator);
      const auto length = static_cast<size_t>(end - bytes.begin());
      add({reinterpret_cast<const char*>(bytes.data()), length});
      bytes = bytes.subspan(std::min(length + 1, bytes.size()));
    }
    sim::FifoStrategy in_order;
    const auto& report = bench_->run(in_order).transcript.report;
    if (report) found(*report, text());
    judge();
  }

 private:
  void play(sim::Machine&, size_t task, sim::ModelSyscalls& syscalls) override {
    if (task != 0) return;
    syscalls.read(kDevice, message_);  // an OPEN that waits, so that copen finds what it answers
    for (Line& line : lines_) {
      line.ret = syscalls.write(kDevice, {line.bytes.get(), line.size});
      syscalls.settle();
    }
  }

  void add(std::string_view text) {
    Line& line = lines_.emplace_back();
    line.size = text.size();
    line.bytes = std::make_unique<std::byte[]>(text.size());
    std::memcpy(line.bytes.get(), text.data(), text.size());
  }

  static std::string_view text_of(const Line& line) {
    return {reinterpret_cast<const char*>(line.bytes.get()), line.size};
  }

  void judge() {
    Grammar grammar(stage_);
    for (const Line& line : lines_) {
      const std::optional<int64_t> foretold = grammar.foretell(text_of(line));
      if (foretold && *foretold != line.ret)
        found("the grammar says " + std::to_string(*foretold) + " to \"" +
                  std::string(text_of(line)) + "\", the model " + std::to_string(line.ret),
              text());
      if (line.ret >= 0 && line.ret != static_cast<int64_t>(line.size))
        found("a command that succeeds answers its whole length", text());
      if (line.ret < -4095) found("an answer that is no errno", text());
      grammar.answered(line.ret);
    }
  }

  std::string text() const {
    std::string all = std::string("stage ") + stage_name(stage_) + "\n";
    for (const Line& line : lines_)
      all += "  \"" + std::string(text_of(line)) + "\" = " + std::to_string(line.ret) + "\n";
    return all;
  }

  const Stage stage_;
  scenario::Scenario scenario_;
  std::vector<Line> lines_;
  std::array<std::byte, 1024> message_;
  std::unique_ptr<sim::Workbench> bench_;
};

}  // namespace
}  // namespace coldread::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace coldread::fuzz;
  if (size == 0) return 0;
  static std::array<std::unique_ptr<Commands>, static_cast<size_t>(Stage::count)> stages;
  const size_t stage = data[0] % stages.size();
  if (!stages[stage]) stages[stage] = std::make_unique<Commands>(static_cast<Stage>(stage));
  stages[stage]->run({data + 1, size - 1});
  return 0;
}
