#include "sim/live/board.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>
#include <new>

namespace coldread::live {

const char* task_state_name(TaskState state) {
  switch (state) {
    case TaskState::running:
      return "running";
    case TaskState::in_call:
      return "in a call";
    case TaskState::timed:
      return "asleep";
    case TaskState::waiting:
      return "at a barrier";
    case TaskState::settling:
      return "in settle";
    case TaskState::serving:
      return "waiting for messages";
    case TaskState::ended:
      return "ended";
  }
  return "?";
}

// Not std::atomic::wait(): its futexes are private to one process.
void Board::changed() {
  ++change;
  syscall(SYS_futex, &change, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void Board::wait_change(uint32_t seen, int timeout_ms) {
  timespec timeout{};
  timeout.tv_sec = timeout_ms / 1000;
  timeout.tv_nsec = (timeout_ms % 1000) * 1'000'000L;
  syscall(SYS_futex, &change, FUTEX_WAIT, seen, timeout_ms < 0 ? nullptr : &timeout, nullptr, 0);
}

SharedBoard::SharedBoard() {
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  board_ = new (memory) Board{};
}

SharedBoard::~SharedBoard() {
  munmap(board_, sizeof(Board));
}

}  // namespace coldread::live
