// Plays one task of a scenario: executes its steps through a Syscalls and writes down what came back.
//
// The same code runs on a fiber of the simulator and in a process of a real guest. It judges nothing;
// check.h does, afterwards. On the model a call may never return: everything that owns memory is a
// member of TaskPlayer, whose owner outlives the run.
#pragma once

#include <functional>
#include <mutex>

#include "sim/player/syscalls.h"
#include "sim/player/transcript.h"
#include "sim/scenario/scenario.h"

namespace coldread::player {

// A message as the daemon got it, decoded.
struct Message {
  uint32_t msg_id = 0, opcode = 0, len = 0, object_id = 0;
  std::string volume_key;
  std::vector<std::byte> cookie_key;
  int32_t fd = -1;
  uint32_t flags = 0;
  uint64_t off = 0, length = 0;
};

// What the tasks of one process share: open files and received messages by name. Tasks of a live
// process are threads, hence the lock; it is never held across a system call.
struct ProcessState {
  std::mutex lock;
  std::map<std::string, int> fds;
  std::map<std::string, Message> messages;
  std::string cache_directory;       // what "{CACHE}" stands for in commands
};

class TaskPlayer {
 public:
  // Called whenever a record is begun (without "ret") and again when it is complete: how a live
  // process gets its records out before it is killed. `index` counts the task's records from 0.
  using OnRecord = std::function<void(size_t index, const Record& record)>;

  TaskPlayer(const scenario::Scenario& scenario, size_t task, Syscalls& syscalls,
             ProcessState& process, OnRecord on_record = nullptr);
  void play();                       // all steps; may never return on the model

  const std::vector<Record>& records() const;   // the last may lack "ret": still waiting
};

}  // namespace coldread::player
