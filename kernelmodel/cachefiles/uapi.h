// The wire format between cachefiles and its user daemon: include/uapi/linux/cachefiles.h by
// layout.
//
// Host byte order, no padding; numbers and layouts are the kernel's and never change.
#pragma once

#include <cstdint>

namespace coldread {

// Opcodes of messages.
enum cachefiles_opcode : uint32_t {
  CACHEFILES_OP_OPEN,
  CACHEFILES_OP_CLOSE,
  CACHEFILES_OP_READ,
};

namespace uapi {

struct cachefiles_msg {
  uint32_t msg_id;
  uint32_t opcode;
  uint32_t len;  // bytes of the whole message, header included
  uint32_t object_id;
};
static_assert(sizeof(cachefiles_msg) == 16);

struct cachefiles_open {  // followed by the volume key with its NUL and the cookie key without
  uint32_t volume_key_size;
  uint32_t cookie_key_size;
  uint32_t fd;
  uint32_t flags;
};
static_assert(sizeof(cachefiles_open) == 16);

struct cachefiles_read {
  uint64_t off;
  uint64_t len;
};
static_assert(sizeof(cachefiles_read) == 16);

}  // namespace uapi

// _IOW(0x98, 1, int); the argument is the msg_id itself.
inline constexpr uint32_t CACHEFILES_IOC_READ_COMPLETE = 0x40049801;
// The longest message: OPEN with keys of 255 bytes.
inline constexpr uint32_t kLargestMessage = 32 + 256 + 255;

}  // namespace coldread
