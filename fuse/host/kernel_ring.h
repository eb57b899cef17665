// What the modelled kernel said, as dmesg(1) wants it: numbered records with their time.
//
// The newest kRecords are kept. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "kernelmodel/ports/scheduler.h"

namespace coldread::fuse {

class KernelRing {
 public:
  static constexpr size_t kRecords = 1024;

  // `level`: KERN_ERR is 3, KERN_INFO 6. `since_boot` in nanoseconds.
  void add(int level, TimeNs since_boot, std::string_view text);
  // As syslog(2)'s CLEAR: what there is is not shown by text(), nor from cleared() on.
  void clear();

  // The record with this number, or the first behind it that is still there, as /dev/kmsg has it
  // ("3,12,4711,-;text\n"); *sequence becomes its number.
  std::optional<std::string> record(uint64_t* sequence) const;
  uint64_t cleared() const;
  uint64_t end() const;  // the number that the next one will have

  // As syslog(2) has it ("<3>[    4.711000] text\n"), the newest whole lines of at most `size`
  // bytes.
  std::string text(size_t size) const;

 private:
  struct Record {
    int level;
    TimeNs time;
    std::string text;
  };

  mutable std::mutex lock_;
  std::deque<Record> records_;
  uint64_t first_ = 0;  // number of records_[0]
  uint64_t cleared_ = 0;
};

}  // namespace coldread::fuse
