// The canonical, time-free record of one run: what every call answered, and what was left behind.
//
// Both kernels' runs end in one of these, the modelled and the real one; verdicts (check.h) are
// made from it and two of them are compared byte for byte. Nothing in it depends on timing,
// addresses, process ids or directories. Plain data, without thread rules; free functions share
// nothing.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sim/result.h"
#include "sim/scenario/errno_names.h"

namespace coldread::player {

// A broken invariant or a hang, as the run that met it describes it.
struct RunReport {
  std::string kind;                  // report_kind_name(): "hang", "use-after-free" ...
  std::string text;                  // one sentence
  std::vector<std::string> details;  // what each waiting task waits for, histories; not compared
};

// One finished (or begun and never finished) step. The JSON object holds:
// clang-format off
//   "step"      the step's JSON pointer
//   "do"        the verb
//   "ret"       the call's result >= 0, or "errno": "ENOBUFS"; neither if it never came back. A
//               command counts "{CACHE}" as it stands in the scenario, whatever the directory's
//               length; poll answers 1, or 0 for a timeout; serve 0
//   "asked"     command, read: what "ret" is if all went well
//   "waits"     true: the call had not come back when the run ended (mark_waiting())
//   "message"   read_message in on-demand mode: {"op", "id", "object", "len"}, and of an OPEN
//               "volume", "cookie" (both as scenario::key_text() shows them), "fd", "flags"; of a
//               READ "off", "length"
//   "text"      read_message in classic mode
//   "events"    poll: ["in", "out"]
//   "offset"    prepare_write, query_occupancy; with "length"
//   "source"    prepare_read; with "length" and "flags": ["ondemand", "copy_to_cache"]
//   "data"      read, cache_read: {"length": N, "sha256": "..."}
//   "slices"    read: [{"source", "offset", "length"}], one for every prepare_read; "copy": the
//               errno, if writing a download to the cache failed
//   "entry"     disk, op look: as in Transcript::disk; of a directory "entries": N
//   "lines"     proc: the file's lines; a pending timer of the statistics is " at=*"
//   "messages"  serve: every message served, as above, each with its own "seq"
//   "skipped"   why the step could not be made at all (it names a message that never came)
//   "seq"       order over all tasks in which calls came back; left out of comparisons
// clang-format on
using Record = nlohmann::json;

struct Transcript {
  std::string kernel;                                // the profile's name, or the release that ran
  std::map<std::string, std::vector<Record>> tasks;  // by task name
  // What the cache's directory holds, by path; null: not looked at.
  // clang-format off
  //   "cache/Ikey/@dd/Dname"  {"type": "file", "mode": "0600", "xattr": "00ff...", "size": N,
  //                           "data": [[from, to], ...]}: bytes, `to` exclusive
  //   "cache/Ikey"            {"type": "directory", "mode": "0700", "xattr": "00ff...",
  //                           "fanout": 256}: how many fan-out directories, listed nowhere else
  //   "graveyard"             {"entries": N}
  // clang-format on
  // "xattr" is user.CacheFiles.cache in hex, null if there is none.
  nlohmann::json disk;
  // Trace events in order, "name: fields"; none: not traced. See comparable() for what is compared.
  std::optional<std::vector<std::string>> events;
  std::optional<RunReport> report;

  // All messages read from the device, in the order in which they were read.
  std::vector<nlohmann::json> messages() const;

  nlohmann::json to_json() const;  // whole
  // What comparisons see: without "seq", kernel, events and the wording of the report. Of a call
  // that never came back only what is certain: which it was, whether it waits, messages served
  // until then.
  nlohmann::json canonical() const;
  // The inverse of to_json(). An error names the JSON pointer and what was expected.
  static Result<Transcript> from_json(const nlohmann::json& json);
};

// Marks the last record as waiting if its call has not come back: for tasks that were not killed.
void mark_waiting(std::vector<Record>& records);
bool came_back(const Record& record);  // it has "ret", "errno" or "skipped"

using coldread::errno_name;
using coldread::errno_number;

}  // namespace coldread::player
