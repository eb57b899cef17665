// What a task writes down of its steps: records for a transcript, or, while only outcomes are told
// apart, a number that stands for them.
//
// Two plays have the same outcome() if their records would be the same in Transcript::canonical(),
// and, but for a chance of 2^-64, only then. Thread rules: those of the TaskPlayer it belongs to.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sim/outcome_hash.h"
#include "sim/player/message.h"
#include "sim/player/syscalls.h"
#include "sim/player/transcript.h"
#include "sim/sha256.h"

namespace coldread::player {

enum class Keep : uint8_t { records, outcomes };

class Notes {
 public:
  explicit Notes(Keep keep) : sha256_(keep == Keep::records ? new Sha256 : nullptr) {}

  bool keeps_records() const { return sha256_ != nullptr; }

  // A record, without its result; it has come back when end() was called.
  void begin(const scenario::Step& step);
  void end(int64_t ret, uint64_t seq);

  // Members of the record under way, by their names in transcript.h.
  void skip(std::string reason);
  bool skipped() const { return skipped_; }
  void number(const char* member, uint64_t value);
  void value(const char* member, const nlohmann::json& value);
  void source(const PrepareResult& found);
  void message(const Message& message);
  void poll_events(uint32_t events);
  void begin_served();
  void served(const Message& message, uint64_t seq);
  size_t served_count() const { return served_count_; }
  void begin_slices();
  void slice(uint64_t offset, const PrepareResult& found);
  void copy_failed(int64_t error);  // of the last slice

  // "data": begin_data(), the bytes piece by piece, and how many they are.
  void begin_data();
  void add_data(std::span<const std::byte> bytes);
  void end_data(uint64_t length);

  // The last may lack "ret": its call has not come back (mark_waiting()).
  const std::vector<Record>& records() const { return records_; }
  std::vector<Record>& records() { return records_; }
  // `waits`: what did not come back counts as waiting.
  uint64_t outcome(bool waits) const;

 private:
  Record& current() { return records_.back(); }
  void mix_message(OutcomeHash& hash, const Message& message);

  std::unique_ptr<Sha256> sha256_;  // null: outcomes only
  std::vector<Record> records_;
  bool skipped_ = false;
  size_t served_count_ = 0;

  OutcomeHash done_;     // of the records that came back
  OutcomeHash begun_;    // of the one under way: what is certain even if it never comes back
  OutcomeHash pending_;  // the rest of it
  OutcomeHash data_;
  bool under_way_ = false;
};

}  // namespace coldread::player
