// Bytes as a program: what a hostile daemon and its readers do, four bytes an instruction.
//
//   byte 0      which Stage the play begins on
//   byte 1      who runs next: below 128 first in, first out; else by chance
//   byte 2, 3   the seed of chance
//   then        instructions: an Op with flags, and three arguments
//
// Every byte string is a program, so that a fuzzer may change any of its bytes. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace coldread::fuzz {

inline constexpr size_t kHeaderBytes = 4;
inline constexpr size_t kInstructionBytes = 4;
inline constexpr size_t kMaxInstructions = 64;
inline constexpr size_t kMaxTextBytes = 64;

enum class Op : uint8_t {
  // The daemon's; with kByHelper its second thread's.
  read_message,
  serve,  // reads one message and answers it well
  poll,
  copen,
  complete,
  pwrite,
  write,
  lseek,
  close,
  command,
  text,  // a command whose bytes follow
  open_device,
  dup,
  ioctl,
  misuse,  // calls that the files are not made for
  sleep,
  // Everybody else's.
  disk,
  inject,
  fault,
  kill,
  signal,
  proc,
  // A reader's, which argument a names.
  connect,
  disconnect,
  acquire_volume,
  relinquish_volume,
  acquire_cookie,
  relinquish_cookie,
  use_cookie,
  unuse_cookie,
  read,
  prepare_read,
  cache_read,
  cache_write,
  prepare_write,
  query_occupancy,
  write_to_cache,
  issue_write,
  invalidate,
  resize,
  update_cookie,
  page_release,
  // The administrator's.
  unload,  // of the modules, when all is over
  count
};
const char* op_name(Op op);

inline constexpr uint8_t kAtOnce = 0x80;    // what comes next does not wait until all is quiet
inline constexpr uint8_t kByHelper = 0x40;  // by the daemon's second thread
inline constexpr uint8_t kOpMask = 0x3f;

inline bool of_reader(Op op) {
  return op >= Op::connect && op <= Op::page_release;
}

// Where a play begins.
enum class Stage : uint8_t {
  opened,     // the device is open, nothing else
  bound,      // on demand; a reader waits for the answer to its OPEN
  connected,  // OPEN was answered: 1 MiB
  warm,       // the same with a file that is on the disk already, under a second name too
  classic,    // bound without on-demand mode
  count
};
const char* stage_name(Stage stage);

struct Instruction {
  Op op = Op::read_message;
  bool at_once = false;
  bool by_helper = false;
  uint8_t a = 0, b = 0, c = 0;
  std::span<const uint8_t> bytes;  // text: what is said
};

// Reads a program from bytes; they outlive it.
class Program {
 public:
  explicit Program(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  Stage stage() const {
    return static_cast<Stage>(header(0) % static_cast<unsigned>(Stage::count));
  }
  bool by_chance() const { return header(1) >= 128; }
  // Of the chance; also says which kind.
  uint64_t seed() const {
    return uint64_t{header(1)} << 16 | uint64_t{header(2)} << 8 | uint64_t{header(3)};
  }

  void restart() {
    at_ = kHeaderBytes;
    taken_ = 0;
  }
  // False: there is none.
  bool next(Instruction* instruction);
  // Where the next one begins.
  size_t at() const { return at_; }

 private:
  std::span<const uint8_t> take(size_t length);  // at most
  uint8_t header(size_t at) const { return at < bytes_.size() ? bytes_[at] : uint8_t{0}; }

  std::span<const uint8_t> bytes_;
  size_t at_ = kHeaderBytes;
  size_t taken_ = 0;
};

}  // namespace coldread::fuzz
