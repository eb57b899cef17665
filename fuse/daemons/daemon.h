/* What every user daemon of cachefiles' on-demand mode does, whatever its loop looks like.
 *
 * The daemon serves a directory of blobs: a cookie's key is the name of its blob. It needs nothing
 * but <sys/ioctl.h> and runs unchanged on a kernel with the mode and under `coldread exec`.
 *
 *   open /dev/cachefiles                     once; a second opener gets EBUSY
 *   write "dir DIR", "tag TAG", "bind ondemand"
 *   poll it; read one message for each read()
 *     OPEN   brings a descriptor for the object; answered by writing "copen ID,SIZE" (or a negative
 *            errno) to the device
 *     READ   a range that is not in the cache: write it through the descriptor, then
 *            ioctl(descriptor, READ_COMPLETE, ID)
 *     CLOSE  the object is not used any more: close the descriptor; no answer
 */
#ifndef COLDREAD_DAEMON_H
#define COLDREAD_DAEMON_H

#include <stdint.h>

enum { OP_OPEN, OP_CLOSE, OP_READ };

struct message {
  uint32_t id;
  uint32_t opcode;
  uint32_t length; /* of all of it */
  uint32_t object;
  union {
    struct {
      uint32_t volume_key_size; /* with its NUL */
      uint32_t cookie_key_size; /* without one */
      uint32_t fd;
      uint32_t flags;
      char keys[992];
    } open;
    struct {
      uint64_t offset;
      uint64_t length;
    } read;
  };
};

#define READ_COMPLETE 0x40049801u /* _IOW(0x98, 1, int); the id is the argument itself */

/* An object that is open: its number, the descriptor that came with OPEN, its blob. */
struct object {
  uint32_t id;
  int fd;
  int blob;
};

/* Opens the device and binds a cache in `directory`; the device, or -1 after a message. */
int start_cache(const char* directory, const char* tag);

/* Does what a message asks for; may be called by several threads. 0, or -1 after a message. */
int handle_message(int device, const struct message* message, int blobs);

/* Writes one command to the device: 0, or -1 after a message. */
int command(int device, const char* format, ...) __attribute__((format(printf, 2, 3)));

/* The objects that are open, for handing them over: at most `room`. And back again. */
int open_objects(struct object* objects, int room);
void adopt_object(const struct object* object);

#endif
