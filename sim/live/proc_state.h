// What /proc and /sys tell about who runs and who waits: the raw material of settle and of hang
// reports.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldread::live {

// One line of /proc/PID/stat; the name may itself hold blanks and parentheses.
struct StatLine {
  std::string name;
  char state = '?';  // R running, S asleep, D waiting uninterruptibly, Z zombie, I idle, X gone ...
  pid_t parent = 0;
  int threads = 0;
};
std::optional<StatLine> parse_stat_line(std::string_view line);

// /sys/block/X/inflight: reads and writes under way; nothing if the text is something else.
std::optional<unsigned> parse_inflight(std::string_view text);

// The whole file, or "" if it cannot be read (processes come and go).
std::string read_file(const std::string& path);

// With one call, to a file that is there: 0 or a negative errno.
int64_t write_file(const std::string& path, const std::string& text);

// The thread's state letter, 'X' if there is no such thread any more.
char thread_state(pid_t pid, pid_t tid);

// Where in the kernel a thread waits, innermost function first: "a < b < c"; "" if it is not told.
std::string kernel_stack(pid_t pid, pid_t tid);

// The same from the text of /proc/PID/stack: "[<0>] fuse_wait+0x3c/0x64" is fuse_wait. Without the
// scheduler's functions at the beginning and the entry into the kernel at the end.
std::string parse_stack(std::string_view text);

// True if no kernel thread wants to run and no disk is at work: whatever kernel workers are about,
// they wait for somebody else.
bool kernel_threads_wait();

// Those kernel threads that wait for something they were working at, each with where: one line
// each.
std::vector<std::string> waiting_kernel_threads();

// The states of threads that are looked at again and again, each time without disturbing anybody:
// a thread's file is opened once and then read by pread(2), at which no supervisor looks (see
// fuse/supervisor/filter.h). Not thread-safe.
class ThreadStates {
 public:
  ThreadStates() = default;
  ~ThreadStates();
  ThreadStates(const ThreadStates&) = delete;
  ThreadStates& operator=(const ThreadStates&) = delete;

  // As thread_state().
  char of(pid_t pid, pid_t tid);
  // True if no thread of the process runs, wants to, or waits for a disk.
  bool all_sleep(pid_t pid);

 private:
  std::optional<StatLine> look(const std::string& path);

  std::map<std::string, int> files_;             // descriptors, by path
  std::map<pid_t, std::vector<pid_t>> threads_;  // of processes, as last listed
};

// The threads of a process that do not sleep in peace: one line each, with where they are.
std::vector<std::string> threads_at_work(pid_t pid);

}  // namespace coldread::live
