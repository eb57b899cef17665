// One line after the other.
#include "fuse/record/playback.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>

#include "fuse/host/errand.h"
#include "sim/scheduler/scheduler.h"

namespace coldread::fuse {
namespace {

// The first line of a file, as far as one may be a header; null: it is no JSON.
Json first_line(const std::string& path) {
  constexpr std::streamsize kLongest = 4096;
  std::ifstream file(path);
  std::string line(kLongest, '\0');
  file.getline(line.data(), kLongest);
  line.resize(std::strlen(line.c_str()));
  return Json::parse(line, nullptr, /*allow_exceptions=*/false);
}

bool says_recording(const Json& header) {
  return header.is_object() && header.contains("coldread") && header["coldread"] == "recording";
}

// Contents that are not there again: as long as recorded is as good as it gets.
void accept_contents(Json& line, const Json& recorded) {
  size_t length = 0, recorded_length = 0;
  const auto found = line.find("contents");
  if (found == line.end() || !recorded.is_object() || !recorded.contains("contents")) return;
  if (bytes_length(*found, &length) && bytes_length(recorded["contents"], &recorded_length) &&
      length == recorded_length)
    *found = recorded["contents"];
}

}  // namespace

bool Playback::is_recording(const std::string& path) {
  return says_recording(first_line(path));
}

Result<std::unique_ptr<Playback>> Playback::open(const std::string& path) {
  std::unique_ptr<Playback> playback(new Playback(path));
  if (!playback->file_) return Error{fmt::format("{}: {}", path, std::strerror(errno))};
  const Status read = playback->read_header(path);
  if (!read) return Error{read.error()};
  return playback;
}

Status Playback::read_header(const std::string& path) {
  const Json* header = next();
  if (header == nullptr || !says_recording(*header))
    return Error{path + ":1: expected the header of a recording"};
  try {
    const int version = header->at("version").get<int>();
    if (version != kRecordingVersion)
      return Error{fmt::format("{}:1: a recording of version {}; expected {}", path, version,
                               kRecordingVersion)};
    header->at("program").get_to(header_.program);
    header->at("kernel").get_to(header_.kernel);
    header->at("realtime").get_to(header_.realtime);
  } catch (const Json::exception&) {
    return Error{path + ":1: expected \"version\", \"program\", \"kernel\" and \"realtime\""};
  }
  advance();
  return Nothing{};
}

const Json* Playback::next() {
  if (finding_) return nullptr;
  if (have_) return &parsed_;
  if (!std::getline(file_, text_)) return nullptr;
  if (file_.eof()) {  // no newline: the server died while it wrote
    cut_short_ = true;
    return nullptr;
  }
  line_++;
  have_ = true;
  parsed_ = Json::parse(text_, nullptr, /*allow_exceptions=*/false);
  if (parsed_.is_object()) return &parsed_;
  malformed("expected a JSON object");
  return nullptr;
}

void Playback::advance() {
  have_ = false;
}

void Playback::find(Finding::Kind kind, std::string got) {
  if (!finding_) finding_ = Finding{kind, line_, have_ ? text_ : std::string(), std::move(got)};
}

void Playback::differs(std::string got) {
  find(Finding::Kind::differs, std::move(got));
}

void Playback::malformed(std::string why) {
  find(Finding::Kind::malformed, std::move(why));
}

// --- what the model says ------------------------------------------------------------------------

void Playback::say(const Json& said) {
  Json line = said;
  const Json* recorded = next();
  if (recorded == nullptr) return find(Finding::Kind::ran_out, {});
  accept_contents(line, *recorded);
  if (line != *recorded) return differs(text_of(line));
  advance();
  if (on_say) on_say(line);
}

void Playback::traced(std::string_view line) {
  events_++;
  digest_.add(std::as_bytes(std::span(line)));
  if (on_trace) on_trace(line);
}

void Playback::turn_ends() {
  if (events_ == 0) return;
  say({{"traced", events_}, {"sha256", digest_.hex()}});
  digest_.restart();
  events_ = 0;
}

// --- what it asks -------------------------------------------------------------------------------

bool Playback::pass(Json& line) {
  const Json* recorded = next();
  if (recorded == nullptr) {
    find(Finding::Kind::ran_out, {});
    return false;
  }
  for (const char* key : {"asks", "of"}) {
    if (recorded->value(key, Json()) != line.value(key, Json())) {
      differs(text_of(line));
      return false;
    }
  }
  line = *recorded;
  advance();
  return true;
}

void Playback::catch_up() {
  for (const Json* line = next(); line != nullptr && line->contains("errand") && line->size() == 1;
       line = next()) {
    const Json& number = (*line)["errand"];
    if (!number.is_number_unsigned() || scheduler_->current() == nullptr)
      return malformed("nobody can wait for this errand");
    Errand errand;
    errand.number = number.get<uint64_t>();
    errand.task = scheduler_->current();
    if (!errands_.emplace(errand.number, &errand).second)
      return malformed("this errand is under way already");
    advance();
    while (!errand.done) scheduler_->block(kWaitsForHelper);
  }
}

void Playback::errand_begins(Errand&) {
  differs("a call that may block, which nothing is recorded of");
  give_up();
}

void Playback::errand_ends(uint64_t number) {
  const auto found = errands_.find(number);
  if (found == errands_.end()) return malformed("no such errand is under way");
  Errand& errand = *found->second;
  errands_.erase(found);
  errand.done = true;
  scheduler_->wake(*errand.task);
}

void Playback::give_up() {
  if (!finding_) malformed("not what such an answer looks like");
  if (running_) scheduler_->broken(ReportKind::none, "the recording does not go on");
}

}  // namespace coldread::fuse
