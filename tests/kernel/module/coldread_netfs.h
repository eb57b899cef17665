/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The ioctls of /dev/coldread_netfs, through which a program in a guest calls fscache as a netfs would.
 *
 * Every call is made in the task that calls ioctl() and blocks as long as fscache blocks. Volumes and
 * cookies are named by small numbers that user space chooses; the table is one for the whole machine.
 * Each ioctl returns 0 or more, or sets errno:
 *   EBADF   no volume, cookie or operation is known under this number (never acquired, or relinquished)
 *   EEXIST  acquire, begin: the number is taken and fscache would have given a second one
 *   ENOMEM  acquire: fscache answered NULL
 *   EINVAL  lengths above COLDREAD_MAX_IO, an unknown hole mode, an unknown ioctl: ENOTTY
 * or whatever fscache and the cache answered. User pointers travel as 64-bit numbers.
 */
#ifndef COLDREAD_NETFS_H
#define COLDREAD_NETFS_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define COLDREAD_NETFS_DEVICE "/dev/coldread_netfs"
#define COLDREAD_MAX_IO (64u << 20) /* bytes of one cache read or write */

struct coldread_volume {
	__u32 volume;
	__u32 coherency_length; /* bytes, at most 255 */
	__u64 key;              /* pointer to a NUL-terminated string */
	__u64 cache;            /* likewise, or 0: any cache */
	__u64 coherency;        /* pointer; 0 if the length is */
	__u32 invalidate;       /* relinquish: the cache shall drop the volume */
	__u32 reserved;
};

struct coldread_cookie {
	__u32 cookie;
	__u32 volume;
	__u32 advice; /* FSCACHE_ADV_*: 0x04 is "want cache size" */
	__u32 key_length;
	__u64 key; /* pointer */
	__u32 aux_length;
	__u32 reserved;
	__u64 aux;         /* pointer; 0 if the length is */
	__u64 object_size; /* bytes */
};

/* use: flag is will_modify; unuse, update: is object_size given; relinquish: retire; invalidate: by direct I/O */
struct coldread_cookie_call {
	__u32 cookie;
	__u32 flag;
	__u64 object_size; /* bytes; COLDREAD_COOKIE_SIZE: filled in */
	__u64 aux;         /* unuse, update, invalidate: pointer to as many bytes as the cookie has aux, or 0 */
};

/* begin: keeps an operation on the cookie; end: gives it back */
struct coldread_operation {
	__u32 operation; /* a number, not 0 */
	__u32 cookie;
	__u32 write; /* begin_write_operation instead of begin_read_operation */
	__u32 reserved;
};

enum coldread_source {
	COLDREAD_SOURCE_UNKNOWN,
	COLDREAD_FILL_WITH_ZEROES,
	COLDREAD_DOWNLOAD_FROM_SERVER,
	COLDREAD_READ_FROM_CACHE,
	COLDREAD_INVALID_READ,
};

#define COLDREAD_SUBREQUEST_ONDEMAND 1u
#define COLDREAD_SUBREQUEST_COPY_TO_CACHE 2u

/* Calls that need an operation use the one named, or, if that is 0, begin and end one on the cookie. */
struct coldread_prepare {
	__u32 cookie;
	__u32 flags; /* in and out: COLDREAD_SUBREQUEST_* */
	__u64 start;
	__u64 length; /* in and out: the cache may shorten it */
	__s64 i_size;
	__u32 source; /* out: enum coldread_source */
	__u32 operation;
};

/* prepare_write: where the cache wants the write to begin and how long; query_occupancy: what it has */
struct coldread_range {
	__u32 cookie;
	__u32 operation;
	__u64 start;  /* in and out */
	__u64 length; /* in and out */
	__u64 limit;  /* prepare_write: upper_len, where the kernel has one; query_occupancy: granularity */
	__s64 i_size; /* prepare_write */
	__u32 no_space_allocated_yet; /* prepare_write */
	__u32 reserved;
};

enum coldread_hole { COLDREAD_HOLE_IGNORE, COLDREAD_HOLE_CLEAR, COLDREAD_HOLE_FAIL };

/* sync: no completion is given, and the answer is what the call itself returns. */
struct coldread_io {
	__u32 cookie;
	__u32 operation;
	__u32 hole; /* read: enum coldread_hole */
	__u32 sync;
	__u64 start;
	__u64 length;
	__u64 buffer; /* pointer */
};

/* What the netfs library does with a part of a write-back since 6.10; EOPNOTSUPP before. */
struct coldread_issue {
	__u32 cookie;
	__u32 operation;
	__u64 start;
	__u64 length;
	__u64 buffer; /* pointer */
	__s64 i_size;
	__u64 extendable_to; /* so much behind the end may be written, too */
};

#define COLDREAD_IOC 0xc7
#define COLDREAD_ACQUIRE_VOLUME _IOW(COLDREAD_IOC, 1, struct coldread_volume)
#define COLDREAD_RELINQUISH_VOLUME _IOW(COLDREAD_IOC, 2, struct coldread_volume)
#define COLDREAD_ACQUIRE_COOKIE _IOW(COLDREAD_IOC, 3, struct coldread_cookie)
#define COLDREAD_RELINQUISH_COOKIE _IOW(COLDREAD_IOC, 4, struct coldread_cookie_call)
#define COLDREAD_USE_COOKIE _IOW(COLDREAD_IOC, 5, struct coldread_cookie_call)
#define COLDREAD_UNUSE_COOKIE _IOW(COLDREAD_IOC, 6, struct coldread_cookie_call)
#define COLDREAD_INVALIDATE _IOW(COLDREAD_IOC, 7, struct coldread_cookie_call)
#define COLDREAD_RESIZE _IOW(COLDREAD_IOC, 8, struct coldread_cookie_call)
#define COLDREAD_COOKIE_SIZE _IOWR(COLDREAD_IOC, 9, struct coldread_cookie_call)
#define COLDREAD_PREPARE_READ _IOWR(COLDREAD_IOC, 10, struct coldread_prepare)
#define COLDREAD_CACHE_READ _IOW(COLDREAD_IOC, 11, struct coldread_io)
#define COLDREAD_CACHE_WRITE _IOW(COLDREAD_IOC, 12, struct coldread_io)
/* End, unuse and relinquish whatever is left; only when no other call is under way. */
#define COLDREAD_RESET _IO(COLDREAD_IOC, 13)
#define COLDREAD_UPDATE_COOKIE _IOW(COLDREAD_IOC, 14, struct coldread_cookie_call)
#define COLDREAD_BEGIN_OPERATION _IOW(COLDREAD_IOC, 15, struct coldread_operation)
#define COLDREAD_END_OPERATION _IOW(COLDREAD_IOC, 16, struct coldread_operation)
#define COLDREAD_PREPARE_WRITE _IOWR(COLDREAD_IOC, 17, struct coldread_range)
#define COLDREAD_QUERY_OCCUPANCY _IOWR(COLDREAD_IOC, 18, struct coldread_range)
/* fscache_write_to_cache(), from pages made for the purpose; i_size is the cookie's object size */
#define COLDREAD_WRITE_TO_CACHE _IOW(COLDREAD_IOC, 19, struct coldread_io)
/* The answer is what the library counts as transferred, or the error. */
#define COLDREAD_ISSUE_WRITE _IOW(COLDREAD_IOC, 21, struct coldread_issue)
#define COLDREAD_NOTE_PAGE_RELEASE _IOW(COLDREAD_IOC, 20, struct coldread_cookie_call)

#endif
