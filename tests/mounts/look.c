/* Reads a file in one of the ways in which programs read: usage: look HOW FILE.
 *   whole    from end to end, 64 KiB at a time      mmap     every page, one after the other
 *   random   64 pages here and there                touch    64 pages here and there, mapped
 *   threads  eight threads, each an eighth          back     the last 64 pages, backwards
 * Prints a sum of what it read, or why it could not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, BUFFER = 65536, PAGES = 64, THREADS = 8 };

static const char* path;
static int64_t size;
static uint64_t sum; /* of `threads`: by whatever thread, so that the order does not matter */

static void add(const char* bytes, ssize_t count) {
  uint64_t part = 0;

  for (ssize_t i = 0; i < count; i++) part = part * 31 + (unsigned char)bytes[i];
  __atomic_add_fetch(&sum, part, __ATOMIC_RELAXED);
}

static int failed(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  return 1;
}

static int read_range(int file, int64_t from, int64_t to) {
  static __thread char buffer[BUFFER];

  while (from < to) {
    const ssize_t got = pread(file, buffer, BUFFER, from);

    if (got <= 0) return failed(path);
    add(buffer, got);
    from += got;
  }
  return 0;
}

/* The same pages everywhere: a linear congruential generator. */
static int64_t random_page(void) {
  static uint64_t state = 1;

  state = state * 6364136223846793005U + 1442695040888963407U;
  return (int64_t)((state >> 33) % (uint64_t)((size + PAGE - 1) / PAGE)) * PAGE;
}

static void* read_part(void* number) {
  const int file = open(path, O_RDONLY);
  const int64_t part = size / THREADS / PAGE * PAGE;
  const int64_t from = (int64_t)(intptr_t)number * part;

  if (file < 0 || read_range(file, from, from + part) != 0) exit(1);
  close(file);
  return NULL;
}

int main(int argc, char** argv) {
  const char* const how = argc == 3 ? argv[1] : "";
  const int file = argc == 3 ? open(path = argv[2], O_RDONLY) : -1;
  struct stat found;
  char page[PAGE];

  if (file < 0 || fstat(file, &found) != 0) return failed(argc == 3 ? path : "usage");
  size = found.st_size;
  if (strcmp(how, "whole") == 0) {
    if (read_range(file, 0, size) != 0) return 1;
  } else if (strcmp(how, "random") == 0 || strcmp(how, "back") == 0) {
    for (int64_t i = 1; i <= PAGES; i++) {
      const int64_t at = *how == 'r' ? random_page() : size / PAGE * PAGE - i * PAGE;
      const ssize_t got = pread(file, page, PAGE, at);

      if (got <= 0) return failed(path);
      add(page, got);
    }
  } else if (strcmp(how, "threads") == 0) {
    pthread_t threads[THREADS];

    for (intptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, read_part, (void*)i);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  } else {
    const char* const memory = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file, 0);

    if (memory == MAP_FAILED) return failed(path);
    if (strcmp(how, "mmap") == 0)
      for (int64_t at = 0; at < size; at += PAGE) add(memory + at, 1);
    else
      for (int i = 0; i < PAGES; i++) add(memory + random_page(), 1);
  }
  printf("%016llx\n", (unsigned long long)sum);
  return 0;
}
