// The canonical, time-free record of one run: what every call answered, and what was left behind.
//
// Both kernels' runs end in one of these, the modelled and the real one; verdicts (check.h) are made
// from it and two of them are compared byte for byte. Nothing in it depends on timing, addresses,
// process ids or directories. Plain data.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sim/result.h"

namespace coldread::player {

// A broken invariant or a hang, as the run that met it describes it.
struct RunReport {
  std::string kind;                  // report_kind_name(): "hang", "use-after-free" ...
  std::string text;                  // one sentence
  std::vector<std::string> details;  // what each waiting task waits for, histories; not compared
};

// One finished (or begun and never finished) step. The JSON object holds, in this order of meaning:
//   "step"    the step's JSON pointer
//   "do"      the verb
//   "ret"     the call's result >= 0, or "errno": "ENOBUFS"; neither if it never came back
//   "waits"   true: the call had not come back when the run ended
//   "message" read_message in on-demand mode: {"op","id","object","len", OPEN: "volume","cookie","fd",
//             "flags"; READ: "off","length"} ("cookie" as text, or "hex:..." if it is not printable)
//   "text"    read_message in classic mode
//   "events"  poll: ["in","out"]
//   "source", "length", "flags" ["ondemand","copy_to_cache"]   prepare_read
//   "data"    reads: {"length": N, "sha256": "..."}
//   "slices"  read: [{"source","offset","length"}], one for every prepare_read
//   "messages" serve: every message served, as above
//   "skipped" why the step could not be made at all (it names a message that never came)
//   "seq"     order of completion over all tasks; left out of comparisons
using Record = nlohmann::json;

struct Transcript {
  std::string kernel;                                 // the profile's name, or the release that ran
  std::map<std::string, std::vector<Record>> tasks;   // by task name
  // {"cache/Ikey/@dd/Dname": {"type","mode","size","xattr","data": [[from,to]...]}, ...}; fan-out
  // directories appear as one number, "fanout": 256, of the volume's; null: not looked at.
  nlohmann::json disk;
  std::optional<RunReport> report;

  // All messages read from the device, in the order in which they were read.
  std::vector<nlohmann::json> messages() const;

  nlohmann::json to_json() const;        // whole
  nlohmann::json canonical() const;      // what comparisons see: without seq, details and kernel
  static Result<Transcript> from_json(const nlohmann::json& json);
};

std::string errno_name(int64_t negative_errno);   // -105 -> "ENOBUFS"
std::optional<int> errno_number(std::string_view name);

}  // namespace coldread::player
