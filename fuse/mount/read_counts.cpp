// What was sent is counted by the objects themselves.
#include "fuse/mount/read_counts.h"

#include <utility>

#include "kernelmodel/cachefiles/internal.h"

namespace coldread::fuse {

uint64_t ReadCounter::sent(const CookieHandle& cookie) {
  const ObjectHandle object = cookie->cache_priv;
  return object ? object->reads_sent : 0;
}

// What was sent since the last time: a cookie that is looked up again has another object.
void ReadCounter::count_holes(const CookieHandle& cookie) {
  const ObjectHandle object = cookie->cache_priv;
  if (std::exchange(counted_, object) != object) requests_counted_ = 0;
  if (object)
    counts_->holes += object->reads_sent - std::exchange(requests_counted_, object->reads_sent);
}

}  // namespace coldread::fuse
