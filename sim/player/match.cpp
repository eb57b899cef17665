#include "sim/player/match.h"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>

#include "sim/scenario/expectation.h"
#include "sim/scenario/json_text.h"
#include "sim/sha256.h"

namespace coldread::player {
namespace {

using nlohmann::json;
using Mismatches = Matcher::Mismatches;

constexpr const char* kNothing = "nothing";

std::string show(const json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', true, json::error_handler_t::replace);
}

// A number, or the hex string it may stand as in a scenario.
std::optional<uint64_t> number_of(const json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  const char* end = text.data() + text.size();
  uint64_t number = 0;
  if (!text.starts_with("0x") || std::from_chars(text.data() + 2, end, number, 16).ptr != end)
    return std::nullopt;
  return number;
}

bool equal(const json& expect, const json& got) {
  if (expect.is_array() && got.is_array() && expect.size() == got.size())
    return std::equal(expect.begin(), expect.end(), got.begin(), equal);
  return expect == got || (got.is_number() && number_of(expect) && got == *number_of(expect));
}

Mismatch unmet(const std::string& pointer, std::string expected, std::string got) {
  return {pointer, "", std::move(expected), std::move(got)};
}

void append(Mismatches& to, Mismatches from) {
  for (Mismatch& each : from) to.push_back(std::move(each));
}

// Only the members written are compared; nested values as a whole.
Mismatches match_members(const json& expect, const std::string& pointer, const json& got) {
  Mismatches found;
  for (const auto& [name, value] : expect.items()) {
    const std::string inside = pointer + scenario::pointer_token(name);
    const bool there = got.is_object() && got.contains(name);
    if (!there || !equal(value, got[name]))
      found.push_back(unmet(inside, show(value), there ? show(got[name]) : kNothing));
  }
  return found;
}

// An exact list whose elements are compared by the members written.
Mismatches match_list(const json& expect, const std::string& pointer,
                      const std::vector<json>& got) {
  Mismatches found;
  for (size_t i = 0; i < std::max(expect.size(), got.size()); ++i) {
    const std::string inside = pointer + "/" + std::to_string(i);
    if (i >= expect.size() || i >= got.size())
      found.push_back(unmet(inside, i < expect.size() ? show(expect[i]) : kNothing,
                            i < got.size() ? show(got[i]) : kNothing));
    else
      append(found, match_members(expect[i], inside, got[i]));
  }
  return found;
}

std::vector<json> elements(const json& list) {
  return list.is_array() ? list.get<std::vector<json>>() : std::vector<json>();
}

// Sets of words, in any order.
Mismatches match_words(const json& expect, const std::string& pointer, const json& got) {
  std::vector<json> wanted = elements(expect);
  std::vector<json> found = elements(got);
  std::sort(wanted.begin(), wanted.end());
  std::sort(found.begin(), found.end());
  if (wanted == found && got.is_array()) return {};
  return {unmet(pointer, show(expect), got.is_null() ? kNothing : show(got))};
}

const json& member(const json& object, const char* name) {
  static const json kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

}  // namespace

Mismatches Matcher::choose(const json& expect, std::string pointer, const Leaf& leaf) const {
  if (expect.is_object() && expect.contains("by_kernel")) {
    const json& chosen = scenario::select_kernel(expect, profile_, pointer);
    if (&chosen == &expect) return {unmet(pointer, "an expectation for " + profile_, kNothing)};
    return choose(chosen, pointer, leaf);
  }
  if (!expect.is_object() || !expect.contains("one_of")) return leaf(expect, pointer);
  const json& alternatives = expect.at("one_of");
  Mismatches first;
  for (size_t i = 0; i < alternatives.size(); ++i) {
    Mismatches found = choose(alternatives[i], pointer + "/one_of/" + std::to_string(i), leaf);
    if (found.empty()) return {};
    if (i == 0) first = std::move(found);
  }
  // One sentence for all alternatives; what was got is the same for each if they are plain words.
  const bool same = first.size() == 1 && !alternatives[0].is_object();
  return {unmet(pointer + "/one_of", text(expect),
                same ? first[0].got : "none of them: " + first[0].got)};
}

std::string Matcher::text(const json& expect) const {
  std::string pointer;
  const json& chosen = scenario::select_kernel(expect, profile_, pointer);
  if (!chosen.is_object() || !chosen.contains("one_of")) return show(chosen);
  std::string list;
  for (const json& alternative : chosen.at("one_of"))
    list += (list.empty() ? "one of " : " | ") + text(alternative);
  return list;
}

Mismatches Matcher::step(const scenario::Step& step, const Record& record,
                         const std::string& result) const {
  return choose(step.expect, step.pointer + "/expect",
                [&](const json& expect, const std::string& pointer) {
                  return answer(expect, pointer, step, record, result);
                });
}

Mismatches Matcher::answer(const json& expect, const std::string& pointer,
                           const scenario::Step& step, const Record& record,
                           const std::string& result) const {
  if (expect.is_number())
    return record.contains("ret") && equal(expect, record["ret"])
               ? Mismatches()
               : Mismatches{unmet(pointer, show(expect), result)};
  if (expect.is_string())
    return record.contains("errno") && expect == record["errno"]
               ? Mismatches()
               : Mismatches{unmet(pointer, show(expect), result)};
  const bool back = came_back(record);
  const bool waits = record.contains("waits");
  if (expect.contains("waits"))
    return waits ? Mismatches() : Mismatches{unmet(pointer, "still waiting", result)};
  if (expect.contains("killed"))
    return !back && !waits ? Mismatches() : Mismatches{unmet(pointer, "killed", result)};
  if (expect.contains("skipped"))
    return record.contains("skipped") ? Mismatches()
                                      : Mismatches{unmet(pointer, "skipped", result)};

  if (expect.contains("ret") &&
      (!record.contains("ret") || !equal(expect.at("ret"), record["ret"])))
    return {unmet(pointer + "/ret", show(expect["ret"]), result)};
  if (expect.contains("errno") && (!record.contains("errno") || expect["errno"] != record["errno"]))
    return {unmet(pointer + "/errno", show(expect["errno"]), result)};
  if (!expect.contains("errno") && !record.contains("ret"))
    return {unmet(pointer, show(expect), result)};

  Mismatches found;
  for (const auto& [name, value] : expect.items()) {
    const std::string inside = pointer + "/" + name;
    const json& got = member(record, name.c_str());
    if (name == "ret" || name == "errno") continue;
    if (name == "message" || name == "entry")
      append(found, match_members(value, inside, got));
    else if (name == "slices" || name == "messages")
      append(found, match_list(value, inside, elements(got)));
    else if (name == "events" || name == "flags")
      append(found, match_words(value, inside, got));
    else if (name == "data")
      append(found, data(value, inside, step, got));
    else if (!equal(value, got))
      found.push_back(unmet(inside, show(value), got.is_null() ? kNothing : show(got)));
  }
  return found;
}

Mismatches Matcher::data(const json& expect, const std::string& pointer, const scenario::Step& step,
                         const json& got) const {
  if (!got.is_object() || !member(got, "length").is_number_integer())
    return {unmet(pointer, show(expect), kNothing)};
  const uint64_t length = got["length"].get<uint64_t>();
  std::string digest;
  if (expect.is_string()) {
    digest = sha256_of({}, 0, length);
  } else if (expect.contains("sha256")) {
    digest = expect["sha256"].get<std::string>();
    std::transform(digest.begin(), digest.end(), digest.begin(),
                   [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  } else {
    const auto blob =
        std::find_if(scenario_.blobs.begin(), scenario_.blobs.end(),
                     [&](const auto& each) { return expect["blob"] == json(each.name); });
    if (blob == scenario_.blobs.end()) return {unmet(pointer, show(expect), "no such blob")};
    const auto offset = expect.find("offset");
    digest = sha256_of(
        blob->bytes, offset == expect.end() ? step.offset : number_of(*offset).value_or(0), length);
  }
  if (member(got, "sha256") == digest) return {};
  return {unmet(pointer,
                show(expect) + " (" + std::to_string(length) + " bytes, sha256 " + digest + ")",
                "sha256 " + show(member(got, "sha256")))};
}

Mismatches Matcher::messages(const json& expect, const std::string& pointer,
                             const std::vector<json>& got) const {
  return choose(expect, pointer, [&](const json& list, const std::string& inside) {
    return match_list(list, inside, got);
  });
}

Mismatches Matcher::disk(const json& expect, const std::string& pointer, const json& got) const {
  if (!got.is_object()) return {unmet(pointer, "the cache's files", "nobody looked")};
  return choose(expect, pointer, [&](const json& entries, const std::string& inside) {
    Mismatches found;
    for (const auto& [path, entry] : entries.items()) {
      const std::string at = inside + scenario::pointer_token(path);
      if (!got.contains(path)) {
        found.push_back(unmet(at, text(entry), kNothing));
        continue;
      }
      const json& there = got[path];
      append(found, choose(entry, at, [&](const json& members, const std::string& here) {
               return match_members(members, here, there);
             }));
    }
    for (const auto& [path, entry] : got.items())
      if (!entries.contains(path))
        found.push_back(unmet(inside + scenario::pointer_token(path), kNothing, show(entry)));
    return found;
  });
}

namespace {

// "name" means every event of that name; in "name: fields" a * stands for anything.
bool is_event(const std::string& expected, const std::string& got) {
  if (expected.find(": ") == std::string::npos) return got.starts_with(expected + ":");
  std::string pattern;
  for (const char c : expected) {
    if (c == '?' || c == '[' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return fnmatch(pattern.c_str(), got.c_str(), 0) == 0;
}

}  // namespace

Mismatches Matcher::events(const json& expect, const std::string& pointer,
                           const std::vector<std::string>& got) const {
  return choose(expect, pointer, [&](const json& names, const std::string& inside) -> Mismatches {
    auto from = got.begin();
    for (size_t i = 0; i < names.size(); ++i) {
      const auto found = std::find_if(from, got.end(), [&](const std::string& event) {
        return is_event(names[i].get_ref<const std::string&>(), event);
      });
      if (found == got.end())
        return {unmet(inside + "/" + std::to_string(i), show(names[i]),
                      i == 0 ? "no such event" : "no such event after the one before")};
      from = found + 1;
    }
    return {};
  });
}

Mismatches Matcher::report(const json& expect, const std::string& pointer,
                           const std::optional<RunReport>& got) const {
  return choose(expect, pointer, [&](const json& kind, const std::string& inside) -> Mismatches {
    if (kind == (got ? got->kind : "none")) return {};
    return {unmet(inside, kind == "none" ? "no report" : "report \"" + show(kind) + "\"",
                  got ? got->kind + (got->text.empty() ? "" : ": " + got->text) : "no report")};
  });
}

}  // namespace coldread::player
