#include "sim/scenario/scenario.h"

#include <algorithm>

namespace coldread::scenario {

const char* verb_name(Verb verb) {
  switch (verb) {
    case Verb::open:
      return "open";
    case Verb::command:
      return "command";
    case Verb::copen:
      return "copen";
    case Verb::read_message:
      return "read_message";
    case Verb::poll:
      return "poll";
    case Verb::close:
      return "close";
    case Verb::write:
      return "write";
    case Verb::pwrite:
      return "pwrite";
    case Verb::lseek:
      return "lseek";
    case Verb::complete:
      return "complete";
    case Verb::serve:
      return "serve";
    case Verb::dup:
      return "dup";
    case Verb::fork:
      return "fork";
    case Verb::end_child:
      return "end_child";
    case Verb::send_fd:
      return "send_fd";
    case Verb::receive_fd:
      return "receive_fd";
    case Verb::ioctl:
      return "ioctl";
    case Verb::pread:
      return "pread";
    case Verb::fsync:
      return "fsync";
    case Verb::ftruncate:
      return "ftruncate";
    case Verb::fallocate:
      return "fallocate";
    case Verb::mmap:
      return "mmap";
    case Verb::fcntl:
      return "fcntl";
    case Verb::chdir:
      return "chdir";
    case Verb::limit:
      return "limit";
    case Verb::signal:
      return "signal";
    case Verb::acquire_volume:
      return "acquire_volume";
    case Verb::relinquish_volume:
      return "relinquish_volume";
    case Verb::acquire_cookie:
      return "acquire_cookie";
    case Verb::relinquish_cookie:
      return "relinquish_cookie";
    case Verb::use_cookie:
      return "use_cookie";
    case Verb::unuse_cookie:
      return "unuse_cookie";
    case Verb::update_cookie:
      return "update_cookie";
    case Verb::invalidate:
      return "invalidate";
    case Verb::resize:
      return "resize";
    case Verb::note_page_release:
      return "note_page_release";
    case Verb::begin_operation:
      return "begin_operation";
    case Verb::end_operation:
      return "end_operation";
    case Verb::prepare_read:
      return "prepare_read";
    case Verb::cache_read:
      return "cache_read";
    case Verb::cache_write:
      return "cache_write";
    case Verb::prepare_write:
      return "prepare_write";
    case Verb::query_occupancy:
      return "query_occupancy";
    case Verb::write_to_cache:
      return "write_to_cache";
    case Verb::read:
      return "read";
    case Verb::disk:
      return "disk";
    case Verb::inject:
      return "inject";
    case Verb::sleep:
      return "sleep";
    case Verb::barrier:
      return "barrier";
    case Verb::settle:
      return "settle";
    case Verb::kill:
      return "kill";
  }
  return "?";
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
