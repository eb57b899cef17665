// A JSON value that knows where it stands in its file: what the loader reads scenarios through.
//
// Every accessor checks type and range and, when they do not fit, throws BadInput with the value's
// JSON pointer and "expected ..., got ...". BadInput never leaves the loader.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldread::scenario {

struct BadInput {
  std::string pointer;
  std::string message;
};

// ` (did you mean "cookie"?)` if one of the names is close to `word`, else nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

inline constexpr uint64_t kMaxPlainNumber = uint64_t{1} << 63;  // from here on: hex strings

// Whether `text` may name something: 1 to 64 letters, digits, '_', '-' and '.'.
bool is_name(std::string_view text);

class Node {
 public:
  Node(const nlohmann::ordered_json& value, std::string pointer)
      : value_(&value), pointer_(std::move(pointer)) {}

  const nlohmann::ordered_json& json() const { return *value_; }
  const std::string& pointer() const { return pointer_; }

  [[noreturn]] void fail(std::string_view expected) const;  // "..., got <this>"
  [[noreturn]] void fail(std::string_view expected, std::string_view got) const;

  std::string string(size_t max_length) const;
  // A word by which things are called in a scenario: letters, digits, "_", "-", ".", at most 64.
  std::string name() const;
  bool boolean() const;
  // A whole number from 0 to `max`. Where `max` is at least 2^63-1 it may be a hex string "0x10",
  // and from 2^63 on it must be one.
  uint64_t number(uint64_t max) const;
  int64_t signed_number() const;
  std::vector<std::byte> hex(size_t max_bytes) const;
  uint32_t octal_mode() const;  // permission bits as four octal digits: "0600"
  // The index of this string in `words`.
  size_t one_of(const std::vector<std::string>& words, std::string_view what) const;

  Node child(std::string_view member) const;     // must be there
  std::vector<Node> elements(size_t max) const;  // must be an array
  // The members of an object, in the file's order.
  std::vector<std::pair<std::string, Node>> members(size_t max) const;
  // The same where the members are things the scenario gives a name().
  std::vector<std::pair<std::string, Node>> named_members(size_t max) const;

 private:
  const nlohmann::ordered_json* value_;
  std::string pointer_;
};

// The members of one object: whatever nobody asked for by done() is an error.
class Fields {
 public:
  Fields(const Node& node, std::string_view what);

  const Node& node() const { return node_; }
  std::optional<Node> find(std::string_view name);
  Node need(std::string_view name);
  // Exactly one of the two must be there; returns which.
  bool first_of(std::string_view first, std::string_view second);
  void done() const;

  std::string string_or(std::string_view name, std::string fallback, size_t max_length = 4096);
  std::string name_or(std::string_view name, std::string fallback);
  bool boolean_or(std::string_view name, bool fallback);
  uint64_t number_or(std::string_view name, uint64_t fallback, uint64_t max);

 private:
  Node node_;
  std::string what_;
  std::vector<std::string> asked_;
};

}  // namespace coldread::scenario
