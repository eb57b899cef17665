// The ready-made daemon: serves blobs until nothing more can come; well, unless it is told to be a
// bad one.
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "sim/player/player.h"

namespace coldread::player {

using scenario::Step;

namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kMessageBuffer = 1024;  // what the kernel's header recommends
constexpr uint32_t kObjectGone = UINT32_MAX;
constexpr uint32_t kNoSuchId = UINT32_MAX;
// What explorations choose among.
enum class Behaviour : uint8_t { well, late, twice, never, crash };
constexpr int64_t kBehaviours = 5;
constexpr uint64_t kLateMs = 1'000;       // everybody else gets as far as they can
constexpr int64_t kPatienceMs = 600'000;  // of a daemon that withheld an answer
// Refused by every kernel, without harm.
constexpr std::string_view kNonsense[] = {"hello", "copen", "copen 0", "copen -1,0",
                                          "copen 4294967295,4096"};

int blob_of(const Step& step, std::span<const std::byte> cookie_key) {
  const std::string key = scenario::key_text(cookie_key);
  for (const auto& [name, blob] : step.serve.blobs)
    if (name == key) return blob;
  return -1;
}

}  // namespace

// Answers 0, or the first error of a call that a daemon expects to succeed; it goes on all the
// same, since a daemon that stops leaves its readers waiting. Only the device's own errors end it.
int64_t TaskPlayer::do_serve(const Step& step) {
  if (!find_fd(step.fd)) return 0;
  const int device = fd_;
  int64_t first_error = step.serve.restore ? say("restore") : 0;
  may_close_fd_ = true;
  withheld_ = false;
  notes_.begin_served();
  while (notes_.served_count() < step.serve.stop_after) {
    const int64_t ready = wait_for_message(device);
    if (ready == -EINTR) continue;
    if (ready <= 0) return ready < 0 ? ready : first_error;
    const int64_t ret = syscalls_.read(device, buffer_.get(kMessageBuffer));
    if (ret < 0) return ret;
    if (ret == 0) continue;
    if (auto decoded = decode_message(buffer_.current().first(static_cast<size_t>(ret))))
      message_ = std::move(*decoded);
    else
      return -EBADMSG;
    notes_.served(message_, syscalls_.next_sequence());
    fd_ = device;
    const int64_t served = serve_message(step);
    if (first_error == 0) first_error = served;
  }
  return first_error;
}

// A daemon that withheld an answer goes away when no more comes, so that who waits for it gets an
// error.
int64_t TaskPlayer::wait_for_message(int device) {
  if (!withheld_) return syscalls_.poll(device, POLLIN, -1, /*until_quiet=*/true);
  const int64_t ready = syscalls_.poll(device, POLLIN, kPatienceMs, /*until_quiet=*/false);
  if (ready == 0) syscalls_.crash();
  return ready;
}

// Writes one command to fd_; 0 or the error.
int64_t TaskPlayer::say(std::string_view command) {
  text_ = command;
  return std::min<int64_t>(syscalls_.write(fd_, std::as_bytes(std::span(text_))), 0);
}

// What a daemon in its right mind never says; -EPROTO if any of it is taken.
int64_t TaskPlayer::talk_nonsense() {
  for (const std::string_view command : kNonsense) {
    if (say(command) == 0) return -EPROTO;
  }
  return syscalls_.ioctl(fd_, kReadComplete, kNoSuchId) < 0 ? 0 : -EPROTO;
}

// Answers message_, which came from fd_. 0 or the first error.
int64_t TaskPlayer::serve_message(const Step& step) {
  const scenario::Service& service = step.serve;
  if (message_.opcode == kOpOpen) {
    const std::lock_guard guard(process_.lock);
    remember(message_);
  }
  if (message_.opcode < service.ignore.size() && service.ignore[message_.opcode]) return 0;
  if (service.delay_ms != 0) syscalls_.sleep_ms(service.delay_ms);
  if (service.nonsense) {
    if (const int64_t ret = talk_nonsense(); ret < 0) return ret;
  }
  const int device = fd_;
  switch (static_cast<Behaviour>(syscalls_.choose(kBehaviours))) {
    case Behaviour::well:
      break;
    case Behaviour::late:
      syscalls_.sleep_ms(kLateMs);
      break;
    case Behaviour::twice:
      answer(step);
      fd_ = device;
      break;
    case Behaviour::never:
      withheld_ = true;
      return 0;
    case Behaviour::crash:
      syscalls_.crash();
      break;
  }
  return answer(step);
}

int64_t TaskPlayer::answer(const Step& step) {
  switch (message_.opcode) {
    case kOpOpen:
      return serve_open(step);
    case kOpRead:
      return serve_read(step);
    default:
      return serve_close();
  }
}

int64_t TaskPlayer::serve_open(const Step& step) {
  using CloseFd = scenario::Service::CloseFd;
  const CloseFd close_fd = may_close_fd_ ? step.serve.close_fd : CloseFd::never;
  may_close_fd_ = false;
  int64_t closed = 0;
  if (close_fd == CloseFd::before_copen) closed = syscalls_.close(message_.fd);
  const int blob = blob_of(step, message_.cookie_key);
  int64_t size = step.serve.refuse;
  if (size == 0)
    size = blob < 0 ? -ENOENT
                    : static_cast<int64_t>(scenario_.blobs[static_cast<size_t>(blob)].bytes.size());
  text_ = "copen " + std::to_string(message_.msg_id) + "," + std::to_string(size);
  const int64_t ret = syscalls_.write(fd_, std::as_bytes(std::span(text_)));
  if (close_fd == CloseFd::after_copen) closed = syscalls_.close(message_.fd);
  return std::min({ret, closed, int64_t{0}});
}

// Writes the wanted range in whole blocks, as far as the blob has any, and completes the READ.
int64_t TaskPlayer::serve_read(const Step& step) {
  int blob = -1;
  {
    const std::lock_guard guard(process_.lock);
    const auto found = process_.objects.find(message_.object_id);
    if (found == process_.objects.end()) return -EBADF;
    fd_ = found->second.fd;
    blob = blob_of(step, found->second.cookie_key);
  }
  const uint64_t size = blob < 0 ? 0 : scenario_.blobs[static_cast<size_t>(blob)].bytes.size();
  const uint64_t blob_end = (size + kPage - 1) / kPage * kPage;
  uint64_t position = message_.off / kPage * kPage;
  uint64_t end = blob_end;
  if (message_.off < blob_end && message_.length < blob_end - message_.off)
    end = (message_.off + message_.length + kPage - 1) / kPage * kPage;
  if (position < end) end = position + std::min(end - position, step.serve.fill);
  int64_t result = 0;
  while (position < end && result == 0) {
    const uint64_t length = std::min(end - position, scenario::kMaxCallBytes);
    load_blob(blob, position, length);
    const int64_t ret = syscalls_.pwrite(fd_, buffer_.current(), position);
    if (ret < 0 || static_cast<uint64_t>(ret) < length) result = ret < 0 ? ret : -EIO;
    position += length;
  }
  const int64_t ret = syscalls_.ioctl(fd_, kReadComplete, message_.msg_id);
  return result != 0 ? result : std::min<int64_t>(ret, 0);
}

int64_t TaskPlayer::serve_close() {
  {
    const std::lock_guard guard(process_.lock);
    const auto found = process_.objects.find(message_.object_id);
    if (message_.object_id == kObjectGone || found == process_.objects.end()) return 0;
    fd_ = found->second.fd;
    process_.objects.erase(found);
  }
  return syscalls_.close(fd_);
}

}  // namespace coldread::player
