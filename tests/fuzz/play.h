// A Program played on the model: one thread of a daemon carries it out, and hands to the daemon's
// second thread and to three readers what is theirs.
//
// The daemon may do whatever a process can; the readers keep the rules that a netfs keeps: nothing
// is given back while it is in use. So whatever breaks is the kernel's fault. In the end the
// daemon closes all it has, and the readers give back all they hold: who still waits then waits
// for ever.
//
// Thread rules: one thread. A Play owns all memory that its tasks work with, since their stacks are
// dropped.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/machine/machine.h"
#include "sim/machine/workbench.h"
#include "sim/player/syscalls.h"
#include "tests/fuzz/program.h"

namespace coldread::fuzz {

// One call and what it answered.
struct Answer {
  static constexpr uint8_t kNobody = 0xff;

  uint8_t task = kNobody;  // 0: the daemon, 1: its second thread, then the readers
  Op op = Op::read_message;
  uint8_t turn = 0;        // how many instructions had been begun by then
  uint8_t detail = 0;      // command: which one; misuse, disk ...: which call
  bool on_device = false;  // of calls on a descriptor: it is the device
  int64_t ret = 0;
  uint64_t more = 0;  // of a message: all of it as a number; of prepare_read: source and length

  bool operator==(const Answer&) const = default;
};

// A message as it was delivered.
struct Delivered {
  uint32_t id = 0, opcode = 0, length = 0, object = 0;
  int32_t fd = -1;
  uint64_t offset = 0, bytes = 0;  // READ
};

// The commands that Op::command knows, by Answer::detail.
std::span<const std::string_view> known_commands();

class Play final : private sim::FurtherPlay {
 public:
  static constexpr size_t kMaxAnswers = 512;

  // `profile` is copied.
  Play(const Profile& profile, Stage stage);
  ~Play();

  sim::RunResult run(const Program& program);
  // Of the last run, in the order in which they came; the first kMaxAnswers.
  std::span<const Answer> answers() const { return {answers_.data(), answered_}; }
  std::span<const Delivered> delivered() const { return {delivered_.data(), delivered_count_}; }

 private:
  static constexpr size_t kReaders = 3;
  static constexpr size_t kTasks = 2 + kReaders;
  static constexpr size_t kMaxFds = 24;
  static constexpr size_t kMaxMessages = 16;
  static constexpr size_t kVolumes = 4;
  static constexpr size_t kCookies = 5;
  static constexpr size_t kBuffer = 64 * size_t{1024};

  // A task that is handed instructions.
  struct Worker {
    Task* task = nullptr;
    Instruction job;
    bool busy = false;
    bool gone = false;  // killed
    player::PrepareResult found;
    player::Range range;
    nlohmann::json entry;
    std::string proc;
    char text[4352];
    // Zero when a play begins, since it can be written; `used`: so many bytes may be others since.
    size_t used = 0;
    alignas(4096) std::byte buffer[kBuffer] = {};
  };
  struct VolumeState {
    bool held = false;
    unsigned busy = 0;     // calls under way
    unsigned cookies = 0;  // that are held
  };
  struct CookieState {
    bool held = false;
    unsigned busy = 0;
    unsigned uses = 0;
  };

  void play(sim::Machine& machine, size_t task, sim::ModelSyscalls& syscalls) override;
  void conduct();
  void hand_out(const Instruction& instruction);
  void work(size_t task);
  void finish();
  void reset();
  void forget();

  void carry_out(size_t task, const Instruction& instruction);
  void daemon_op(size_t task, const Instruction& instruction);
  void other_op(size_t task, const Instruction& instruction);
  void reader_op(size_t task, const Instruction& instruction);
  void volume_op(size_t task, const Instruction& instruction);
  void cookie_op(size_t task, const Instruction& instruction);
  void io_op(size_t task, const Instruction& instruction);

  bool read_message(size_t task, int fd, size_t room, bool bad_memory);
  void serve(size_t task);
  void command(size_t task, int fd, size_t which);
  void say(size_t task, int fd, Op op, uint8_t detail, std::string_view text);
  void copen(size_t task, int fd, uint64_t id, int64_t size);
  void complete(size_t task, int fd, uint64_t id);
  void pwrite(size_t task, int fd, uint64_t offset, uint64_t length);
  void close(size_t task, int fd);
  void file_op(size_t task, const Instruction& instruction);
  void misuse(size_t task, const Instruction& instruction);
  bool acquire_volume(size_t task, size_t volume);
  void relinquish_volume(size_t task, size_t volume, bool invalidate);
  bool acquire_cookie(size_t task, size_t cookie);
  void use_cookie(size_t task, size_t cookie, bool will_modify);
  void give_back(size_t task, size_t cookie, bool retire);
  int64_t read(size_t task, size_t cookie, uint64_t offset, uint64_t length);

  int device() const { return device_; }
  bool is_device(int fd) const { return fd >= 0 && fd < 64 && (devices_ >> fd & 1) != 0; }
  int pick_fd(uint8_t number) const;
  uint64_t pick_id(uint8_t number) const;
  const Delivered* message(uint64_t id) const;
  int fd_of_object(uint32_t object) const;
  void add_fd(int64_t fd, bool device);
  void remove_fd(int fd);
  void note(size_t task, Op op, uint8_t detail, bool on_device, int64_t ret, uint64_t more = 0);
  // Memory that a call may write to.
  std::span<std::byte> lend(size_t task, size_t length);
  sim::ModelSyscalls& calls(size_t task) { return *syscalls_[task]; }

  const Profile profile_;
  const Stage stage_;
  scenario::Scenario scenario_;
  std::array<sim::ModelSyscalls*, kTasks> syscalls_{};
  std::array<Worker, kTasks> workers_;
  std::optional<Program> program_;
  sim::Machine* machine_ = nullptr;
  const sim::Machine* over_ = nullptr;  // on which the play is over

  int device_ = 3;                  // the newest one that was opened
  uint64_t devices_ = 0;            // a bit for each descriptor of it
  std::array<int, kMaxFds> fds_{};  // open ones, the newest last
  size_t fd_count_ = 0;
  std::array<Delivered, kMaxMessages> messages_{};  // the newest last
  size_t message_count_ = 0;
  std::array<VolumeState, kVolumes> volumes_{};
  std::array<CookieState, kCookies> cookies_{};
  // Somebody changed the disk, or the daemon wrote less than a block: what readers see of it may be
  // nobody's, and that is not the kernel's fault.
  bool ragged_ = false;
  bool unload_ = false;  // when all is over

  std::array<Answer, kMaxAnswers> answers_{};
  size_t answered_ = 0;
  uint8_t turn_ = 0;
  std::array<Delivered, kMaxAnswers> delivered_{};
  size_t delivered_count_ = 0;
  std::unique_ptr<sim::Workbench> bench_;
};

std::string answer_text(const Answer& answer);
// A whole run as people read it: the program and what its calls answered.
std::string play_text(const Program& program, const Play& play);

}  // namespace coldread::fuzz
