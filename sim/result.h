// What tool paths return: a value, or one sentence that says what is wrong with the user's input.
//
// std::expected would do, but clang 14 cannot compile libstdc++ 12's; kernel paths never use this,
// they return negative errno.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace coldread {

// Where in which file, and what was expected there: "a.json: /tasks/reader/0/do: expected ...".
struct Error {
  std::string message;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(*-explicit-*)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() { return *std::get_if<0>(&state_); }
  const T& value() const { return *std::get_if<0>(&state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const std::string& error() const { return std::get_if<1>(&state_)->message; }

 private:
  std::variant<T, Error> state_;
};

struct Nothing {};
using Status = Result<Nothing>;

}  // namespace coldread
