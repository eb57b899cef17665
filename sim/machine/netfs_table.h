// A netfs' volumes, cookies and operations under the numbers that whoever plays the netfs gave
// them, and its calls on the modelled kernel.
//
// Answers as the ioctls of tests/kernel/module do on a real kernel: 0 or more, -EBADF (nothing is
// known under the number), -EEXIST (it is taken), -ENOMEM (fscache answered null), or what fscache
// and the cache answered. Each call acts for the current task and blocks as long as fscache blocks.
//
// Thread rules: those of the Kernel's tasks. Lifetime: the Kernel outlives it; what is left in it
// is given back by release_all() only.
#pragma once

#include <map>
#include <span>
#include <string_view>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/netfs/netfs.h"
#include "sim/player/aligned_buffer.h"
#include "sim/player/syscalls.h"

namespace coldread::sim {

class NetfsTable {
 public:
  struct VolumeSpec {
    std::string_view key;
    std::string_view cache;  // empty: any
    std::span<const std::byte> coherency;
  };
  struct CookieSpec {
    uint32_t volume = 0;
    uint8_t advice = 0;  // FSCACHE_ADV_*
    std::span<const std::byte> key;
    std::span<const std::byte> aux;
    uint64_t object_size = 0;  // bytes
  };

  explicit NetfsTable(Kernel& kernel) : kernel_(kernel) {}

  int64_t acquire_volume(uint32_t volume, const VolumeSpec& spec);
  int64_t relinquish_volume(uint32_t volume, std::span<const std::byte> coherency, bool invalidate);
  int64_t acquire_cookie(uint32_t cookie, const CookieSpec& spec);
  int64_t relinquish_cookie(uint32_t cookie, bool retire);
  int64_t use_cookie(uint32_t cookie, bool will_modify);
  int64_t unuse_cookie(uint32_t cookie, const player::ObjectUpdate& update);
  int64_t update_cookie(uint32_t cookie, const player::ObjectUpdate& update);
  int64_t invalidate(uint32_t cookie, const player::ObjectUpdate& update, bool direct_write);
  int64_t resize(uint32_t cookie, uint64_t new_size);
  int64_t note_page_release(uint32_t cookie);
  int64_t cookie_size(uint32_t cookie);  // bytes

  int64_t begin_operation(uint32_t operation, uint32_t cookie, bool write);
  int64_t end_operation(uint32_t operation);

  // On the operation of the target, or, if it names none, on one of their own. `pages` is memory
  // for the call: until it has ended.
  int64_t prepare_read(player::Target target, player::Range range, int64_t i_size, uint32_t flags,
                       player::PrepareResult* out);
  int64_t cache_read(player::Target target, uint64_t start, std::span<std::byte> data,
                     scenario::HoleMode hole, bool sync);
  int64_t cache_write(player::Target target, uint64_t start, std::span<const std::byte> data,
                      player::AlignedBuffer& pages);
  int64_t prepare_write(player::Target target, player::Range range, uint64_t upper_length,
                        bool no_space_allocated_yet, player::Range* out);
  int64_t query_occupancy(player::Target target, player::Range range, uint64_t granularity,
                          player::Range* out);
  int64_t issue_write(player::Target target, uint64_t start, std::span<const std::byte> data,
                      int64_t i_size, uint64_t extendable_to, player::AlignedBuffer& pages);
  int64_t write_to_cache(uint32_t cookie, uint64_t start, std::span<const std::byte> data,
                         player::AlignedBuffer& pages);

  // Null: not acquired.
  CookieHandle find_cookie(uint32_t cookie) const;

  // Ends, unuses and relinquishes whatever is left.
  void release_all();

 private:
  struct Cookie {
    CookieHandle handle;
    int uses = 0;
  };

  int64_t begin(uint32_t cookie, bool write, netfs_cache_resources& cres);
  template <typename Io>
  int64_t with_operation(player::Target target, bool write, Io io);

  Kernel& kernel_;
  std::map<uint32_t, VolumeHandle> volumes_;
  std::map<uint32_t, Cookie> cookies_;
  std::map<uint32_t, netfs_cache_resources> operations_;
};

}  // namespace coldread::sim
