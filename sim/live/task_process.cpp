#include "sim/live/task_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <exception>
#include <memory>
#include <thread>

#include "sim/live/record_log.h"
#include "sim/player/player.h"

namespace coldread::live {
namespace {

// One task: its system calls, its player, and what of its records is out already.
class PlayedTask {
 public:
  PlayedTask(const scenario::Scenario& scenario, size_t task, Board& board, const TaskFiles& files,
             const SharedFiles& shared, player::ProcessState& state)
      : board_(board),
        slot_(board.tasks[task]),
        syscalls_(scenario, board, task, shared.netfs, files.quiet, [this] { checkpoint(); }),
        player_(scenario, task, syscalls_, state,
                [this](size_t index, const player::Record& record) { emit(index, record); }),
        log_(files.records) {
    syscalls_.use_inboxes(shared.inboxes);
    syscalls_.use_kernel(shared.kernel);
  }

  void play() {
    slot_.tid = static_cast<int32_t>(syscall(SYS_gettid));
    board_.wait_until([&] { return board_.started.load() != 0; });
    player_.play();
    slot_.state = TaskState::ended;
    ++board_.progress;
    board_.changed();
  }

 private:
  void emit(size_t index, const player::Record& record) {
    write_record(log_, index, record);
    const auto served = record.find("messages");
    messages_out_ = served == record.end() ? 0 : served->size();
  }

  // A daemon that is killed while it serves has served some messages: its record grows in between.
  void checkpoint() {
    if (player_.records().empty()) return;
    const player::Record& record = player_.records().back();
    const auto served = record.find("messages");
    if (served == record.end() || served->size() == messages_out_) return;
    emit(player_.records().size() - 1, record);
  }

  Board& board_;
  TaskSlot& slot_;
  LiveSyscalls syscalls_;
  player::TaskPlayer player_;
  int log_;
  size_t messages_out_ = 0;
};

void play_tasks(const scenario::Scenario& scenario, size_t process, Board& board,
                const std::vector<TaskFiles>& files, const SharedFiles& shared,
                const std::string& cache_directory) {
  player::ProcessState state;
  state.cache_directory = cache_directory;
  std::vector<std::unique_ptr<PlayedTask>> tasks;
  for (size_t i = 0; i < scenario.tasks.size(); ++i) {
    if (scenario.tasks[i].process != process) continue;
    tasks.push_back(std::make_unique<PlayedTask>(scenario, i, board, files[i], shared, state));
  }
  std::vector<std::thread> threads;
  for (auto& task : tasks) threads.emplace_back([&task] { task->play(); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

void leave_standard_files_only() {
  close_range(0, kFirstOwnFd - 1, 0);
  const int null = open("/dev/null", O_RDWR);  // the lowest free number: 0
  while (null >= 0 && dup(null) < 2) {
  }
}

int move_up(int fd) {
  if (fd < 0) return -1;
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, kFirstOwnFd);
  close(fd);
  return moved;
}

void play_process(const scenario::Scenario& scenario, size_t process, Board& board,
                  const std::vector<TaskFiles>& files, const SharedFiles& shared,
                  const std::string& cache_directory) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would give it its turns
  leave_standard_files_only();
  for (size_t i = 0; i < shared.inboxes.size(); ++i) {
    if (i != process) close(shared.inboxes[i].receive);
  }
  signal(SIGCHLD, SIG_IGN);  // children that end are not waited for
  struct sigaction handled {};
  handled.sa_handler = [](int) {};
  sigaction(kSignal, &handled, nullptr);
  try {
    play_tasks(scenario, process, board, files, shared, cache_directory);
  } catch (const std::exception&) {
    _exit(1);
  }
  _exit(0);
}

}  // namespace coldread::live
