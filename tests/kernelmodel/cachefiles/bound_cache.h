// A modelled kernel with a cache that is being set up, for tests of the model below whole
// scenarios.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernelmodel/cachefiles/ondemand.h"
#include "sim/scheduler/scheduler.h"
#include "sim/store/memory_store.h"

namespace coldread {

class Ear final : public Trace, public Log {
 public:
  void emit(std::string_view, std::string_view) override {}
  void printk(std::string_view line) override { lines.emplace_back(line); }
  void note(ReportKind kind, std::string_view) override { notes.push_back(kind); }
  std::vector<std::string> lines;
  std::vector<ReportKind> notes;
};

class BoundCache : public testing::Test {
 protected:
  BoundCache()
      : scheduler_(strategy_),
        kernel_(scheduler_, store_, ear_, ear_, *find_profile(kDefaultProfile)),
        files_(kernel_) {
    store_.make_directory("/disk");
  }

  // Runs `body` as a task of the daemon's process, to the end.
  sim::RunEnd run(std::function<void()> body) {
    body_ = std::move(body);
    Task& task = scheduler_.spawn(
        "test", false, [](void* arg) { (*static_cast<std::function<void()>*>(arg))(); }, &body_);
    task.files = &files_;
    task.cwd = sim::MemoryStore::kRoot;
    return scheduler_.run();
  }

  // To be called from a task.
  int open_device() {
    FileHandle file;
    const int error = cachefiles_daemon_open(kernel_, O_RDWR, &file);
    if (error < 0) return error;
    const int fd = get_unused_fd_flags(kernel_, 0);
    fd_install(kernel_, fd, file);
    return fd;
  }
  ssize_t command(int fd, std::string_view text) {
    return sys_write(kernel_, fd, std::as_bytes(std::span(text.data(), text.size())));
  }

  sim::FifoStrategy strategy_;
  sim::FiberScheduler scheduler_;
  sim::MemoryStore store_;
  Ear ear_;
  Kernel kernel_;
  files_struct files_;

 private:
  std::function<void()> body_;
};

}  // namespace coldread
