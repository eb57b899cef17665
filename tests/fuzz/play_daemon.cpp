// What the daemon and its helper do in a hostile play: calls on the device and on the files that
// OPEN messages brought.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "tests/fuzz/play.h"

namespace coldread::fuzz {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kServedSize = uint64_t{1} << 20;

constexpr std::string_view kCommands[] = {
    "restore",
    "cull Ddemo",
    "inuse Ddemo",
    "cull Dblob0",
    "inuse nothing",
    "bind ondemand",
    "bind",
    "dir /cache-disk",
    "dir /nowhere",
    "tag other",
    "tag ",
    "secctx x",
    "debug 0x1f",
    "debug x",
    "frun 50%",
    "fcull 40%",
    "fstop 30%",
    "brun 99%",
    "bcull 99%",
    "bstop 0%",
    "copen 0,-5",
    "copen 1,-5",
    "copen 2,-5",
    "copen 0",
    "copen",
    "copen 0x0,0x1000",
    "cull a/b",
    "hello",
    "",
    "\n",
    "cull Ierofs,demo",
};

constexpr int64_t kSizes[] = {1 << 20,   16384, 0,  1,  4095, 4096,  65536, int64_t{1} << 40,
                              INT64_MAX, -1,    -2, -5, -22,  -4095, -4096, INT64_MIN};
constexpr uint64_t kOffsets[] = {
    0, 4096, 8192,  65536,      131072,     1044480,          1 << 20,   512,
    1, 4095, 12288, 1ULL << 31, 1ULL << 40, INT64_MAX - 4095, INT64_MAX, UINT64_MAX};
constexpr uint64_t kLengths[] = {4096, 8192, 512, 0, 65536, 1, 4097, 16384};
constexpr size_t kRooms[] = {1024, 16, 32, 47, 0, 8192, 24, 46};
constexpr const char* kDirectories[] = {"/cache-disk/cache/Ierofs,demo/@dd",
                                        "/cache-disk/cache/Ierofs,demo/@73",
                                        "/cache-disk/cache",
                                        "/cache-disk/graveyard",
                                        "/",
                                        "/nowhere"};
constexpr uint32_t kEvents[] = {POLLIN | POLLOUT, POLLIN, POLLOUT};
constexpr uint64_t kSleepsMs[] = {1, 1'000, 11'000, 30'000};

template <typename T, size_t N>
T pick(const T (&table)[N], uint8_t number) {
  return table[number % N];
}

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// A number that differs where the bytes do.
uint64_t digest(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte byte : bytes)
    hash = (hash ^ std::to_integer<uint64_t>(byte)) * 0x100000001b3;
  return hash;
}

}  // namespace

std::span<const std::string_view> known_commands() {
  return kCommands;
}

void Play::daemon_op(size_t task, const Instruction& instruction) {
  const auto [op, at_once, by_helper, a, b, c, bytes] = instruction;
  switch (op) {
    case Op::read_message:
      read_message(task, a == 0 ? device() : pick_fd(a), pick(kRooms, b), c == 0xff);
      return;
    case Op::serve:
      return serve(task);
    case Op::copen:
      return copen(task, c == 0xfe ? pick_fd(c) : device(), pick_id(a), pick(kSizes, b));
    case Op::complete: {
      const uint64_t id = pick_id(a);
      const Delivered* const answered = message(id);
      return complete(task, b == 0 && answered ? fd_of_object(answered->object) : pick_fd(b), id);
    }
    case Op::command:
      return command(task, b == 0 ? device() : pick_fd(b), a % std::size(kCommands));
    case Op::text: {
      char* const text = workers_[task].text;
      std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t*>(text));
      return say(task, b == 0 ? device() : pick_fd(b), Op::text, 0, {text, bytes.size()});
    }
    case Op::sleep:
      return calls(task).sleep_ms(pick(kSleepsMs, a));
    default:
      return file_op(task, instruction);
  }
}

// Whether a message came.
bool Play::read_message(size_t task, int fd, size_t room, bool bad_memory) {
  std::byte* const buffer = workers_[task].buffer;
  const bool on_device = is_device(fd);
  const int64_t ret =
      calls(task).read(fd, bad_memory ? calls(task).bad_memory(room) : lend(task, room));
  const auto length = static_cast<size_t>(std::max<int64_t>(ret, 0));
  note(task, Op::read_message, bad_memory ? 1 : 0, on_device, ret, digest({buffer, length}));
  // In classic mode it is a text, which begins so.
  constexpr std::string_view kState = "cull=";
  if (!on_device || bad_memory || length < 16 ||
      std::memcmp(buffer, kState.data(), kState.size()) == 0)
    return false;
  Delivered got{load<uint32_t>(buffer), load<uint32_t>(buffer + 4), load<uint32_t>(buffer + 8),
                load<uint32_t>(buffer + 12)};
  if (got.opcode == player::kOpOpen && length >= 32) {
    got.fd = load<int32_t>(buffer + 24);
    add_fd(got.fd, false);
  } else if (got.opcode == player::kOpRead && length >= 32) {
    got.offset = load<uint64_t>(buffer + 16);
    got.bytes = load<uint64_t>(buffer + 24);
  }
  if (message_count_ == kMaxMessages) {
    std::rotate(messages_.begin(), messages_.begin() + 1, messages_.end());
    message_count_--;
  }
  messages_[message_count_++] = got;
  if (delivered_count_ < delivered_.size()) delivered_[delivered_count_++] = got;
  return true;
}

// As a daemon in its right mind.
void Play::serve(size_t task) {
  if (!read_message(task, device(), pick(kRooms, 0), false)) return;
  const Delivered got = messages_[message_count_ - 1];
  if (got.opcode == player::kOpOpen) return copen(task, device(), got.id, kServedSize);
  const int fd = fd_of_object(got.object);
  if (got.opcode == player::kOpClose) return close(task, fd);
  const uint64_t start = got.offset / kPage * kPage;
  const uint64_t asked = std::min(got.bytes, kServedSize) + (got.offset - start);
  pwrite(task, fd, start, std::min<uint64_t>((asked + kPage - 1) / kPage * kPage, kBuffer));
  complete(task, fd, got.id);
}

void Play::say(size_t task, int fd, Op op, uint8_t detail, std::string_view text) {
  const bool on_device = is_device(fd);
  note(task, op, detail, on_device, calls(task).write(fd, std::as_bytes(std::span(text))));
}

void Play::command(size_t task, int fd, size_t which) {
  say(task, fd, Op::command, static_cast<uint8_t>(which), kCommands[which]);
}

void Play::copen(size_t task, int fd, uint64_t id, int64_t size) {
  constexpr std::string_view kWord = "copen ";
  char* const text = workers_[task].text;
  char* const end = text + sizeof(workers_[task].text);
  char* at = std::copy(kWord.begin(), kWord.end(), text);
  at = std::to_chars(at, end, id).ptr;
  *at++ = ',';
  at = std::to_chars(at, end, size).ptr;
  say(task, fd, Op::copen, 0, {text, static_cast<size_t>(at - text)});
}

void Play::complete(size_t task, int fd, uint64_t id) {
  const bool on_device = is_device(fd);
  note(task, Op::complete, 0, on_device, calls(task).ioctl(fd, player::kReadComplete, id));
}

void Play::pwrite(size_t task, int fd, uint64_t offset, uint64_t length) {
  if ((offset | length) % kPage != 0) ragged_ = true;
  const bool on_device = is_device(fd);
  note(task, Op::pwrite, 0, on_device,
       calls(task).pwrite(fd, std::span(workers_[task].buffer, length), offset));
}

void Play::close(size_t task, int fd) {
  const bool on_device = is_device(fd);
  const int64_t ret = calls(task).close(fd);
  note(task, Op::close, 0, on_device, ret);
  if (ret == 0) remove_fd(fd);
}

void Play::file_op(size_t task, const Instruction& instruction) {
  const auto [op, at_once, by_helper, a, b, c, bytes] = instruction;
  const int fd = op == Op::poll && a == 0 ? device() : pick_fd(a);
  const bool on_device = is_device(fd);
  int64_t ret = 0;
  switch (op) {
    case Op::poll:
      ret = calls(task).poll(fd, pick(kEvents, b), 0, false);
      break;
    case Op::pwrite:
      return pwrite(task, fd, pick(kOffsets, b), pick(kLengths, c));
    case Op::write:
      ragged_ = true;
      ret = c == 0xff ? calls(task).write(fd, calls(task).bad_memory(pick(kLengths, b)))
                      : calls(task).write(fd, std::span(workers_[task].buffer + c % 2,
                                                        pick(kLengths, b) - c % 2));
      break;
    case Op::lseek:
      ret = calls(task).lseek(fd, static_cast<int64_t>(pick(kOffsets, b)),
                              static_cast<scenario::LseekWhence>(c % 5));
      break;
    case Op::close:
      return close(task, fd);
    case Op::open_device:
      ret = calls(task).open_device(a % 4 == 3 ? O_RDONLY : O_RDWR, b != 0xff);
      add_fd(ret, true);
      if (ret >= 0) device_ = static_cast<int>(ret);
      break;
    case Op::dup:
      ret = calls(task).dup(fd);
      add_fd(ret, on_device);
      break;
    case Op::ioctl:
      ret = calls(task).ioctl(fd, b == 0 ? player::kReadComplete : b * 0x01000193u, pick_id(c));
      break;
    default:
      return misuse(task, instruction);
  }
  note(task, op, op == Op::write && c == 0xff ? 1 : 0, on_device, ret);
}

// Calls that these files are not made for.
void Play::misuse(size_t task, const Instruction& instruction) {
  const int fd = pick_fd(instruction.a);
  const bool on_device = is_device(fd);
  const auto which = static_cast<uint8_t>(instruction.c % 7);
  const uint64_t number = pick(kOffsets, instruction.b);
  sim::ModelSyscalls& call = calls(task);
  int64_t ret = 0;
  switch (which) {
    case 0:
      ret = call.fsync(fd);
      break;
    case 1:
      ret = call.ftruncate(fd, static_cast<int64_t>(number));
      break;
    case 2:
      ret = call.fallocate(fd, static_cast<int64_t>(number), 4096);
      break;
    case 3:
      ret = call.mmap(fd, number % 8192, PROT_READ | PROT_WRITE);
      break;
    case 4:
      ret = call.fcntl(fd, scenario::FcntlCommand::getfl, 0);
      break;
    case 5:
      ret = call.chdir(pick(kDirectories, instruction.b));
      break;
    default:
      ret = call.pread(fd, lend(task, 1024), number);
  }
  note(task, Op::misuse, which, on_device, ret);
}

}  // namespace coldread::fuzz
