#include "sim/scenario/scenario.h"

#include <algorithm>

namespace coldread::scenario {

namespace {

struct VerbName {
  Verb verb;
  const char* name;
};
constexpr VerbName kVerbNames[] = {
    {Verb::open, "open"},
    {Verb::command, "command"},
    {Verb::copen, "copen"},
    {Verb::read_message, "read_message"},
    {Verb::poll, "poll"},
    {Verb::close, "close"},
    {Verb::write, "write"},
    {Verb::pwrite, "pwrite"},
    {Verb::lseek, "lseek"},
    {Verb::complete, "complete"},
    {Verb::serve, "serve"},
    {Verb::dup, "dup"},
    {Verb::fork, "fork"},
    {Verb::end_child, "end_child"},
    {Verb::send_fd, "send_fd"},
    {Verb::receive_fd, "receive_fd"},
    {Verb::ioctl, "ioctl"},
    {Verb::pread, "pread"},
    {Verb::fsync, "fsync"},
    {Verb::ftruncate, "ftruncate"},
    {Verb::fallocate, "fallocate"},
    {Verb::mmap, "mmap"},
    {Verb::fcntl, "fcntl"},
    {Verb::chdir, "chdir"},
    {Verb::limit, "limit"},
    {Verb::signal, "signal"},
    {Verb::acquire_volume, "acquire_volume"},
    {Verb::relinquish_volume, "relinquish_volume"},
    {Verb::acquire_cookie, "acquire_cookie"},
    {Verb::relinquish_cookie, "relinquish_cookie"},
    {Verb::use_cookie, "use_cookie"},
    {Verb::unuse_cookie, "unuse_cookie"},
    {Verb::update_cookie, "update_cookie"},
    {Verb::invalidate, "invalidate"},
    {Verb::resize, "resize"},
    {Verb::note_page_release, "note_page_release"},
    {Verb::unload, "unload"},
    {Verb::begin_operation, "begin_operation"},
    {Verb::end_operation, "end_operation"},
    {Verb::prepare_read, "prepare_read"},
    {Verb::cache_read, "cache_read"},
    {Verb::cache_write, "cache_write"},
    {Verb::prepare_write, "prepare_write"},
    {Verb::query_occupancy, "query_occupancy"},
    {Verb::write_to_cache, "write_to_cache"},
    {Verb::issue_write, "issue_write"},
    {Verb::read, "read"},
    {Verb::disk, "disk"},
    {Verb::inject, "inject"},
    {Verb::fault, "fault"},
    {Verb::proc, "proc"},
    {Verb::sleep, "sleep"},
    {Verb::barrier, "barrier"},
    {Verb::settle, "settle"},
    {Verb::kill, "kill"},
};

// So that a verb finds its name by its number.
constexpr bool in_order() {
  size_t index = 0;
  for (const VerbName& entry : kVerbNames) {
    if (static_cast<size_t>(entry.verb) != index++) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const char* verb_name(Verb verb) {
  return kVerbNames[static_cast<size_t>(verb)].name;
}

const std::vector<std::string>& allocations() {
  static const std::vector<std::string> kNames = {"cache", "request", "request_id", "object_id",
                                                  "file",  "read",    "write"};
  return kNames;
}

const std::vector<std::string>& store_calls() {
  static const std::vector<std::string> kCalls = {
      "path_lookup", "lookup",   "mkdir",      "tmpfile",    "link",     "unlink",    "rename",
      "getattr",     "truncate", "punch_hole", "zero_range", "getxattr", "setxattr",  "removexattr",
      "seek",        "read",     "write",      "statfs",     "sync",     "operations"};
  return kCalls;
}

std::string hex_text(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

std::string key_text(std::span<const std::byte> key) {
  const std::string text(reinterpret_cast<const char*>(key.data()), key.size());
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return printable && !text.starts_with("hex:") ? text : "hex:" + hex_text(key);
}

}  // namespace coldread::scenario
