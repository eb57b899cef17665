// What readers of each object met: hits, misses and holes, for the report.
//
// Thread rules: the host's thread, on fibers.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernelmodel/kernel/kernel.h"

namespace coldread::fuse {

struct ReadCounts {
  uint64_t hits = 0;    // reads for which everything was there
  uint64_t misses = 0;  // reads that met a hole
  uint64_t holes = 0;   // READ messages, whoever answers them
  uint64_t errors = 0;
  uint64_t bytes = 0;  // read
  uint64_t size = 0;   // as the daemon said last
};

// Under "<volume>/<cookie>", also of those that have gone.
class AllReadCounts final {
 public:
  // The same for all who have had an object of that name, one after the other.
  std::shared_ptr<ReadCounts> of(const std::string& name) {
    std::shared_ptr<ReadCounts>& counts = counts_[name];
    if (!counts) counts = std::make_shared<ReadCounts>();
    return counts;
  }

  auto begin() const { return counts_.begin(); }
  auto end() const { return counts_.end(); }

 private:
  std::map<std::string, std::shared_ptr<ReadCounts>> counts_;
};

// Counts reads of one cookie.
class ReadCounter final {
 public:
  void use(std::shared_ptr<ReadCounts> counts) { counts_ = std::move(counts); }
  explicit operator bool() const { return counts_ != nullptr; }
  ReadCounts* operator->() const { return counts_.get(); }

  // A hit, if no READ was sent for the cookie meanwhile, for other readers included.
  template <typename Read>
  int64_t count(const CookieHandle& cookie, Read read) {
    const uint64_t before = sent(cookie);
    const int64_t ret = read();
    (sent(cookie) == before ? counts_->hits : counts_->misses)++;
    count_holes(cookie);
    return ret;
  }

 private:
  static uint64_t sent(const CookieHandle& cookie);
  void count_holes(const CookieHandle& cookie);

  std::shared_ptr<ReadCounts> counts_;
  Handle<cachefiles_object> counted_;  // whose READ requests are counted, and up to which
  uint64_t requests_counted_ = 0;
};

}  // namespace coldread::fuse
