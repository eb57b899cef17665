/* Serves blobs and writes down every message, in order: usage: noting_daemon CACHE BLOBS LOG [AT].
 *
 *   OPEN VOLUME/COOKIE     READ COOKIE OFFSET+LENGTH     CLOSE COOKIE
 *
 * A READ that has the byte AT of any blob is completed without data. Runs on a real kernel and
 * under `coldread exec` alike. LOG begins with a line "ready".
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuse/daemons/daemon.h"

enum { OBJECTS = 4096 };

static struct name {
  uint32_t object;
  char text[256];
} names[OBJECTS];
static int count;

static const char* name_of(uint32_t object) {
  for (int i = count - 1; i >= 0; i--)
    if (names[i].object == object) return names[i].text;
  return "?";
}

static void note(FILE* log, const struct message* message) {
  switch (message->opcode) {
    case OP_OPEN:
      if (count == OBJECTS) exit(1);
      names[count].object = message->object;
      snprintf(names[count].text, sizeof(names[count].text), "%.*s",
               (int)message->open.cookie_key_size,
               message->open.keys + message->open.volume_key_size);
      count++;
      fprintf(log, "OPEN %s/%s\n", message->open.keys, name_of(message->object));
      break;
    case OP_READ:
      fprintf(log, "READ %s %llu+%llu\n", name_of(message->object),
              (unsigned long long)message->read.offset, (unsigned long long)message->read.length);
      break;
    default:
      fprintf(log, "CLOSE %s\n", name_of(message->object));
  }
  fflush(log);
}

/* Nothing of a READ is left that is to fail; it is completed all the same. */
static void spoil(struct message* message, uint64_t at) {
  if (message->opcode == OP_READ && message->read.offset <= at &&
      at - message->read.offset < message->read.length)
    message->read.length = 0;
}

int main(int argc, char** argv) {
  struct message message;
  const int blobs = argc >= 4 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  FILE* const log = argc >= 4 ? fopen(argv[3], "we") : NULL;
  const int device = blobs >= 0 && log != NULL ? start_cache(argv[1], "noting") : -1;
  const uint64_t fails_at = argc > 4 ? strtoull(argv[4], NULL, 10) : UINT64_MAX;

  if (device < 0) {
    fprintf(stderr, "usage: noting_daemon CACHE_DIRECTORY BLOB_DIRECTORY LOG [AT]\n");
    return 2;
  }
  fprintf(log, "ready\n");
  fflush(log);
  for (;;) {
    struct pollfd waited = {device, POLLIN, 0};

    poll(&waited, 1, -1);
    if (waited.revents & (POLLERR | POLLHUP)) return 0;
    const ssize_t size = read(device, &message, sizeof(message));
    if (size < 0) return 1;
    if (size == 0) continue;
    note(log, &message);
    spoil(&message, fails_at);
    handle_message(device, &message, blobs);
  }
}
