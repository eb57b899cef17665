// Memory that runs out: the allocations that can be made to fail, as CONFIG_FAILSLAB does it.
#pragma once

#include <cstdint>

namespace coldread {

// By what they are for, with the function of fs/cachefiles that allocates.
enum class Allocation : uint8_t {
  cache,       // cachefiles_daemon_open
  request,     // cachefiles_ondemand_send_req
  request_id,  // the same: a node of cache->reqs
  object_id,   // cachefiles_ondemand_get_fd: a node of cache->ondemand_ids
  file,        // the same: the anonymous fd's file
  read,        // cachefiles_read
  write,       // __cachefiles_write
  none,
};

}  // namespace coldread
