/* What daemons do with the device, one case at a time: usage: cases NAME. Prints what came of it,
 * with errnos as negative numbers. Needs nothing but a C library, so that it can be built in every
 * way that daemons are. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#if __has_include(<linux/seccomp.h>) /* a C library alone does not bring it */
#include <linux/filter.h>
#include <linux/seccomp.h>
#endif

#define DEVICE "/dev/cachefiles"
#define READ_COMPLETE 0x40049801

static long show(const char* what, long result) {
  if (result < 0) result = -errno;
  printf("%s %ld\n", what, result);
  fflush(stdout);
  return result;
}

static int open_device(void) {
  return (int)show("open", open(DEVICE, O_RDWR));
}

/* Reads one message and shows its opcode, and the fd of an OPEN; returns that. */
static int read_message(int device) {
  uint32_t message[256];
  long size = show("read", read(device, message, sizeof(message)));

  if (size < 16) return -1;
  printf("opcode %u id %u\n", message[1], message[0]);
  if (message[1] != 0) return -1;
  printf("fd %u\n", message[6]);
  fflush(stdout);
  return (int)message[6];
}

static void case_cold_read(void) {
  int device = open_device();
  int fd = read_message(device);

  show("pwrite", pwrite(fd, "hello", 5, 0));
  show("flags", fcntl(fd, F_GETFL) & O_ACCMODE);
  show("close-on-exec", fcntl(fd, F_GETFD));
  read_message(device);
  show("complete", ioctl(fd, READ_COMPLETE, 7));
  show("complete", ioctl(fd, READ_COMPLETE, 100));
  show("empty", read(device, &fd, 4));
}

static void case_ways_to_open(void) {
  uint64_t how[3] = {O_RDWR | O_CLOEXEC, 0, 0};
  int dev = open("/dev", O_RDONLY | O_DIRECTORY);
  int fd;

  fd = (int)show("openat", openat(AT_FDCWD, "/dev/../dev//cachefiles", O_RDWR));
  show("close-on-exec", fcntl(fd, F_GETFD));
  fd = (int)show("openat dir", openat(dev, "cachefiles", O_RDWR | O_CLOEXEC));
  show("close-on-exec", fcntl(fd, F_GETFD));
  if (chdir("/dev") == 0) show("relative", open("./cachefiles", O_RDWR));
  show("openat2", syscall(437, AT_FDCWD, DEVICE, how, sizeof(how)));
#ifdef SYS_open
  show("open call", syscall(SYS_open, DEVICE, O_RDWR));
#endif
}

static void case_other_files(void) {
  uint64_t how[3] = {O_RDWR, 0, 0};
  char name[] = "/tmp/coldread-cachefiles-XXXXXX";
  char text[8];
  int fd = mkstemp(name);

  unlink(name);
  show("mkstemp", fd >= 0);
  show("write", write(fd, "own", 3));
  show("null", open("/dev/null", O_RDWR) >= 0);
  show("missing", open("/nowhere/cachefiles", O_RDWR));
  show("bad path", open((char*)16, O_RDWR));
  show("openat2 missing", syscall(437, AT_FDCWD, "/nowhere", how, sizeof(how)));
  show("bad how", syscall(437, AT_FDCWD, DEVICE, (void*)16, sizeof(how)));
  /* A file of its own at a watched number. */
  show("dup2", dup2(fd, 992) == 992);
  show("seek", lseek(992, 0, SEEK_SET));
  show("read", read(992, text, sizeof(text)));
  show("dup", dup(992) < 992);
  show("ioctl", ioctl(fd, READ_COMPLETE, 1));
}

static void case_dup(void) {
  int device = open_device();
  int copy = (int)show("dup", dup(device));

  read_message(copy);
  copy = (int)show("dupfd", fcntl(device, F_DUPFD, 1000));
  show("close-on-exec", fcntl(copy, F_GETFD));
  copy = (int)show("dupfd cloexec", fcntl(device, F_DUPFD_CLOEXEC, 3));
  show("close-on-exec", fcntl(copy, F_GETFD));
  show("dup3", dup3(device, 1010, O_CLOEXEC));
  show("close-on-exec", fcntl(1010, F_GETFD));
  show("dup2", dup2(device, 1011));
  show("dup2 same", dup2(device, device));
  show("dup3 same", dup3(device, device, 0));
  show("dup2 low", dup2(device, 5));
  show("dupfd high", fcntl(device, F_DUPFD, 1024));
  read_message(1011);
  show("close", close(device));
  read_message(1010);
}

static void case_fork(void) {
  int device = open_device();

  if (fork() == 0) {
    read_message(device);
    _exit(0);
  }
  wait(NULL);
  read_message(device);
}

static void* read_in_thread(void* device) {
  read_message(*(int*)device);
  return NULL;
}

static void case_threads(void) {
  int device = open_device();
  pthread_t thread;

  for (int i = 0; i < 2; i++) {
    pthread_create(&thread, NULL, read_in_thread, &device);
    pthread_join(thread, NULL);
  }
}

static void case_no_numbers(void) {
  int device = open_device();
  struct rlimit limit = {0, 0};

  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = (rlim_t)dup(0); /* the next to be used */
  close((int)limit.rlim_cur);
  setrlimit(RLIMIT_NOFILE, &limit);
  read_message(device);
  limit.rlim_cur++;
  setrlimit(RLIMIT_NOFILE, &limit);
  read_message(device);
}

static void case_bad_memory(void) {
  int device = open_device();
  static const char constant[1024];
  void* volatile nowhere = (void*)16;
  void* volatile unwritable = (void*)constant;

  show("read", read(device, nowhere, 1024));
  show("read", read(device, unwritable, 1024));
  show("short", read(device, nowhere, 8));
  read_message(device);
}

static void case_setuid(void) {
  int device = open_device();

  show("setuid", setresuid(65534, 65534, 65534));
  show("again", open(DEVICE, O_RDWR));
  read_message(device);
}

/* Reads at numbers at which the supervisor does not look. */
static void case_low_number(void) {
  int device = open_device();

  show("dup2", dup2(device, 7));
  close(device);
  read_message(7);
}

/* A program that wants a listener of its own. */
static void case_second_listener(void) {
#ifdef SECCOMP_FILTER_FLAG_NEW_LISTENER
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &allow};

  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  show("seccomp",
       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
#endif
}

/* What FUSE answers by itself, or has no way to hand on. */
static void case_as_a_kernel(void) {
  int device = (int)show("read only", open(DEVICE, O_RDONLY));
  uint32_t message[256];
  int fd, other;

  show("read", read(device, message, sizeof(message)));
  fd = (int)message[6];
  printf("fd %d\n", fd);
  other = (int)show("write only", open(DEVICE, O_WRONLY));
  show("read", read(other, message, sizeof(message)));
  show("lseek", lseek(other, 12, SEEK_END));
  show("lseek", lseek(fd, 0, SEEK_CUR));
  show("ioctl", ioctl(fd, 0x40049802, 100));
  // AddressSanitizer looks at as much memory as the answers say.
  static const char enough[100];
  show("nothing", write(other, enough, 0));
  show("nothing", pwrite(fd, enough, 0, 9));
  show("something", write(fd, "hello", 5));
  show("other", lseek(open("/dev/null", O_RDONLY), 0, SEEK_CUR));
}

/* Calls that a supervisor looks at, with arguments that are nothing: for the errors to be compared
 * with those of a kernel to which nobody looks. */
static void case_bad_arguments(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* edge = memory + page;
  uint64_t how[3] = {O_RDWR, 0, 0};
  uint64_t bad_how[3] = {~0ull, 0, 0};
  int file = open("/dev/null", O_RDWR);
  int closed[] = {-1, 900, 992, 1000, 1023, 1 << 20};
  char* addresses[] = {NULL, (char*)16, edge - 1, edge, (char*)-1, (char*)(1ull << 60)};
  static char longest[5000];

  mprotect(edge, page, PROT_NONE);
  memset(memory, 'x', page);
  memset(longest, 'x', sizeof(longest) - 1);
  for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
    char* at = addresses[i];

    show("openat", openat(AT_FDCWD, at, O_RDWR));
#ifdef SYS_open
    show("open", syscall(SYS_open, at, O_RDWR));
#endif
    show("openat2 path", syscall(437, AT_FDCWD, at, how, sizeof(how)));
    show("openat2 how", syscall(437, AT_FDCWD, DEVICE, at, sizeof(how)));
    show("read", read(992, at, 100));
    show("ioctl", ioctl(file, READ_COMPLETE, at));
    show("dev null", read(file, at, 0));
  }
  show("path without an end", openat(AT_FDCWD, edge - 100, O_RDWR));
  memcpy(edge - sizeof("no/cachefiles") + 1, "no/cachefiles", sizeof("no/cachefiles") - 1);
  show("path up to the edge", openat(AT_FDCWD, edge - sizeof("no/cachefiles") + 1, O_RDWR));
  show("path too long", openat(AT_FDCWD, longest, O_RDWR));
  show("no path", openat(AT_FDCWD, "", O_RDWR));
  show("in no directory", openat(-1, "cachefiles", O_RDWR));
  show("in a file", openat(file, "cachefiles", O_RDWR));
  show("below a file", openat(AT_FDCWD, "/dev/null/cachefiles", O_RDWR));
  show("bad flags", syscall(437, AT_FDCWD, DEVICE, bad_how, sizeof(how)));
  show("no how", syscall(437, AT_FDCWD, DEVICE, how, 0));
  show("short how", syscall(437, AT_FDCWD, DEVICE, how, 8));
  show("as a directory", open(DEVICE, O_RDWR | O_DIRECTORY) < 0);
  show("anew", open(DEVICE, O_RDWR | O_CREAT | O_EXCL | O_DIRECTORY, 0) < 0);
  show("long how", syscall(437, AT_FDCWD, DEVICE, memory, page));
  for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
    int fd = closed[i];

    show("read", read(fd, memory, 1));
    show("write", write(fd, memory, 0));
    show("lseek", lseek(fd, 0, SEEK_SET));
    show("ioctl", ioctl(fd, READ_COMPLETE, 1));
    show("dup", dup(fd));
    show("dup2", dup2(fd, 993));
    show("dup2 to", dup2(file, fd == 1 << 20 ? fd : -1));
    show("dup3", dup3(fd, 994, ~0));
    show("dupfd", fcntl(fd, F_DUPFD, -1));
    show("dupfd", fcntl(fd, F_DUPFD_CLOEXEC, 1 << 30));
  }
}

/* The number that stands in for others is nobody's. */
static void case_stand_in(void) {
  char byte;

  show("read", read(1023, &byte, 1));
}

/* Reads a pipe, which the test turns into a read of the device meanwhile; twice, to see that all is
 * as before behind it. The descriptor stays in a register over both, as an optimizer may have it.
 */
static void case_blocked_read(void) {
  int device = open_device();
  char text[1024];
  long size, fd = 6;

  printf("blocks\n");
  fflush(stdout);
#if defined(__x86_64__)
  size = SYS_read;
  __asm__ volatile("syscall"
                   : "+a"(size), "+D"(fd)
                   : "S"(text), "d"(sizeof(text))
                   : "rcx", "r11", "memory");
#else
  size = read((int)fd, text, sizeof(text));
#endif
  printf("size %ld fd %ld\n", size, fd);
  if (size >= 16) printf("opcode %d message fd %d\n", ((int*)text)[1], ((int*)text)[6]);
  printf("again %ld\n", (long)read(6, text, sizeof(text)));
  close(device);
}

static volatile int signals_handled, signals_call;

static void count_signal(int number) {
  (void)number;
  signals_handled++;
}

/* Up to 20 for each call, each when the one before was handled: a call that nobody has received yet
 * begins anew with every signal. */
static void* send_signals(void* main_thread) {
  for (int call = 0; call < 200; call++) {
    while (signals_call < call) sched_yield();
    for (int i = 0; i < 20 && signals_call == call; i++) {
      int handled_before = signals_handled;

      pthread_kill(*(pthread_t*)main_thread, SIGUSR1);
      while (signals_handled == handled_before && signals_call == call) sched_yield();
    }
  }
  return NULL;
}

/* Signals that are handled do not take a message away from who reads it. */
static void case_signals(void) {
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
  pthread_t self = pthread_self();
  pthread_t thread;
  int device = open_device();
  uint32_t in_order = 0;

  read_message(device);
  read_message(device);
  sigaction(SIGUSR1, &action, NULL);
  pthread_create(&thread, NULL, send_signals, &self);
  for (uint32_t id = 0; id < 200; id++) {
    uint32_t message[8] = {~0u};

    signals_call = (int)id;
    in_order += read(device, message, sizeof(message)) == 32 && message[0] == id;
  }
  signals_call = 200;
  pthread_join(thread, NULL);
  printf("in order %u\n", in_order);
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } cases[] = {
      {"cold-read", case_cold_read},
      {"ways-to-open", case_ways_to_open},
      {"other-files", case_other_files},
      {"dup", case_dup},
      {"fork", case_fork},
      {"threads", case_threads},
      {"no-numbers", case_no_numbers},
      {"bad-memory", case_bad_memory},
      {"setuid", case_setuid},
      {"low-number", case_low_number},
      {"signals", case_signals},
      {"blocked-read", case_blocked_read},
      {"second-listener", case_second_listener},
      {"stand-in", case_stand_in},
      {"bad-arguments", case_bad_arguments},
      {"as-a-kernel", case_as_a_kernel},
  };

  for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
    if (strcmp(argv[1], cases[i].name) == 0) {
      cases[i].run();
      return 0;
    }
  }
  fprintf(stderr, "usage: cases NAME\n");
  return 2;
}
