#include "sim/player/player.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sim/scenario/references.h"

namespace coldread::player {

using scenario::Step;
using scenario::Verb;

namespace {

constexpr std::string_view kCachePlaceholder = "{CACHE}";

ObjectUpdate update_of(const Step& step) {
  return {step.aux, step.new_size ? &*step.new_size : nullptr};
}

uint64_t message_field(const Message& message, std::string_view field) {
  if (field == "id") return message.msg_id;
  if (field == "object") return message.object_id;
  if (field == "fd") return static_cast<uint32_t>(message.fd);
  return field == "off" ? message.off : message.length;
}

// Readable text as it is; anything else, which no kernel sends, in hex.
std::string state_text(std::span<const std::byte> data) {
  return scenario::key_text(data);
}

}  // namespace

const char* source_name(Source source) {
  switch (source) {
    case Source::unknown:
      return "UNKNOWN";
    case Source::fill_with_zeroes:
      return "FILL_WITH_ZEROES";
    case Source::download_from_server:
      return "DOWNLOAD_FROM_SERVER";
    case Source::read_from_cache:
      return "READ_FROM_CACHE";
    case Source::invalid_read:
      return "INVALID_READ";
  }
  return "UNKNOWN";
}

TaskPlayer::TaskPlayer(const scenario::Scenario& scenario, size_t task, Syscalls& syscalls,
                       ProcessState& process, OnRecord on_record, Keep keep)
    : scenario_(scenario),
      task_(scenario.tasks[task]),
      syscalls_(syscalls),
      process_(process),
      on_record_(std::move(on_record)),
      notes_(keep) {}

void TaskPlayer::play() {
  bool setup_done = scenario_.setup_turns == 0;
  for (const Step& step : task_.steps) {
    if (step.setup_turn >= 0) {
      syscalls_.await_setup_turn(step.setup_turn);
      play_step(step);
      syscalls_.end_setup_turn(step.setup_turn);
      continue;
    }
    if (!setup_done) syscalls_.await_setup_turn(scenario_.setup_turns);
    setup_done = true;
    play_step(step);
  }
}

void TaskPlayer::play_step(const Step& step) {
  notes_.begin(step);
  tell();
  const int64_t ret = execute(step);
  notes_.end(ret, syscalls_.next_sequence());
  tell();
}

void TaskPlayer::tell() {
  if (on_record_ && !records().empty()) on_record_(records().size() - 1, records().back());
}

int64_t TaskPlayer::execute(const Step& step) {
  switch (step.verb) {
    case Verb::open:
      return do_open(step);
    case Verb::command:
      return do_command(step);
    case Verb::copen:
      return do_copen(step);
    case Verb::read_message:
      return do_read_message(step);
    case Verb::poll:
      return do_poll(step);
    case Verb::close:
      return find_fd(step.fd) ? syscalls_.close(fd_) : 0;
    case Verb::write:
    case Verb::pwrite:
      return do_write(step);
    case Verb::lseek:
      return find_fd(step.fd) ? syscalls_.lseek(fd_, static_cast<int64_t>(step.offset), step.whence)
                              : 0;
    case Verb::complete:
      return do_complete(step);
    case Verb::serve:
      return do_serve(step);
    case Verb::disk:
      return do_disk(step);
    case Verb::inject:
      return step.memory == Allocation::none ? syscalls_.inject(step.flags)
                                             : syscalls_.fail_allocation(step.memory);
    case Verb::fault:
      return syscalls_.fault(step.fault);
    case Verb::proc:
      return do_proc(step);
    case Verb::sleep:
      syscalls_.sleep_ms(static_cast<uint64_t>(step.timeout_ms));
      return 0;
    case Verb::barrier:
      syscalls_.barrier(step.barrier);
      return 0;
    case Verb::settle:
      syscalls_.settle();
      return 0;
    case Verb::kill:
      return syscalls_.kill(step.process);
    default:
      return step.verb >= Verb::dup && step.verb <= Verb::signal ? execute_process(step)
                                                                 : execute_netfs(step);
  }
}

int64_t TaskPlayer::execute_netfs(const Step& step) {
  switch (step.verb) {
    case Verb::acquire_volume:
      return syscalls_.acquire_volume(step.volume);
    case Verb::relinquish_volume:
      return syscalls_.relinquish_volume(step.volume, step.aux, step.invalidate);
    case Verb::acquire_cookie:
      return syscalls_.acquire_cookie(step.cookie);
    case Verb::relinquish_cookie:
      return syscalls_.relinquish_cookie(step.cookie, step.retire);
    case Verb::use_cookie:
      return syscalls_.use_cookie(step.cookie, step.modify);
    case Verb::unuse_cookie:
      return syscalls_.unuse_cookie(step.cookie, update_of(step));
    case Verb::update_cookie:
      return syscalls_.update_cookie(step.cookie, update_of(step));
    case Verb::invalidate:
      return syscalls_.invalidate(step.cookie, update_of(step), step.direct_write);
    case Verb::resize:
      return syscalls_.resize(step.cookie, step.new_size.value_or(0));
    case Verb::note_page_release:
      return syscalls_.note_page_release(step.cookie);
    case Verb::unload:
      return syscalls_.unload();
    default:
      return execute_io(step);
  }
}

bool TaskPlayer::find_fd(const std::string& name) {
  const std::lock_guard guard(process_.lock);
  const auto found = process_.fds.find(name);
  if (found == process_.fds.end()) {
    notes_.skip("no file \"" + name + "\"");
    return false;
  }
  fd_ = found->second;
  return true;
}

bool TaskPlayer::find_message(const std::string& name) {
  const std::lock_guard guard(process_.lock);
  const auto found = process_.messages.find(name);
  if (found == process_.messages.end()) {
    notes_.skip("no message \"" + name + "\"");
    return false;
  }
  message_ = found->second;
  return true;
}

// text_ := the command with its placeholders filled in.
bool TaskPlayer::expand_text(const Step& step) {
  if (step.raw_text) {
    text_ = step.text;
    return true;
  }
  const std::lock_guard guard(process_.lock);
  const auto use = [this](std::string_view name, std::string_view field) -> std::string {
    if (name.empty()) return process_.cache_directory;
    const auto found = process_.messages.find(std::string(name));
    if (found != process_.messages.end())
      return std::to_string(message_field(found->second, field));
    notes_.skip("no message \"" + std::string(name) + "\"");
    return "";
  };
  text_ = scenario::expand_placeholders(step.text, use).value_or(step.text);
  return !notes_.skipped();
}

int64_t TaskPlayer::do_open(const Step& step) {
  return name_fd(step.as, syscalls_.open_device(step.open_flags, step.capable));
}

std::span<std::byte> TaskPlayer::memory(const Step& step, uint64_t length) {
  return step.bad_buffer ? syscalls_.bad_memory(length) : buffer_.get(length);
}

int64_t TaskPlayer::do_command(const Step& step) {
  if (!find_fd(step.fd) || !expand_text(step)) return 0;
  const int64_t ret =
      syscalls_.write(fd_, step.bad_buffer ? std::span<const std::byte>(memory(step, text_.size()))
                                           : std::as_bytes(std::span(text_)));
  // Transcripts must not depend on the directory's name, so its placeholder is what counts.
  auto asked = static_cast<int64_t>(text_.size());
  int64_t shift = 0;
  for (size_t at = step.text.find(kCachePlaceholder); !step.raw_text && at != std::string::npos;
       at = step.text.find(kCachePlaceholder, at + 1))
    shift += static_cast<int64_t>(kCachePlaceholder.size()) -
             static_cast<int64_t>(process_.cache_directory.size());
  notes_.number("asked", static_cast<uint64_t>(asked + shift));
  return ret == asked ? ret + shift : ret;
}

int64_t TaskPlayer::do_copen(const Step& step) {
  if (!find_fd(step.fd)) return 0;
  if (!step.id && !find_message(step.message)) return 0;
  text_ = "copen " + std::to_string(step.id.value_or(message_.msg_id)) + "," +
          std::to_string(step.answer.value_or(0));
  notes_.number("asked", text_.size());
  return syscalls_.write(fd_, std::as_bytes(std::span(text_)));
}

void TaskPlayer::remember(const Message& message) {
  if (message.opcode != kOpOpen) return;
  ProcessState::ObjectFile& file = process_.objects[message.object_id];
  file.fd = message.fd;
  file.cookie_key = message.cookie_key;
}

int64_t TaskPlayer::do_read_message(const Step& step) {
  if (!find_fd(step.fd)) return 0;
  const int64_t ret = syscalls_.read(fd_, memory(step, step.buffer_size));
  if (ret <= 0) return ret;
  const auto data = buffer_.current().first(static_cast<size_t>(ret));
  const auto message = decode_message(data);
  if (!message) {
    notes_.value("text", state_text(data));
    return ret;
  }
  notes_.message(*message);
  const std::lock_guard guard(process_.lock);
  process_.messages[step.as] = *message;
  if (message->opcode == kOpOpen) process_.fds[step.as] = message->fd;
  remember(*message);
  return ret;
}

int64_t TaskPlayer::do_poll(const Step& step) {
  if (!find_fd(step.fd)) return 0;
  const int64_t ret = syscalls_.poll(fd_, step.events, step.timeout_ms, /*until_quiet=*/false);
  if (ret < 0) return ret;
  notes_.poll_events(static_cast<uint32_t>(ret));
  return ret == 0 ? 0 : 1;
}

void TaskPlayer::load_blob(int blob, uint64_t offset, uint64_t length, uint32_t misalign) {
  const std::span<std::byte> to = buffer_.get(length + misalign).subspan(misalign);
  const auto& bytes = scenario_.blobs[static_cast<size_t>(blob)].bytes;
  const uint64_t from = std::min<uint64_t>(offset, bytes.size());
  const uint64_t inside = std::min<uint64_t>(length, bytes.size() - from);
  std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(from), inside, to.begin());
  std::fill(to.begin() + static_cast<ptrdiff_t>(inside), to.end(), std::byte{0});
}

int64_t TaskPlayer::do_write(const Step& step) {
  if (!find_fd(step.fd)) return 0;
  load_blob(step.blob, step.blob_offset, step.length, step.misalign);
  const std::span<const std::byte> data =
      step.bad_buffer ? memory(step, step.length) : buffer_.current().subspan(step.misalign);
  return step.verb == Verb::write ? syscalls_.write(fd_, data)
                                  : syscalls_.pwrite(fd_, data, step.offset);
}

// fd_ and message_ := what READ_COMPLETE goes to and what it answers.
bool TaskPlayer::find_answered(const Step& step) {
  if (!step.id && !find_message(step.message)) return false;
  if (!step.fd.empty()) return find_fd(step.fd);
  const std::lock_guard guard(process_.lock);
  const auto found = process_.objects.find(message_.object_id);
  if (found == process_.objects.end()) {
    notes_.skip("no file of object " + std::to_string(message_.object_id));
    return false;
  }
  fd_ = found->second.fd;
  return true;
}

int64_t TaskPlayer::do_complete(const Step& step) {
  if (!find_answered(step)) return 0;
  return syscalls_.ioctl(fd_, kReadComplete, step.id.value_or(message_.msg_id));
}

}  // namespace coldread::player
