/* The simplest daemon: waits in poll(), reads a message, answers it. It ends when somebody sends it
 * a SIGTERM; the cache ends with it.
 *
 * usage: blocking CACHE_DIRECTORY BLOB_DIRECTORY */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "fuse/daemons/daemon.h"

int main(int argc, char** argv) {
  struct message message;
  int device, blobs;

  if (argc != 3) {
    fprintf(stderr, "usage: blocking CACHE_DIRECTORY BLOB_DIRECTORY\n");
    return 2;
  }
  blobs = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (blobs < 0) {
    perror(argv[2]);
    return 1;
  }
  device = start_cache(argv[1], "blocking");
  if (device < 0) return 1;
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    struct pollfd waited = {device, POLLIN, 0};
    ssize_t size;

    if (poll(&waited, 1, -1) < 0 && errno != EINTR) break;
    if (waited.revents & (POLLERR | POLLHUP)) break;
    size = read(device, &message, sizeof(message));
    if (size < 0) {
      perror("read");
      return 1;
    }
    if (size > 0) handle_message(device, &message, blobs);
  }
  return 0;
}
