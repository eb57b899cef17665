// The bytes choose who runs: two say which scenario of the corpus, the others when another task
// goes on than the ordinary one, and which. A report that the scenario does not expect is a
// finding, but for hangs: a scenario that says what each task does next may hang in another order.
//
// The scenarios: those below $COLDREAD_SCENARIOS, or beside the program in scenarios/, or of the
// source tree it was built from, as far as they are for the kernel that is asked.
#include "sim/explore/schedule.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "sim/machine/workbench.h"
#include "sim/player/check.h"
#include "sim/scenario/loader.h"
#include "tests/fuzz/target.h"

namespace coldread::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr size_t kWorkbenches = 200;  // at a time
constexpr uint64_t kMaxSteps = 100'000;

// Each byte: for so many decisions as usual, then another task than usual.
class ByteChoice final : public sim::DecidingStrategy {
 public:
  explicit ByteChoice(std::span<const uint8_t> bytes) : bytes_(bytes) {}

 private:
  static constexpr unsigned kChoiceBits = 2;

  size_t decide(const Task* current, const void*, const sim::RunQueue& runnable) override {
    const size_t usual = current != nullptr ? runnable.size() : 0;
    if (!take_next()) return usual;
    const size_t count = runnable.size() + (current != nullptr ? 1 : 0);
    return count == 0 ? usual : (usual + 1 + choice_) % count;
  }
  size_t decide_among(size_t count) override { return take_next() ? (1 + choice_) % count : 0; }

  // Whether this decision is another than usual.
  bool take_next() {
    if (at_ == bytes_.size()) return false;
    if (wait_ < bytes_[at_] >> kChoiceBits) {
      wait_++;
      return false;
    }
    choice_ = bytes_[at_] & ((1u << kChoiceBits) - 1);
    wait_ = 0;
    at_++;
    return true;
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  unsigned wait_ = 0;
  size_t choice_ = 0;
};

sim::RunOptions run_options() {
  sim::RunOptions options;
  options.changed_profile = &profile();
  options.history = 0;
  options.max_steps = kMaxSteps;
  options.keep = player::Keep::outcomes;
  return options;
}

bool mentions(const std::vector<player::Mismatch>& mismatches, std::string_view pointer) {
  return std::any_of(mismatches.begin(), mismatches.end(), [&](const player::Mismatch& mismatch) {
    return mismatch.pointer.starts_with(pointer);
  });
}

fs::path scenario_directory() {
  if (const char* const named = std::getenv("COLDREAD_SCENARIOS"); named != nullptr) return named;
  std::error_code none;
  const fs::path beside = fs::read_symlink("/proc/self/exe", none).parent_path() / "scenarios";
  return fs::is_directory(beside, none) ? beside : fs::path(COLDREAD_SCENARIOS);
}

// By name, so that the same bytes mean the same everywhere.
std::vector<scenario::Scenario> load_scenarios() {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(scenario_directory()))
    if (entry.path().extension() == ".json" && entry.path().stem() != "scenario.schema")
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<scenario::Scenario> scenarios;
  for (const fs::path& path : paths) {
    auto scenario = scenario::load_file(path);
    if (!scenario || !scenario->unavailable.empty()) continue;
    const auto& kernels = scenario->kernels;
    if (std::find(kernels.begin(), kernels.end(), profile().name) == kernels.end()) continue;
    scenarios.push_back(std::move(*scenario));
  }
  if (scenarios.empty()) found("no scenarios in " + scenario_directory().string());
  return scenarios;
}

class Corpus {
 public:
  void play(std::span<const uint8_t> bytes) {
    if (bytes.size() < 2) return;
    const size_t index = (bytes[0] * 256u + bytes[1]) % scenarios_.size();
    ByteChoice choice(bytes.subspan(2));
    choice.keep_schedule();
    const auto& report = workbench(index).run(choice).transcript.report;
    if (!report || report->kind == "hang" || is_expected(index, *report)) return;
    found(*report, "repeat: coldread run " + scenarios_[index].path + kernel_options(profile()) +
                       " --schedule " + sim::schedule_text(choice.schedule()) + "\n");
  }

 private:
  struct Bench {
    size_t index;
    std::unique_ptr<sim::Workbench> bench;
  };

  sim::Workbench& workbench(size_t index) {
    const auto at = std::find_if(benches_.begin(), benches_.end(),
                                 [index](const Bench& bench) { return bench.index == index; });
    if (at != benches_.end()) return *at->bench;
    if (benches_.size() == kWorkbenches) benches_.pop_front();
    benches_.push_back(
        {index, std::make_unique<sim::Workbench>(scenarios_[index], profile(), run_options())});
    return *benches_.back().bench;
  }

  bool is_expected(size_t index, const player::RunReport& report) const {
    player::Transcript transcript;
    transcript.report = report;
    return !mentions(player::verify(scenarios_[index], std::string(profile().name), transcript),
                     "/expect/report");
  }

  std::vector<scenario::Scenario> scenarios_ = load_scenarios();
  std::deque<Bench> benches_;
};

}  // namespace
}  // namespace coldread::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static coldread::fuzz::Corpus corpus;
  corpus.play({data, size});
  return 0;
}
