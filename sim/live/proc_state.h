// What /proc and /sys tell about who runs and who waits: the raw material of settle and of hang
// reports.
#pragma once

#include <sys/types.h>

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
};
std::optional<StatLine> parse_stat_line(std::string_view line);

// /sys/block/X/inflight: reads and writes under way; nothing if the text is something else.
std::optional<unsigned> parse_inflight(std::string_view text);

// The whole file, or "" if it cannot be read (processes come and go).
std::string read_file(const std::string& path);

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

// True if no thread of the process runs, wants to, or waits for a disk.
bool all_threads_sleep(pid_t pid);

}  // namespace coldread::live
