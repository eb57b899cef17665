/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's two files call of each other. Each function is one ioctl; see coldread_netfs.h for what it
 * answers.
 */
#ifndef COLDREAD_NETFS_IO_H
#define COLDREAD_NETFS_IO_H

#include <linux/fscache.h>

#include "coldread_netfs.h"

/* The cookie of this number, NULL if there is none. Counts a use in or out. */
struct fscache_cookie *find_cookie(u32 number, int use);

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

#endif
