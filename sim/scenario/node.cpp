#include "sim/scenario/node.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/scenario/json_text.h"

namespace coldread::scenario {
namespace {

constexpr size_t kMaxName = 64;
constexpr const char* kNameRule = "a name (1 to 64 letters, digits, \"_\", \"-\", \".\")";

// How many letters must be put in, left out or changed to turn one word into the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

std::string describe(const nlohmann::ordered_json& value) {
  if (value.is_object()) return value.empty() ? "an empty object" : "an object";
  if (value.is_array()) return value.empty() ? "an empty array" : "an array";
  constexpr size_t kMaxShown = 60;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "...";
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<uint64_t> parse_hex(std::string_view text) {
  if (!text.starts_with("0x") || text.size() < 3 || text.size() > 18) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text.substr(2)) {
    const int digit = hex_digit(c);
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<uint64_t>(digit);
  }
  return value;
}

std::string list(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "\"" : ", \"") + word + "\"";
  return text;
}

}  // namespace

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '.';
  };
  return !text.empty() && text.size() <= kMaxName && std::all_of(text.begin(), text.end(), fits);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  if (word.size() > 2 * kMaxName) return "";
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& name : names) {
    const size_t d = distance(word, name);
    if (d < best_distance && d < std::max(word.size(), name.size())) {
      best = &name;
      best_distance = d;
    }
  }
  return best == nullptr ? "" : " (did you mean \"" + *best + "\"?)";
}

void Node::fail(std::string_view expected) const {
  fail(expected, describe(*value_));
}

void Node::fail(std::string_view expected, std::string_view got) const {
  throw BadInput{pointer_, "expected " + std::string(expected) + ", got " + std::string(got)};
}

std::string Node::string(size_t max_length) const {
  if (!value_->is_string()) fail("a string");
  const std::string& text = value_->get_ref<const std::string&>();
  if (text.size() > max_length)
    fail("at most " + std::to_string(max_length) + " bytes", std::to_string(text.size()));
  return text;
}

std::string Node::name() const {
  if (!value_->is_string() || !is_name(value_->get_ref<const std::string&>())) fail(kNameRule);
  return value_->get<std::string>();
}

bool Node::boolean() const {
  if (!value_->is_boolean()) fail("true or false");
  return value_->get<bool>();
}

uint64_t Node::number(uint64_t max) const {
  const std::string range = "a whole number from 0 to " + std::to_string(max);
  if (value_->is_string() && max >= kMaxPlainNumber - 1) {
    const auto parsed = parse_hex(value_->get_ref<const std::string&>());
    if (!parsed || *parsed > max) fail(range + " (or as hex string \"0x...\")");
    return *parsed;
  }
  if (!value_->is_number_unsigned()) fail(range);
  const uint64_t number = value_->get<uint64_t>();
  if (number >= kMaxPlainNumber) fail("numbers of 2^63 and above as hex strings \"0x...\"");
  if (number > max) fail(range);
  return number;
}

int64_t Node::signed_number() const {
  if (!value_->is_number_integer() ||
      (value_->is_number_unsigned() && value_->get<uint64_t>() >= kMaxPlainNumber))
    fail("a whole number from -2^63 to 2^63-1");
  return value_->get<int64_t>();
}

std::vector<std::byte> Node::hex(size_t max_bytes) const {
  const std::string text = string(2 * max_bytes);
  if (text.size() % 2 != 0) fail("an even number of hex digits");
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) fail("hex digits");
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return bytes;
}

uint32_t Node::octal_mode() const {
  constexpr std::string_view kRule = "four octal digits (\"0600\")";
  if (!value_->is_string()) fail(kRule);
  const std::string text = string(8);
  if (text.size() != 4 ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; }))
    fail(kRule);
  uint32_t mode = 0;
  for (const char digit : text) mode = mode * 8 + static_cast<uint32_t>(digit - '0');
  return mode;
}

size_t Node::one_of(const std::vector<std::string>& words, std::string_view what) const {
  if (value_->is_string()) {
    const auto found = std::find(words.begin(), words.end(), value_->get_ref<const std::string&>());
    if (found != words.end()) return static_cast<size_t>(found - words.begin());
  }
  std::string expected(what);
  if (words.empty())
    expected += ", but there is none";
  else if (words.size() <= 8)
    expected += words.size() == 1 ? " " + list(words) : " (one of " + list(words) + ")";
  fail(expected,
       describe(*value_) +
           (value_->is_string() ? did_you_mean(value_->get_ref<const std::string&>(), words) : ""));
}

Node Node::child(std::string_view member) const {
  return Node(value_->at(std::string(member)), pointer_ + pointer_token(member));
}

std::vector<Node> Node::elements(size_t max) const {
  if (!value_->is_array()) fail("an array");
  if (value_->size() > max)
    fail("at most " + std::to_string(max) + " elements", std::to_string(value_->size()));
  std::vector<Node> nodes;
  nodes.reserve(value_->size());
  for (size_t i = 0; i < value_->size(); ++i)
    nodes.emplace_back((*value_)[i], pointer_ + "/" + std::to_string(i));
  return nodes;
}

std::vector<std::pair<std::string, Node>> Node::members(size_t max) const {
  if (!value_->is_object()) fail("an object");
  if (value_->size() > max)
    fail("at most " + std::to_string(max) + " members", std::to_string(value_->size()));
  std::vector<std::pair<std::string, Node>> nodes;
  for (const auto& [name, value] : value_->items())
    nodes.emplace_back(name, Node(value, pointer_ + pointer_token(name)));
  return nodes;
}

std::vector<std::pair<std::string, Node>> Node::named_members(size_t max) const {
  auto nodes = members(max);
  for (const auto& [name, node] : nodes)
    if (!is_name(name)) node.fail(kNameRule, describe(name));
  return nodes;
}

Fields::Fields(const Node& node, std::string_view what) : node_(node), what_(what) {
  if (!node_.json().is_object()) node_.fail(what_ + " (an object)");
}

std::optional<Node> Fields::find(std::string_view name) {
  asked_.emplace_back(name);
  if (!node_.json().contains(std::string(name))) return std::nullopt;
  return node_.child(name);
}

Node Fields::need(std::string_view name) {
  auto found = find(name);
  if (!found) {
    // A misspelt member is the likeliest reason why this one is missing.
    for (const auto& [other, value] : node_.members(SIZE_MAX))
      if (std::find(asked_.begin(), asked_.end(), other) == asked_.end() &&
          !did_you_mean(other, {std::string(name)}).empty())
        value.fail("a member of " + what_,
                   "\"" + other + "\"" + did_you_mean(other, {std::string(name)}));
    node_.fail("\"" + std::string(name) + "\" in " + what_, "none");
  }
  return *found;
}

bool Fields::first_of(std::string_view first, std::string_view second) {
  const bool has_first = find(first).has_value();
  const bool has_second = find(second).has_value();
  if (has_first == has_second)
    node_.fail(
        "either \"" + std::string(first) + "\" or \"" + std::string(second) + "\" in " + what_,
        has_first ? "both" : "neither");
  return has_first;
}

void Fields::done() const {
  for (const auto& [name, value] : node_.members(SIZE_MAX))
    if (std::find(asked_.begin(), asked_.end(), name) == asked_.end())
      value.fail("a member of " + what_, "\"" + name + "\"" + did_you_mean(name, asked_));
}

std::string Fields::string_or(std::string_view name, std::string fallback, size_t max_length) {
  const auto node = find(name);
  return node ? node->string(max_length) : std::move(fallback);
}

std::string Fields::name_or(std::string_view name, std::string fallback) {
  const auto node = find(name);
  return node ? node->name() : std::move(fallback);
}

bool Fields::boolean_or(std::string_view name, bool fallback) {
  const auto node = find(name);
  return node ? node->boolean() : fallback;
}

uint64_t Fields::number_or(std::string_view name, uint64_t fallback, uint64_t max) {
  const auto node = find(name);
  return node ? node->number(max) : fallback;
}

}  // namespace coldread::scenario
