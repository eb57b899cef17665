// Reads of the device at numbers at which the filter does not look: after a dup2() to a low number,
// or when the descriptor came over a socket.
//
// Such a read comes to the server by itself, through FUSE, and no descriptor can be given with the
// answer. Here its thread is traced for a moment: when the read has been answered, and before the
// program sees that, the thread is made to execute it again with a watched number in the place of
// the descriptor; that call is held by the supervisor like any other. Behind it the register is put
// back, so the program finds itself behind its read, with the result of the second one.
//
// Threads: begin() and expects() from any; each redirection has a thread of its own, since only the
// thread that began to trace may go on. A program that is traced already (strace, a debugger)
// cannot be redirected, nor one of which the machine's security forbids it.
#pragma once

#include <sys/types.h>

#include <future>
#include <list>
#include <mutex>
#include <set>
#include <thread>

namespace coldread::fuse {

class Redirections {
 public:
  // `number` takes the descriptor's place.
  explicit Redirections(int number) : number_(number) {}
  ~Redirections();  // waits for those that have begun: until the threads have read, or ended
  Redirections(const Redirections&) = delete;
  Redirections& operator=(const Redirections&) = delete;

  // `thread` is in a read() or pread() that is answered after this has returned. False: nothing
  // was begun.
  bool begin(pid_t thread);
  // Whether a read of `number` by this thread is a redirected one.
  bool expects(pid_t thread);

 private:
  struct Tracer {
    std::thread thread;
    bool done = false;
  };
  void trace(pid_t thread, Tracer& self, std::promise<bool>& seized);

  const int number_;
  std::mutex mutex_;  // of what follows
  std::set<pid_t> expected_;
  std::list<Tracer> tracers_;
};

}  // namespace coldread::fuse
