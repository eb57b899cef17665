/* Messages and their answers; see daemon.h. */
#define _GNU_SOURCE
#include "fuse/daemons/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_OBJECTS = 1024, PIECE = 1 << 20, BLOCK = 4096 };

static struct object objects[MAX_OBJECTS]; /* fd 0: unused */
static pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER;

int command(int device, const char* format, ...) {
  char text[512];
  va_list arguments;
  int length;

  va_start(arguments, format);
  length = vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  if (write(device, text, (size_t)length) == length) return 0;
  fprintf(stderr, "daemon: %s: %s\n", text, strerror(errno));
  return -1;
}

int start_cache(const char* directory, const char* tag) {
  int device = open("/dev/cachefiles", O_RDWR);

  if (device < 0) {
    perror("daemon: /dev/cachefiles");
    return -1;
  }
  if (command(device, "dir %s", directory) < 0 || command(device, "tag %s", tag) < 0 ||
      command(device, "bind ondemand") < 0) {
    close(device);
    return -1;
  }
  return device;
}

static void remember(const struct object* object) {
  pthread_mutex_lock(&objects_lock);
  for (int i = 0; i < MAX_OBJECTS; i++) {
    if (objects[i].fd == 0) {
      objects[i] = *object;
      break;
    }
  }
  pthread_mutex_unlock(&objects_lock);
}

/* Looks the object up and, if `forget`, takes it out. An unknown one has fd 0. */
static struct object find(uint32_t id, int forget) {
  struct object found = {0};

  pthread_mutex_lock(&objects_lock);
  for (int i = 0; i < MAX_OBJECTS; i++) {
    if (objects[i].fd != 0 && objects[i].id == id) {
      found = objects[i];
      if (forget) objects[i].fd = 0;
      break;
    }
  }
  pthread_mutex_unlock(&objects_lock);
  return found;
}

int open_objects(struct object* out, int room) {
  int count = 0;

  pthread_mutex_lock(&objects_lock);
  for (int i = 0; i < MAX_OBJECTS && count < room; i++) {
    if (objects[i].fd != 0) out[count++] = objects[i];
  }
  pthread_mutex_unlock(&objects_lock);
  return count;
}

void adopt_object(const struct object* object) {
  remember(object);
}

static int handle_open(int device, const struct message* message, int blobs) {
  const char* key = message->open.keys + message->open.volume_key_size;
  struct object object = {message->object, (int)message->open.fd, -1};
  char name[256];
  struct stat blob;

  snprintf(name, sizeof(name), "%.*s", (int)message->open.cookie_key_size, key);
  object.blob = openat(blobs, name, O_RDONLY | O_CLOEXEC);
  if (object.blob < 0 || fstat(object.blob, &blob) < 0) {
    command(device, "copen %u,%d", message->id, -ENOENT);
    close(object.fd);
    return 0;
  }
  remember(&object);
  return command(device, "copen %u,%lld", message->id, (long long)blob.st_size);
}

/* Whole blocks are written: the cache does direct I/O. What is behind the blob's end is zeros. */
static int copy_range(const struct object* object, uint64_t offset, uint64_t length) {
  static _Thread_local char* piece;
  int result = -1;

  if (piece == NULL && posix_memalign((void**)&piece, BLOCK, PIECE) != 0) return -1;
  while (length > 0) {
    size_t wanted = length < PIECE ? (size_t)length : PIECE;
    ssize_t got = pread(object->blob, piece, wanted, (off_t)offset);

    if (got < 0) return -1;
    memset(piece + got, 0, wanted - (size_t)got);
    if (pwrite(object->fd, piece, wanted, (off_t)offset) != (ssize_t)wanted) return -1;
    offset += wanted;
    length -= wanted;
    result = 0;
  }
  return result;
}

static int handle_read(const struct message* message) {
  struct object object = find(message->object, 0);

  if (object.fd == 0) {
    fprintf(stderr, "daemon: READ of object %u, which is not open\n", message->object);
    return -1;
  }
  /* The READ is completed in any case: the reader sees that nothing was written, and fails. */
  if (copy_range(&object, message->read.offset, message->read.length) < 0)
    perror("daemon: writing to the cache");
  if (ioctl(object.fd, READ_COMPLETE, (unsigned long)message->id) < 0) {
    perror("daemon: READ_COMPLETE");
    return -1;
  }
  return 0;
}

static int handle_close(const struct message* message) {
  struct object object = find(message->object, 1);

  if (object.fd != 0) {
    close(object.blob);
    close(object.fd);
  }
  return 0;
}

int handle_message(int device, const struct message* message, int blobs) {
  switch (message->opcode) {
    case OP_OPEN:
      return handle_open(device, message, blobs);
    case OP_READ:
      return handle_read(message);
    case OP_CLOSE:
      return handle_close(message);
    default:
      fprintf(stderr, "daemon: unknown message %u\n", message->opcode);
      return -1;
  }
}
