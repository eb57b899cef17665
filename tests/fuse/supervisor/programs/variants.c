// Daemons that do something unusual with the device before they serve: usage:
// variants WHAT CACHE_DIRECTORY BLOB_DIRECTORY. Prints "ready" when the cache is bound.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse/daemons/daemon.h"

static int blobs;

static void ready(void) {
  printf("ready\n");
  fflush(stdout);
}

static void show(const char* what, long result) {
  printf("%s %ld\n", what, result < 0 ? -(long)errno : result);
  fflush(stdout);
}

static long wait_and_read(int device, void* message, size_t size) {
  struct pollfd waited = {device, POLLIN, 0};

  poll(&waited, 1, -1);
  return read(device, message, size);
}

static void serve(int device) {
  struct message message;
  long size;

  while ((size = wait_and_read(device, &message, sizeof(message))) >= 0) {
    if (size > 0) handle_message(device, &message, blobs);
  }
  show("read", size);
}

// Serves with a copy, the original being closed.
static void copy(int device) {
  int other = dup(device);

  close(device);
  ready();
  serve(other);
}

// A child serves; the parent, which opened the device, is gone.
static void child(int device) {
  if (fork() != 0) _exit(0);
  ready();
  serve(device);
}

// Gives up its rights when it has what it needs.
static void unprivileged(int device) {
  show("setresuid", setresuid(65534, 65534, 65534));
  ready();
  serve(device);
}

// At a number that ordinary files have.
static void low(int device) {
  show("dup2", dup2(device, 5));
  close(device);
  ready();
  serve(5);
}

// The same, below somebody who traces it already, so that nobody else can.
static void traced(int device) {
  int start[2], status;
  char byte;
  pid_t daemon;

  if (pipe(start) != 0) return;
  daemon = fork();
  if (daemon == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(start[0], &byte, 1) == 1) low(device);
    _exit(0);
  }
  close(device);
  show("seize", ptrace(PTRACE_SEIZE, daemon, 0, 0));
  if (write(start[1], "", 1) != 1) return;
  while (waitpid(daemon, &status, 0) == daemon && WIFSTOPPED(status)) {
    ptrace(PTRACE_CONT, daemon, 0, WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status));
  }
}

// The first OPEN finds no number, the second bad memory; those after them are served.
static void careless(int device) {
  struct rlimit limit;
  rlim_t before;
  struct message message;

  getrlimit(RLIMIT_NOFILE, &limit);
  before = limit.rlim_cur;
  limit.rlim_cur = (rlim_t)dup(0);
  close((int)limit.rlim_cur);
  ready();
  setrlimit(RLIMIT_NOFILE, &limit);
  show("no number", wait_and_read(device, &message, sizeof(message)));
  limit.rlim_cur = before;
  setrlimit(RLIMIT_NOFILE, &limit);
  show("bad memory", wait_and_read(device, (void*)(size_t)getpagesize() /* nothing there */, 1024));
  serve(device);
}

// Opens and closes; the device has one opener at a time, and close() is the end of it.
static void reopen(int device) {
  int failed = 0;

  for (int i = 0; i < 500; i++) {
    close(device);
    device = open("/dev/cachefiles", O_RDWR);
    failed += device < 0;
  }
  printf("failed %d\n", failed);
  show("second", open("/dev/cachefiles", O_RDWR));
}

// Commands on names in the working directory; "obj" is one that this cache does not know.
static void names(int device, const char* cache) {
  ready();
  show("cull elsewhere", write(device, "cull obj", 8));
  if (chdir(cache) != 0) perror(cache);
  show("missing", write(device, "cull missing", 12));
  show("inuse", write(device, "inuse obj", 9));
  show("cull", write(device, "cull obj", 8));
  show("gone", access("obj", F_OK));
}

// What was opened by whoever started this program, as descriptor 3: `exec 3<>/dev/cachefiles`.
static int inherited(const char* cache) {
  if (command(3, "dir %s", cache) < 0 || command(3, "bind ondemand") < 0) return 1;
  ready();
  serve(3);
  return 0;
}

int main(int argc, char** argv) {
  int device;

  if (argc != 4) return 2;
  blobs = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (strcmp(argv[1], "inherited") == 0) return inherited(argv[2]);
  device = start_cache(argv[2], "variants");
  if (device < 0) return 1;
  if (strcmp(argv[1], "copy") == 0) copy(device);
  if (strcmp(argv[1], "child") == 0) child(device);
  if (strcmp(argv[1], "unprivileged") == 0) unprivileged(device);
  if (strcmp(argv[1], "low") == 0) low(device);
  if (strcmp(argv[1], "traced") == 0) traced(device);
  if (strcmp(argv[1], "careless") == 0) careless(device);
  if (strcmp(argv[1], "reopen") == 0) reopen(device);
  if (strcmp(argv[1], "names") == 0) names(device, argv[2]);
  return 0;
}
