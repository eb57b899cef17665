/* Fail-over: a daemon that keeps copies of its descriptors with somebody else, so that a successor
 * can go on where it was killed.
 *
 *   failover keep SOCKET                    holds descriptors for others, forever
 *   failover serve SOCKET CACHE BLOBS       takes what is kept, or starts the cache; then serves
 *
 * The kernel closes an object when the last copy of its descriptor is gone, and the cache when the
 * last copy of the device's is: while the keeper has them, requests wait. The successor writes
 * "restore", whereupon the requests that its predecessor had read and not answered are delivered
 * again. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuse/daemons/daemon.h"

enum { MAX_KEPT = 256 };

/* What travels beside a descriptor. id 0 is the device, others are objects; a name is a blob's. */
struct label {
  uint32_t id;
  int last; /* the keeper's: nothing more follows */
  char blob[256];
};

static int connect_or_listen(const char* path, int listening) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
  if (listening) {
    unlink(path);
    if (bind(socket_fd, (struct sockaddr*)&address, sizeof(address)) == 0 &&
        listen(socket_fd, 8) == 0)
      return socket_fd;
  } else if (connect(socket_fd, (struct sockaddr*)&address, sizeof(address)) == 0) {
    return socket_fd;
  }
  perror(path);
  exit(1);
}

static int send_fd(int socket_fd, const struct label* label, int fd) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {.room = {0}};
  struct iovec data = {(void*)label, sizeof(*label)};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

  if (fd >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
  }
  return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* 1 with a label and perhaps a descriptor (else -1), 0 at the end. */
static int receive_fd(int socket_fd, struct label* label, int* fd) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec data = {label, sizeof(*label)};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};

  *fd = -1;
  if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != sizeof(*label)) return 0;
  if (CMSG_FIRSTHDR(&message) != NULL) memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(*fd));
  return 1;
}

/* --- the keeper --- */

static struct label kept[MAX_KEPT];
static int kept_fds[MAX_KEPT];
static int kept_count;

static void forget(uint32_t id) {
  for (int i = 0; i < kept_count; i++) {
    if (kept[i].id == id) {
      close(kept_fds[i]);
      kept_count--;
      kept[i] = kept[kept_count];
      kept_fds[i] = kept_fds[kept_count];
      return;
    }
  }
}

/* A descriptor to be kept, or without one: an object that was closed. */
static void keep_one(const struct label* label, int fd) {
  forget(label->id);
  if (fd >= 0 && kept_count < MAX_KEPT) {
    kept[kept_count] = *label;
    kept_fds[kept_count++] = fd;
  }
}

static __attribute__((noreturn)) void keep(const char* path) {
  int listening = connect_or_listen(path, 1);

  printf("ready\n");
  fflush(stdout);
  for (;;) {
    int daemon = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    struct label label = {.last = 1};
    int fd;

    for (int i = 0; i < kept_count; i++) send_fd(daemon, &kept[i], kept_fds[i]);
    send_fd(daemon, &label, -1);
    while (receive_fd(daemon, &label, &fd)) {
      keep_one(&label, fd);
      /* The daemon goes on only when its descriptor is safe. */
      send_fd(daemon, &label, -1);
    }
    close(daemon);
  }
}

/* --- the daemon --- */

static int keeper = -1;

static void store(const struct label* label, int fd) {
  struct label answer;
  int none;

  if (send_fd(keeper, label, fd) == 0) receive_fd(keeper, &answer, &none);
}

/* The kept descriptors; the device among them, or -1. */
static int take_over(int blobs) {
  struct label label;
  int device = -1;
  int fd;

  while (receive_fd(keeper, &label, &fd) && !label.last) {
    if (label.id == 0) {
      device = fd;
      continue;
    }
    struct object object = {label.id, fd, openat(blobs, label.blob, O_RDONLY | O_CLOEXEC)};

    adopt_object(&object);
  }
  return device;
}

static void keep_message(const struct message* message) {
  struct label label = {.id = message->object};

  if (message->opcode == OP_OPEN) {
    snprintf(label.blob, sizeof(label.blob), "%.*s", (int)message->open.cookie_key_size,
             message->open.keys + message->open.volume_key_size);
    store(&label, (int)message->open.fd);
  } else if (message->opcode == OP_CLOSE) {
    store(&label, -1);
  }
}

static int serve(const char* cache, const char* blob_directory) {
  int blobs = open(blob_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int device = take_over(blobs);
  struct message message;

  if (device >= 0) {
    if (command(device, "restore") < 0) return 1;
    printf("restored\n");
  } else {
    struct label label = {.id = 0};

    device = start_cache(cache, "failover");
    if (device < 0) return 1;
    store(&label, device);
    printf("ready\n");
  }
  fflush(stdout);
  for (;;) {
    struct pollfd waited = {device, POLLIN, 0};
    ssize_t size;

    if (poll(&waited, 1, -1) < 0 && errno != EINTR) return 1;
    if (waited.revents & (POLLERR | POLLHUP)) return 0;
    size = read(device, &message, sizeof(message));
    if (size < 0) {
      perror("read");
      return 1;
    }
    if (size == 0) continue;
    /* In this order: an OPEN that was not answered comes again, with another descriptor, once
     * its first one is closed; were that kept, it would be one too many. */
    handle_message(device, &message, blobs);
    keep_message(&message);
  }
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "keep") == 0) keep(argv[2]);
  if (argc == 5 && strcmp(argv[1], "serve") == 0) {
    keeper = connect_or_listen(argv[2], 0);
    return serve(argv[3], argv[4]);
  }
  fprintf(stderr, "usage: failover keep SOCKET | serve SOCKET CACHE_DIRECTORY BLOB_DIRECTORY\n");
  return 2;
}
