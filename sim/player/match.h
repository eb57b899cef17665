// One expectation against one answer: every kind of expectation a scenario may hold.
//
// Only expectations that the loader has accepted come here; transcripts may be anything.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/player/check.h"

namespace coldread::player {

class Matcher {
 public:
  Matcher(const scenario::Scenario& scenario, std::string profile)
      : scenario_(scenario), profile_(std::move(profile)) {}

  using Mismatches = std::vector<Mismatch>;  // empty: it matches

  // `result`: the record's result in words.
  Mismatches step(const scenario::Step& step, const Record& record,
                  const std::string& result) const;
  Mismatches messages(const nlohmann::json& expect, const std::string& pointer,
                      const std::vector<nlohmann::json>& got) const;
  Mismatches disk(const nlohmann::json& expect, const std::string& pointer,
                  const nlohmann::json& got) const;
  Mismatches events(const nlohmann::json& expect, const std::string& pointer,
                    const std::vector<std::string>& got) const;
  Mismatches report(const nlohmann::json& expect, const std::string& pointer,
                    const std::optional<RunReport>& got) const;

 private:
  using Leaf = std::function<Mismatches(const nlohmann::json& expect, const std::string& pointer)>;
  // Follows "by_kernel" and "one_of" to what this profile's answer may be.
  Mismatches choose(const nlohmann::json& expect, std::string pointer, const Leaf& leaf) const;
  std::string text(const nlohmann::json& expect) const;

  Mismatches answer(const nlohmann::json& expect, const std::string& pointer,
                    const scenario::Step& step, const Record& record,
                    const std::string& result) const;
  Mismatches data(const nlohmann::json& expect, const std::string& pointer,
                  const scenario::Step& step, const nlohmann::json& got) const;

  const scenario::Scenario& scenario_;
  std::string profile_;
};

}  // namespace coldread::player
