// The same hostile program on two kernels: where their answers differ, a named change says why.
//
// One byte names the two, the rest is a Program. Between them lies a chain of kernels, each with
// one change more or fewer than the one before. A finding is
//   - an answer that changes although the change is one that answers cannot show,
//   - a chain that does not lead from the one's answers to the other's: something else than the
//     changes makes a difference, or a play does not repeat itself.
//
// With --with or --without the two are the kernel as it is and as it is changed, and any difference
// is a finding: how long a bug takes to be noticed (bench/fuzz_bugs).
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/changes_of_mounts.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/target.h"

namespace coldread::fuzz {
namespace {

struct Pair {
  std::string_view older, newer;
};
constexpr Pair kPairs[] = {{"5.19", "6.1"},      {"6.1", "6.6"},         {"6.6", "6.8"},
                           {"6.8", "6.10"},      {"6.10", "6.12"},       {"6.12", "6.13"},
                           {"6.13", "6.12.117"}, {"6.1.192", "6.12.117"}};

// They change what traces and directories say: nothing that a call here answers.
constexpr Change kUnseen[] = {Change::trace_fd_ref_strings, Change::proc_fscache_moved,
                              Change::cache_file_mode_0600, Change::prepare_ondemand_read_split};

bool can_be_seen(Change change) {
  return std::ranges::find(kUnseen, change) == std::end(kUnseen) &&
         std::ranges::find(kChangesOfMounts, change) == std::end(kChangesOfMounts);
}

// What a play came to.
struct Outcome {
  std::vector<Answer> answers;
  std::string report;  // its kind and text; empty: none
  bool operator==(const Outcome&) const = default;
};

// The kernels between two, both included, with the change that each has brought.
struct Link {
  Profile profile;
  const ChangeInfo* change = nullptr;  // of the first: null
  std::array<std::unique_ptr<Play>, static_cast<size_t>(Stage::count)> plays;
};

Outcome play(Link& link, const Program& program) {
  std::unique_ptr<Play>& play = link.plays[static_cast<size_t>(program.stage())];
  if (!play) play = std::make_unique<Play>(link.profile, program.stage());
  const sim::RunResult result = play->run(program);
  Outcome outcome{{play->answers().begin(), play->answers().end()}, ""};
  if (const auto& report = result.transcript.report)
    outcome.report = report->kind + ": " + report->text;
  return outcome;
}

// The first answer that is another, if any is.
std::string difference(const Outcome& before, const Outcome& now) {
  const auto [was, is] = std::ranges::mismatch(before.answers, now.answers);
  const auto text = [](const Outcome& outcome, auto at) {
    return at == outcome.answers.end() ? std::string("no further answer") : answer_text(*at);
  };
  if (was == before.answers.end() && is == now.answers.end()) return "";
  return "\n  before: " + text(before, was) + "\n  now: " + text(now, is);
}

[[noreturn]] void report(const std::string& what, const Outcome& before, const Outcome& now,
                         const Program& program, const Link& link) {
  const std::unique_ptr<Play>& play = link.plays[static_cast<size_t>(program.stage())];
  found(what + "\n  before: " + before.report + "\n  now: " + now.report + difference(before, now),
        play_text(program, *play));
}

// One kernel as it is and as options changed it.
class ChangedKernel {
 public:
  static bool is_wanted() {
    const Profile plain = mended(*find_profile(profile().name));
    return profile().without(Change::canary).changes != plain.changes;
  }

  void compare(const Program& program) {
    const Outcome before = play(plain_, program);
    const Outcome now = play(changed_, program);
    if (before != now) report("the change is noticed", before, now, program, changed_);
  }

 private:
  Link plain_{mended(*find_profile(profile().name)), nullptr, {}};
  Link changed_{profile(), nullptr, {}};
};

class Chain {
 public:
  explicit Chain(const Pair& pair) {
    Profile at = mended(*find_profile(pair.older));
    const Profile end = mended(*find_profile(pair.newer));
    // The canary is not among the changes, so it must be noticed.
    const bool canary = profile().has(Change::canary);
    links_.push_back({at, nullptr, {}});
    for (const ChangeInfo& info : all_changes()) {
      if (at.has(info.change) == end.has(info.change)) continue;
      at = end.has(info.change) ? at.with(info.change) : at.without(info.change);
      links_.push_back({at, &info, {}});
    }
    links_.push_back({canary ? end.with(Change::canary) : end, nullptr, {}});
  }

  void compare(const Program& program) {
    const Outcome first = play(links_.front(), program);
    const Outcome last = play(links_.back(), program);
    if (first == last) return;
    Outcome before = first;
    for (size_t i = 1; i < links_.size(); i++) {
      const Outcome now = i + 1 == links_.size() ? last : play(links_[i], program);
      if (now != before) explain(program, links_[i], before, now);
      before = now;
    }
  }

 private:
  void explain(const Program& program, Link& link, const Outcome& before, const Outcome& now) {
    std::string what;
    if (link.change == nullptr)
      what = "two kernels with the same changes answer differently";
    else if (!can_be_seen(link.change->change))
      what = std::string(link.change->name) + " changes an answer, which it cannot";
    else
      return;
    report(what, before, now, program, link);
  }

  std::vector<Link> links_;
};

}  // namespace
}  // namespace coldread::fuzz

const size_t coldread::fuzz::kBytesBeforeProgram = 1;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace coldread::fuzz;
  if (size == 0) return 0;
  if (ChangedKernel::is_wanted()) {
    static ChangedKernel changed;
    changed.compare(Program({data + 1, size - 1}));
    return 0;
  }
  static std::array<std::unique_ptr<Chain>, std::size(kPairs)> chains;
  const size_t pair = data[0] % chains.size();
  if (!chains[pair]) chains[pair] = std::make_unique<Chain>(kPairs[pair]);
  chains[pair]->compare(Program({data + 1, size - 1}));
  return 0;
}
