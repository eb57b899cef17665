// Files one reads to look at the model: proc/fs/fscache/*, requests, trace_pipe.
//
// Thread rules: the host's thread, on fibers.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "fuse/host/kernel_log.h"
#include "fuse/mount/node.h"

namespace coldread::fuse {

// A name that somebody has chosen, on one line and without anything a terminal obeys: such bytes,
// and backslashes, become \xNN.
std::string printable(std::string_view name);

// A file whose text is made when it is opened.
class TextFile final : public Node {
 public:
  // Fills *text, which outlives the call's stack; 0 or a negative errno, which open answers. May
  // wait.
  using Make = std::function<int(std::string* text)>;

  explicit TextFile(Make make) : make_(std::move(make)) {}

  Attributes attributes() override { return {S_IFREG | 0444, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void open(Request& request) override;
  void read(Request& request) override;
  void release(Request& request) override;

 private:
  const Make make_;
  uint64_t last_handle_ = 0;
  std::map<uint64_t, std::string> texts_;  // by handle
};

// Tracepoints as they happen, from the first open on; a line is read once, by one reader. Reading
// waits for the next (-EAGAIN with O_NONBLOCK, -EINTR for any signal), and so does poll.
class TracePipe final : public Node {
 public:
  TracePipe(Scheduler& scheduler, KernelLog& log) : scheduler_(scheduler), log_(log) {}

  std::string path() const override { return "trace_pipe"; }
  Attributes attributes() override { return {S_IFREG | 0444, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void open(Request& request) override;
  void read(Request& request) override;
  void poll(Request& request) override;
  void release(Request& request) override;

 private:
  // One open file that somebody polls. Told once: then FUSE asks again, and hands over anew whom
  // to tell.
  struct Poller {
    explicit Poller(KernelLog& kernel_log) : log(kernel_log) {}
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;

    KernelLog& log;
    std::unique_ptr<PollHandle> handle;
    WaitQueue::Entry entry{notify, this};
  };
  static void notify(void* poller);

  Scheduler& scheduler_;
  KernelLog& log_;
  uint64_t last_handle_ = 0;
  std::map<uint64_t, Poller> pollers_;  // by handle
};

}  // namespace coldread::fuse
