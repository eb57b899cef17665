// Plays one task of a scenario: executes its steps through a Syscalls and writes down what came
// back.
//
// The same code runs on a fiber of the simulator and in a process of a real guest. It judges
// nothing; check.h does, afterwards. On the model a call may never return: everything that owns
// memory is a member of TaskPlayer, whose owner outlives the run.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "sim/player/aligned_buffer.h"
#include "sim/player/message.h"
#include "sim/player/notes.h"
#include "sim/player/syscalls.h"
#include "sim/player/transcript.h"
#include "sim/scenario/scenario.h"

namespace coldread::player {

// What the tasks of one process share: open files and received messages by name. Tasks of a live
// process are threads, hence the lock; it is never held across a system call.
struct ProcessState {
  std::mutex lock;
  std::map<std::string, int> fds;
  std::map<std::string, Message> messages;
  struct ObjectFile {
    int fd = -1;
    std::vector<std::byte> cookie_key;
  };
  std::map<uint32_t, ObjectFile> objects;  // by object id: what OPEN messages brought
  std::string cache_directory;             // what "{CACHE}" stands for in commands
};

class TaskPlayer {
 public:
  // Called whenever a record is begun (without "ret") and again when it is complete: how a live
  // process gets its records out before it is killed. `index` counts the task's records from 0.
  using OnRecord = std::function<void(size_t index, const Record& record)>;

  TaskPlayer(const scenario::Scenario& scenario, size_t task, Syscalls& syscalls,
             ProcessState& process, OnRecord on_record = nullptr, Keep keep = Keep::records);
  TaskPlayer(const TaskPlayer&) = delete;
  TaskPlayer& operator=(const TaskPlayer&) = delete;

  void play();  // all steps; may never return on the model

  // The last may lack "ret": its call has not come back (mark_waiting()).
  const std::vector<Record>& records() const { return notes_.records(); }
  const Notes& notes() const { return notes_; }

 private:
  void play_step(const scenario::Step& step);
  // Executes the verb and notes what it says beside its result, which it returns.
  int64_t execute(const scenario::Step& step);
  int64_t execute_netfs(const scenario::Step& step);
  int64_t execute_process(const scenario::Step& step);  // process_calls.cpp
  int64_t execute_misuse(const scenario::Step& step);
  int64_t name_fd(const std::string& name, int64_t fd);
  int64_t execute_io(const scenario::Step& step);
  void tell();  // on_record_ of the last record

  // Each takes what it needs from process_ and returns false, with "skipped" noted, if it is not
  // there.
  bool find_fd(const std::string& name);
  bool find_message(const std::string& name);
  bool expand_text(const scenario::Step& step);
  bool find_answered(const scenario::Step& step);

  int64_t do_open(const scenario::Step& step);
  int64_t do_command(const scenario::Step& step);
  int64_t do_copen(const scenario::Step& step);
  int64_t do_read_message(const scenario::Step& step);
  int64_t do_poll(const scenario::Step& step);
  int64_t do_write(const scenario::Step& step);
  int64_t do_complete(const scenario::Step& step);

  // netfs_io.cpp: operations on the cache.
  int64_t do_prepare_read(const scenario::Step& step);
  int64_t do_cache_read(const scenario::Step& step);
  int64_t do_range(const scenario::Step& step);

  // disk.cpp: what somebody else does to the cache's disk.
  int64_t do_disk(const scenario::Step& step);
  int64_t do_proc(const scenario::Step& step);

  // read.cpp: a netfs' read.
  int64_t do_read(const scenario::Step& step);
  int64_t read_pages(const scenario::Step& step);
  int64_t read_prepared(const scenario::Step& step, uint64_t position, const PrepareResult& found);

  // serve.cpp: the ready-made daemon.
  int64_t do_serve(const scenario::Step& step);
  int64_t serve_message(const scenario::Step& step);
  int64_t answer(const scenario::Step& step);
  int64_t wait_for_message(int device);
  int64_t say(std::string_view command);
  int64_t talk_nonsense();
  int64_t serve_open(const scenario::Step& step);
  int64_t serve_read(const scenario::Step& step);
  int64_t serve_close();

  // Keeps what an OPEN message brought.
  void remember(const Message& message);
  // Fills buffer_, from its byte `misalign` on.
  void load_blob(int blob, uint64_t offset, uint64_t length, uint32_t misalign = 0);
  // The memory a step hands to the kernel: buffer_, or memory that is none.
  std::span<std::byte> memory(const scenario::Step& step, uint64_t length);

  const scenario::Scenario& scenario_;
  const scenario::TaskSpec& task_;
  Syscalls& syscalls_;
  ProcessState& process_;
  OnRecord on_record_;
  Notes notes_;

  // Working storage of the step under way: members, because a call may never return.
  int fd_ = -1;
  bool may_close_fd_ = false;  // serve: no OPEN came yet
  bool withheld_ = false;      // serve: an answer, for good
  Message message_;
  std::string text_;
  AlignedBuffer buffer_;
  nlohmann::json entry_;
  int64_t object_size_ = 0;
  uint64_t read_from_ = 0, read_end_ = 0, slice_end_ = 0;
};

}  // namespace coldread::player
