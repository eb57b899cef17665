// What goes in and out of a mounted model, so that a run can be written down and made again.
//
// All of the model runs on one thread, on fibers, first in first out; what it cannot know by itself
// comes through few doors: calls that arrive, helpers that have ended, time, and what the disk and
// other processes answer. Each passes here. A Recorder writes it down; a Playback gives it again
// and compares what the model says in return. A Tape as such does nothing.
//
// A recording is a file of JSON objects, one a line, in exactly the order in which things happened:
//
//   {"coldread":"recording", "version":1, "kernel":...}   first
//   {"step":N, "at":NS, "in":KIND, ...}      something entered when the scheduler had taken N
//   steps,
//                                            NS nanoseconds after the start; all that enters at one
//                                            step does so before anybody runs
//   {"errand":N}                             a fiber waits for a helper, until {"in":"done",
//                                            "errand":N}
//   {"asks":WHAT, "of":[...], "is":..., "gives":...}  a fiber asked the disk or a process
//   {"out":KIND, ...}                        the model answers somebody
//   {"traced":N, "sha256":...}               the tracepoints since the last of these
//   {"end":KIND, ...}                        last, if the server ended by itself
//
// Contents of files stand there as a length and a hash: the model does not look at them.
//
// Thread rules: the host's thread. Lifetime: the Tape outlives the host.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "kernelmodel/ports/scheduler.h"
#include "sim/result.h"

namespace coldread::sim {
struct RunEnd;
}

namespace coldread::fuse {

using Json = nlohmann::ordered_json;

struct Errand;

// Whether bytes are all there again when a recording is played, or their number alone.
enum class Contents : uint8_t { known, unknown };

class Tape {
 public:
  enum class Mode : uint8_t { off, recording, playing };

  Tape() = default;
  virtual ~Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  Mode mode() const { return mode_; }
  bool on() const { return mode_ != Mode::off; }
  bool playing() const { return mode_ == Mode::playing; }

  // What `function` answers: a number, a bool or a string. It may wait for helpers; played, it is
  // not called. `of`, numbers and strings, is what it depends on.
  template <typename Function, typename... Of>
  auto ask(const char* what, Function function, const Of&... of) {
    Nothing none;
    return ask_for(none, what, function, of...);
  }

  // The same, and unless the answer is negative it fills `gives`: anything with to_json() and
  // from_json(), or Bytes or Copied.
  template <typename Gives, typename Function, typename... Of>
  auto ask_for(Gives& gives, const char* what, Function function, const Of&... of) {
    using Answer = decltype(function());
    if (!on()) [[likely]]
      return function();
    Answer answer{};
    if (playing())
      catch_up();
    else
      answer = function();
    if (!exchange(what, answer, gives, of...)) give_up();
    return answer;
  }

  // Memory of which an answer of N fills the first N bytes.
  struct Bytes {
    std::span<std::byte> memory;
  };

  // The same, filled whole by an answer that is not negative. Of more than kWhole bytes only the
  // length is kept.
  struct Copied {
    std::span<std::byte> memory;
  };

  // Somebody is answered. Only if on().
  virtual void say(const Json&) {}

  // --- for the host ---

  // `text`: the members that say what it is, without braces. In the order in which it enters.
  virtual void enters(uint64_t, TimeNs, std::string_view) {}
  // On a fiber, before it waits for it.
  virtual void errand_begins(Errand&) {}
  // Nobody can go on.
  virtual void turn_ends() {}
  virtual void ends(const sim::RunEnd&) {}
  virtual void traced(std::string_view) {}

 protected:
  explicit Tape(Mode mode) : mode_(mode) {}

  // Playing: makes the errands that come next, as the fiber that asked did.
  virtual void catch_up() {}
  // Writes the line down, or compares it with the next as far as it goes and puts that into its
  // place: false if they differ.
  virtual bool pass(Json&) { return true; }
  // Playing: how an answer could not be had. Does not return to a fiber.
  virtual void give_up() {}

 private:
  // All that owns memory has gone when this returns.
  template <typename Answer, typename Gives, typename... Of>
  bool exchange(const char* what, Answer& answer, Gives& gives, const Of&... of);

  const Mode mode_ = Mode::off;
};

// As a line of a recording; bytes that are no UTF-8 are lost.
std::string text_of(const Json& line);
// The members of an object without its braces: what Tape::enters() wants.
std::string members_of(const Json& object);

// --- bytes --------------------------------------------------------------------------------------

// {"text": ...}, {"hex": ...}: all of it, if it is known and has at most kWhole bytes; else
// {"length": N, "fill": BYTE} or {"length": N, "sha256": ...}.
inline constexpr size_t kWhole = 4096;
Json bytes_json(std::span<const std::byte> bytes, Contents contents);
// How many bytes it stands for; false if it is none of these, or they are more than kLargest.
inline constexpr size_t kLargest = size_t{16} << 20;
bool bytes_length(const Json& json, size_t* length);
// As far as they are known, else zeros.
void restore_bytes(const Json& json, std::span<std::byte> bytes);

// Names, which are any bytes, as scenario::key_text() writes them; and back.
Json name_json(std::string_view name);
std::string name_from(const Json& json);  // throws Json::exception

// --- how answers are written --------------------------------------------------------------------

template <typename T>
Json argument_json(const T& argument) {
  if constexpr (std::is_convertible_v<T, std::string_view>) return name_json(argument);
  if constexpr (std::is_same_v<T, std::span<const std::byte>>)
    return bytes_json(argument, Contents::known);
  if constexpr (std::is_arithmetic_v<T>) return argument;
}

// What an answer has filled.
template <typename Answer>
std::span<std::byte> filled(const Tape::Bytes& bytes, Answer answer) {
  const size_t size = answer > 0 ? static_cast<size_t>(answer) : 0;
  return bytes.memory.first(std::min(size, bytes.memory.size()));
}
template <typename Answer>
std::span<std::byte> filled(const Tape::Copied& copied, Answer answer) {
  return copied.memory.first(answer >= 0 ? copied.memory.size() : 0);
}

template <typename Answer, typename Gives, typename... Of>
bool Tape::exchange(const char* what, Answer& answer, Gives& gives, const Of&... of) {
  constexpr bool kBytes = std::is_same_v<Gives, Bytes> || std::is_same_v<Gives, Copied>;
  // As much of them as the answer says, which is negative if there is nothing.
  Json line;
  line["asks"] = what;
  if constexpr (sizeof...(of) > 0) line["of"] = Json::array({argument_json(of)...});
  if (!playing()) {
    line["is"] = answer;
    if constexpr (kBytes) {
      line["gives"] = bytes_json(filled(gives, answer), Contents::known);
    } else if constexpr (!std::is_empty_v<Gives>) {
      if (answer >= Answer{}) line["gives"] = gives;
    }
    return pass(line);
  }
  if (!pass(line)) return false;
  try {
    line.at("is").get_to(answer);
    if constexpr (kBytes) {
      restore_bytes(line.at("gives"), filled(gives, answer));
    } else if constexpr (!std::is_empty_v<Gives>) {
      if (answer >= Answer{}) line.at("gives").get_to(gives);
    }
  } catch (const Json::exception&) {
    return false;
  }
  return true;
}

}  // namespace coldread::fuse
