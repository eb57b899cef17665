/* Several threads wait for messages with one edge-triggered epoll: an edge wakes one of them, which
 * reads until there is nothing left. The others come in with the next edge, so READs of different
 * objects (and of one) are answered side by side.
 *
 * usage: threads CACHE_DIRECTORY BLOB_DIRECTORY [THREADS] */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fuse/daemons/daemon.h"

static int device, blobs, events;

static void* serve(void* unused) {
  (void)unused;
  for (;;) {
    struct epoll_event event;
    struct message message;
    ssize_t size;

    if (epoll_wait(events, &event, 1, -1) < 0) {
      if (errno == EINTR) continue;
      return NULL;
    }
    if (event.events & (EPOLLERR | EPOLLHUP)) return NULL;
    while ((size = read(device, &message, sizeof(message))) > 0)
      handle_message(device, &message, blobs);
    if (size < 0) {
      perror("read");
      return NULL;
    }
  }
}

int main(int argc, char** argv) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  pthread_t threads[64];
  int count = argc == 4 ? atoi(argv[3]) : 4;

  if (argc < 3 || argc > 4 || count < 1 || count > 64) {
    fprintf(stderr, "usage: threads CACHE_DIRECTORY BLOB_DIRECTORY [1..64]\n");
    return 2;
  }
  blobs = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (blobs < 0) {
    perror(argv[2]);
    return 1;
  }
  device = start_cache(argv[1], "threads");
  if (device < 0) return 1;
  events = epoll_create1(EPOLL_CLOEXEC);
  if (events < 0 || epoll_ctl(events, EPOLL_CTL_ADD, device, &event) < 0) {
    perror("epoll");
    return 1;
  }
  printf("ready\n");
  fflush(stdout);
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, serve, NULL);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  return 1;
}
