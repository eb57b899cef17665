/* SPDX-License-Identifier: MIT */
/*
 * Keeps gcov's counters of a User-Mode Linux kernel in a file while they count; `build --coverage`
 * links this in.
 *
 * libgcov writes counters when a program ends in good order, which a guest that hangs or is killed
 * never does. Here the pages they lie in become pages of a file: nothing is lost however a guest
 * ends. The kernel is a program of the host; this runs before its main(). In the environment:
 *   COLDREAD_COUNTERS=ADDRESS:LENGTH:FILE
 *       where the counters are (hexadecimal), and the file to keep them in, from zero
 *   COLDREAD_GCDA=DIRECTORY
 *       boot nothing: write what FILE has as .gcda files, each at the path in DIRECTORY that its
 *       object has in the kernel's tree
 *   COLDREAD_PAUSES=NAME
 *       the pauses of that name in pauses.txt are made
 */
#include <errno.h>
#include <fcntl.h>
#include <gcov.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

/* From -fprofile-info-section=gcov_info, one for each object. */
extern const struct gcov_info *const __start_gcov_info[];
extern const struct gcov_info *const __stop_gcov_info[];

/* Objects refer to it, only libgcov would call it. */
void __gcov_merge_add(int64_t *counters, unsigned count);
void __gcov_merge_add(int64_t *counters, unsigned count)
{
}

/* The kernel asks before each pause. */
static const char *pauses;

int coldread_pauses(const char *name);
int coldread_pauses(const char *name)
{
	return pauses && strcmp(pauses, name) == 0;
}

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		fail(path);
	return fd;
}

/* Other variables of the kernel share the first and the last page; they do not mind. */
static void map_counters(char *counters, size_t length, const char *path)
{
	size_t before = (uintptr_t)counters % PAGE;
	int fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);

	counters -= before;
	length = (before + length + PAGE - 1) / PAGE * PAGE;
	if (write(fd, counters, length) != (ssize_t)length ||
	    mmap(counters, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		    MAP_FAILED)
		fail(path);
	close(fd);
}

static void read_counters(char *counters, size_t length, const char *path)
{
	int fd = open_file(path, O_RDONLY);

	if (pread(fd, counters, length, (uintptr_t)counters % PAGE) != (ssize_t)length)
		fail(path);
	close(fd);
}

struct output {
	const char *directory;
	int fd;
};

static void open_gcda(const char *name, void *argument)
{
	struct output *output = argument;
	const char *inside = NULL;
	static char path[PATH_MAX];

	/* All that counts is below fs/; what stands before it is where the tree was built. */
	for (const char *at = name; (at = strstr(at, "/fs/")) != NULL; at++)
		inside = at;
	if (!inside || strlen(output->directory) + strlen(inside) >= sizeof(path))
		fail(name);
	strcpy(path, output->directory);
	strcat(path, inside);
	output->fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
}

static void write_gcda(const void *bytes, unsigned length, void *argument)
{
	struct output *output = argument;

	if (write(output->fd, bytes, length) != (ssize_t)length)
		fail(output->directory);
}

static void *allocate(unsigned length, void *argument)
{
	return malloc(length);
}

static void write_all(const char *directory)
{
	struct output output = { directory, -1 };

	for (const struct gcov_info *const *info = __start_gcov_info;
	     info != __stop_gcov_info; info++) {
		__gcov_info_to_gcda(*info, open_gcda, write_gcda, allocate, &output);
		close(output.fd);
	}
	_exit(0);
}

__attribute__((constructor)) static void keep_counters(void)
{
	const char *setting = getenv("COLDREAD_COUNTERS");
	const char *directory = getenv("COLDREAD_GCDA");
	char *counters, *end;
	size_t length;

	pauses = getenv("COLDREAD_PAUSES");
	if (!setting)
		return;
	counters = (char *)strtoul(setting, &end, 16);
	length = strtoul(end + (*end == ':'), &end, 16);
	errno = EINVAL;
	if (!counters || !length || *end != ':')
		fail(setting);
	if (!directory)
		return map_counters(counters, length, end + 1);
	read_counters(counters, length, end + 1);
	write_all(directory);
}
