/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's files call of each other. Most functions are one ioctl; see coldread_netfs.h for what it
 * answers.
 */
#ifndef COLDREAD_NETFS_IO_H
#define COLDREAD_NETFS_IO_H

#include <linux/bvec.h>
#include <linux/fscache.h>
#include <linux/uio.h>

#include "coldread_netfs.h"

/* The cookie of this number, NULL if there is none. Counts a use in or out. */
struct fscache_cookie *find_cookie(u32 number, int use);

/* The resources a call works with: those of an operation that was begun, or `own` with one of its own. */
long begin(struct netfs_cache_resources **cres, struct netfs_cache_resources *own, u32 operation, u32 cookie,
	   bool write);
void end(struct netfs_cache_resources *cres, struct netfs_cache_resources *own);

/* Pages of our own stand for the page cache that a netfs reads into and writes from. */
struct pages {
	struct bio_vec *vec;
	unsigned int count;
	struct iov_iter iter;
};
int alloc_pages_of(struct pages *pages, size_t length, unsigned int direction);
void free_pages_of(struct pages *pages);
/* Copies between user memory and the pages, which begin at `skip`. */
int copy_pages(struct pages *pages, u64 user, size_t skip, size_t length, bool out);

long begin_operation(const struct coldread_operation *call);
long end_operation(const struct coldread_operation *call);
void end_all_operations(void);
/* The inode of `file` is for the cache's trace only. */
long prepare_read(struct coldread_prepare *call, struct file *file);
long cache_read(const struct coldread_io *call);
long prepare_write(struct coldread_range *call);
long query_occupancy(struct coldread_range *call);
long cache_write(const struct coldread_io *call);
long write_to_cache(const struct coldread_io *call);
long issue_write(const struct coldread_issue *call);

#endif
