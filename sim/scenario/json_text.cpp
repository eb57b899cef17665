#include "sim/scenario/json_text.h"

#include <algorithm>
#include <set>
#include <vector>

namespace coldread::scenario {
namespace {

using nlohmann::ordered_json;

// "line 3, column 7" of the byte before `position`, which is where the parser stopped.
std::string place(std::string_view text, size_t position) {
  const std::string_view before = text.substr(0, std::min(position, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t newline = before.rfind('\n');
  const size_t column =
      newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(std::max<size_t>(column, 1));
}

// The library's sentence without its own numbering and position.
std::string reason(std::string text) {
  if (const size_t bracket = text.find("] "); bracket != std::string::npos)
    text.erase(0, bracket + 2);
  if (text.starts_with("parse error"))
    if (const size_t colon = text.find(": "); colon != std::string::npos) text.erase(0, colon + 2);
  return text;
}

// Walks the text without building anything and stops at the first thing that is wrong.
class Checker : public nlohmann::json_sax<ordered_json> {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  const std::string& error() const { return error_; }

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(size_t) override { return enter(false); }
  bool start_array(size_t) override { return enter(true); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.name = name;
    if (level.names.insert(name).second) return true;
    error_ = pointer() + ": expected every member once, got \"" + name + "\" a second time";
    return false;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& exception) override {
    error_ = place(text_, position) + ": expected JSON, got a " + reason(exception.what());
    return false;
  }

 private:
  struct Level {
    bool array = false;
    size_t index = 0;
    std::string name;
    std::set<std::string> names;
  };

  std::string pointer() const {
    std::string result;
    for (const Level& level : levels_)
      result += pointer_token(level.array ? std::to_string(level.index) : level.name);
    return result;
  }

  bool value() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().index;
    return true;
  }

  bool enter(bool array) {
    if (levels_.size() == kMaxDepth) {
      error_ = pointer() + ": expected at most " + std::to_string(kMaxDepth) +
               " levels of nesting, got more";
      return false;
    }
    levels_.emplace_back().array = array;
    return true;
  }

  bool leave() {
    levels_.pop_back();
    return value();
  }

  std::string_view text_;
  std::string error_;
  std::vector<Level> levels_;
};

}  // namespace

std::string pointer_token(std::string_view member) {
  std::string token = "/";
  for (const char c : member) {
    if (c == '~')
      token += "~0";
    else if (c == '/')
      token += "~1";
    else
      token += c;
  }
  return token;
}

Result<ordered_json> parse_json(std::string_view text) {
  Checker checker(text);
  if (!ordered_json::sax_parse(text, &checker)) return Error{checker.error()};
  return ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace coldread::scenario
