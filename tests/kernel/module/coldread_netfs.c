// SPDX-License-Identifier: GPL-2.0
/*
 * A netfs without a network: gives a program in a guest fscache's API, one ioctl for one call, so that
 * a scenario's netfs steps reach the real kernel exactly as a file system's would.
 *
 * The table's mutex is never held across a call into fscache: those may wait for a user daemon.
 */
#include <linux/bvec.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/fscache.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netfs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <linux/xarray.h>

#include "coldread_netfs.h"

struct handle {
	struct fscache_cookie *cookie;
	unsigned int uses; /* use calls without their unuse */
};

static DEFINE_MUTEX(table_lock);
static DEFINE_XARRAY(volumes); /* number -> struct fscache_volume */
static DEFINE_XARRAY(cookies); /* number -> struct handle */
static unsigned int opens;

/* ---- the table --------------------------------------------------------------------------------- */

static struct fscache_volume *find_volume(u32 number)
{
	return xa_load(&volumes, number);
}

/* The cookie of this number, NULL if there is none. Counts a use in or out. */
static struct fscache_cookie *find_cookie(u32 number, int use)
{
	struct fscache_cookie *cookie = NULL;
	struct handle *handle;

	mutex_lock(&table_lock);
	handle = xa_load(&cookies, number);
	if (handle) {
		cookie = handle->cookie;
		if (use > 0)
			handle->uses++;
		else if (use < 0 && handle->uses)
			handle->uses--;
	}
	mutex_unlock(&table_lock);
	return cookie;
}

static struct fscache_cookie *forget_cookie(u32 number)
{
	struct fscache_cookie *cookie = NULL;
	struct handle *handle;

	mutex_lock(&table_lock);
	handle = xa_erase(&cookies, number);
	if (handle)
		cookie = handle->cookie;
	mutex_unlock(&table_lock);
	kfree(handle);
	return cookie;
}

static void reset_table(void)
{
	struct fscache_volume *volume;
	struct handle *handle;
	unsigned long number;

	xa_for_each(&cookies, number, handle) {
		for (; handle->uses; handle->uses--)
			fscache_unuse_cookie(handle->cookie, NULL, NULL);
		fscache_relinquish_cookie(handle->cookie, false);
		xa_erase(&cookies, number);
		kfree(handle);
	}
	xa_for_each(&volumes, number, volume) {
		xa_erase(&volumes, number);
		fscache_relinquish_volume(volume, NULL, false);
	}
}

/* ---- volumes ----------------------------------------------------------------------------------- */

static void *copy_in(u64 pointer, size_t length)
{
	return length ? memdup_user(u64_to_user_ptr(pointer), length) : NULL;
}

static long keep_volume(u32 number, struct fscache_volume *volume)
{
	int error;

	if (!volume)
		return -ENOMEM;
	if (IS_ERR(volume))
		return PTR_ERR(volume);
	error = xa_insert(&volumes, number, volume, GFP_KERNEL);
	if (!error)
		return 0;
	fscache_relinquish_volume(volume, NULL, false);
	return error == -EBUSY ? -EEXIST : error;
}

static long acquire_volume(const struct coldread_volume *call)
{
	char *key, *cache = NULL;
	void *coherency;
	long result;

	if (call->coherency_length > 255)
		return -EINVAL;
	key = strndup_user(u64_to_user_ptr(call->key), PAGE_SIZE);
	if (IS_ERR(key))
		return PTR_ERR(key);
	if (call->cache)
		cache = strndup_user(u64_to_user_ptr(call->cache), PAGE_SIZE);
	coherency = copy_in(call->coherency, call->coherency_length);
	if (IS_ERR(cache) || IS_ERR(coherency))
		result = -EFAULT;
	else
		result = keep_volume(call->volume, fscache_acquire_volume(key, cache, coherency, call->coherency_length));
	if (!IS_ERR(coherency))
		kfree(coherency);
	if (!IS_ERR(cache))
		kfree(cache);
	kfree(key);
	return result;
}

static long relinquish_volume(const struct coldread_volume *call)
{
	struct fscache_volume *volume = xa_erase(&volumes, call->volume);

	if (!volume)
		return -EBADF;
	fscache_relinquish_volume(volume, NULL, call->invalidate);
	return 0;
}

/* ---- cookies ----------------------------------------------------------------------------------- */

static long keep_cookie(u32 number, struct fscache_cookie *cookie)
{
	struct handle *handle;
	int error;

	if (!cookie)
		return -ENOMEM;
	handle = kzalloc(sizeof(*handle), GFP_KERNEL);
	error = handle ? 0 : -ENOMEM;
	if (handle) {
		handle->cookie = cookie;
		error = xa_insert(&cookies, number, handle, GFP_KERNEL);
	}
	if (!error)
		return 0;
	kfree(handle);
	fscache_relinquish_cookie(cookie, false);
	return error == -EBUSY ? -EEXIST : error;
}

static long acquire_cookie(const struct coldread_cookie *call)
{
	struct fscache_volume *volume = find_volume(call->volume);
	void *key, *aux;
	long result;

	if (!volume)
		return -EBADF;
	if (call->key_length > PAGE_SIZE || call->aux_length > PAGE_SIZE || call->advice > 255)
		return -EINVAL;
	key = copy_in(call->key, call->key_length);
	aux = copy_in(call->aux, call->aux_length);
	if (IS_ERR(key) || IS_ERR(aux))
		result = -EFAULT;
	else
		result = keep_cookie(call->cookie,
				     fscache_acquire_cookie(volume, call->advice, key, call->key_length, aux,
							    call->aux_length, call->object_size));
	if (!IS_ERR(aux))
		kfree(aux);
	if (!IS_ERR(key))
		kfree(key);
	return result;
}

static long relinquish_cookie(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = forget_cookie(call->cookie);

	if (!cookie)
		return -EBADF;
	fscache_relinquish_cookie(cookie, call->flag);
	return 0;
}

static long use_cookie(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, 1);

	if (!cookie)
		return -EBADF;
	fscache_use_cookie(cookie, call->flag);
	return 0;
}

/* unuse and invalidate may bring new auxiliary data, as long as the old. */
static long with_aux(const struct coldread_cookie_call *call, struct fscache_cookie *cookie, bool unuse)
{
	loff_t size = call->object_size;
	void *aux = NULL;

	if (call->aux && cookie->aux_len) {
		aux = memdup_user(u64_to_user_ptr(call->aux), cookie->aux_len);
		if (IS_ERR(aux))
			return PTR_ERR(aux);
	}
	if (unuse)
		fscache_unuse_cookie(cookie, aux, call->flag ? &size : NULL);
	else
		fscache_invalidate(cookie, aux, size, 0);
	kfree(aux);
	return 0;
}

static long unuse_cookie(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, -1);

	return cookie ? with_aux(call, cookie, true) : -EBADF;
}

static long invalidate(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, 0);

	return cookie ? with_aux(call, cookie, false) : -EBADF;
}

static long resize(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, 0);

	if (!cookie)
		return -EBADF;
	fscache_resize_cookie(cookie, call->object_size);
	return 0;
}

static long cookie_size(struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, 0);

	if (!cookie)
		return -EBADF;
	call->object_size = cookie->object_size;
	return 0;
}

/* ---- reading and writing ----------------------------------------------------------------------- */

/* enum netfs_io_source by meaning: its numbers differ between kernels. */
static u32 source_by_meaning(enum netfs_io_source source)
{
	switch (source) {
	case NETFS_FILL_WITH_ZEROES:
		return COLDREAD_FILL_WITH_ZEROES;
	case NETFS_DOWNLOAD_FROM_SERVER:
		return COLDREAD_DOWNLOAD_FROM_SERVER;
	case NETFS_READ_FROM_CACHE:
		return COLDREAD_READ_FROM_CACHE;
	case NETFS_INVALID_READ:
		return COLDREAD_INVALID_READ;
	default:
		return COLDREAD_SOURCE_UNKNOWN;
	}
}

static enum netfs_io_source ask_cache(struct netfs_io_request *request, struct netfs_io_subrequest *part,
				      loff_t i_size)
{
	struct netfs_cache_resources *cres = &request->cache_resources;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	if (test_bit(NETFS_SREQ_ONDEMAND, &part->flags))
		return cres->ops->prepare_ondemand_read(cres, part->start, &part->len, i_size, &part->flags, 0);
#endif
	return cres->ops->prepare_read(part, i_size);
}

static void prepare(struct coldread_prepare *call, struct netfs_io_request *request,
		    struct netfs_io_subrequest *part)
{
	part->rreq = request;
	part->start = call->start;
	part->len = call->length;
	if (call->flags & COLDREAD_SUBREQUEST_ONDEMAND)
		__set_bit(NETFS_SREQ_ONDEMAND, &part->flags);
	if (call->flags & COLDREAD_SUBREQUEST_COPY_TO_CACHE)
		__set_bit(NETFS_SREQ_COPY_TO_CACHE, &part->flags);

	call->source = source_by_meaning(ask_cache(request, part, call->i_size));
	call->length = part->len;
	call->flags = test_bit(NETFS_SREQ_ONDEMAND, &part->flags) ? COLDREAD_SUBREQUEST_ONDEMAND : 0;
	if (test_bit(NETFS_SREQ_COPY_TO_CACHE, &part->flags))
		call->flags |= COLDREAD_SUBREQUEST_COPY_TO_CACHE;
}

static long prepare_read(struct coldread_prepare *call, struct file *file)
{
	struct netfs_io_request *request = kzalloc(sizeof(*request), GFP_KERNEL);
	struct netfs_io_subrequest *part = kzalloc(sizeof(*part), GFP_KERNEL);
	struct fscache_cookie *cookie = find_cookie(call->cookie, 0);
	long result = -ENOMEM;

	if (request && part) {
		request->inode = file_inode(file); /* for the cache's trace only */
		result = cookie ? fscache_begin_read_operation(&request->cache_resources, cookie) : -EBADF;
		if (!result) {
			prepare(call, request, part);
			fscache_end_operation(&request->cache_resources);
		}
	}
	kfree(part);
	kfree(request);
	return result;
}

/* Pages of our own stand for the page cache that a netfs reads into and writes from. */
struct pages {
	struct bio_vec *vec;
	unsigned int count;
	struct iov_iter iter;
};

static void free_pages_of(struct pages *pages)
{
	unsigned int i;

	for (i = 0; i < pages->count; i++)
		__free_page(pages->vec[i].bv_page);
	kvfree(pages->vec);
}

static int alloc_pages_of(struct pages *pages, size_t length, unsigned int direction)
{
	unsigned int count = DIV_ROUND_UP(length, PAGE_SIZE);

	pages->count = 0;
	pages->vec = kvcalloc(count + 1, sizeof(*pages->vec), GFP_KERNEL);
	if (!pages->vec)
		return -ENOMEM;
	for (; pages->count < count; pages->count++) {
		struct bio_vec *vec = &pages->vec[pages->count];

		vec->bv_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!vec->bv_page) {
			free_pages_of(pages);
			return -ENOMEM;
		}
		vec->bv_len = PAGE_SIZE;
	}
	iov_iter_bvec(&pages->iter, direction, pages->vec, count, length);
	return 0;
}

/* Copies between user memory and the pages, which begin at `skip`. */
static int copy_pages(struct pages *pages, u64 user, size_t skip, size_t length, bool out)
{
	size_t done = 0;

	while (done < length) {
		size_t at = skip + done, in_page = at % PAGE_SIZE;
		size_t part = min_t(size_t, length - done, PAGE_SIZE - in_page);
		void *memory = page_address(pages->vec[at / PAGE_SIZE].bv_page) + in_page;
		void __user *place = u64_to_user_ptr(user + done);

		if (out ? copy_to_user(place, memory, part) : copy_from_user(memory, place, part))
			return -EFAULT;
		done += part;
	}
	return 0;
}

struct waiter {
	struct completion done;
	ssize_t result;
};

static void terminated(void *priv, ssize_t transferred_or_error, bool was_async)
{
	struct waiter *waiter = priv;

	waiter->result = transferred_or_error;
	complete(&waiter->done);
}

static long read_pages(const struct coldread_io *call, struct netfs_cache_resources *cres)
{
	static const enum netfs_read_from_hole modes[] = {
		[COLDREAD_HOLE_IGNORE] = NETFS_READ_HOLE_IGNORE,
		[COLDREAD_HOLE_CLEAR] = NETFS_READ_HOLE_CLEAR,
		[COLDREAD_HOLE_FAIL] = NETFS_READ_HOLE_FAIL,
	};
	struct waiter waiter;
	struct pages pages;
	int error = alloc_pages_of(&pages, call->length, ITER_DEST);

	if (error)
		return error;
	init_completion(&waiter.done);
	fscache_read(cres, call->start, &pages.iter, modes[call->hole], terminated, &waiter);
	wait_for_completion(&waiter.done);
	if (waiter.result > 0)
		error = copy_pages(&pages, call->buffer, 0, min_t(size_t, waiter.result, call->length), true);
	free_pages_of(&pages);
	return error ? error : waiter.result;
}

static long cache_read(const struct coldread_io *call)
{
	struct netfs_cache_resources cres = {};
	struct fscache_cookie *cookie;
	long result;

	if (call->length > COLDREAD_MAX_IO || call->hole > COLDREAD_HOLE_FAIL)
		return -EINVAL;
	cookie = find_cookie(call->cookie, 0);
	if (!cookie)
		return -EBADF;
	result = fscache_begin_read_operation(&cres, cookie);
	if (result)
		return result;
	result = read_pages(call, &cres);
	fscache_end_operation(&cres);
	return result;
}

static int prepare_write(struct netfs_cache_resources *cres, loff_t *start, size_t *length, loff_t i_size)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	return cres->ops->prepare_write(cres, start, length, *length, i_size, true);
#else
	return cres->ops->prepare_write(cres, start, length, i_size, true);
#endif
}

/* The cache rounds the range to whole pages; what lies around the data is written as zeros. */
static long write_pages(const struct coldread_io *call, struct netfs_cache_resources *cres, loff_t i_size)
{
	loff_t start = call->start;
	size_t length = call->length;
	struct waiter waiter;
	struct pages pages;
	int error = prepare_write(cres, &start, &length, i_size);

	if (error < 0)
		return error;
	error = alloc_pages_of(&pages, length, ITER_SOURCE);
	if (error)
		return error;
	error = copy_pages(&pages, call->buffer, call->start - start, call->length, false);
	if (!error) {
		init_completion(&waiter.done);
		fscache_write(cres, start, &pages.iter, terminated, &waiter);
		wait_for_completion(&waiter.done);
	}
	free_pages_of(&pages);
	return error ? error : waiter.result;
}

static long cache_write(const struct coldread_io *call)
{
	struct netfs_cache_resources cres = {};
	struct fscache_cookie *cookie;
	long result;

	if (call->length > COLDREAD_MAX_IO)
		return -EINVAL;
	cookie = find_cookie(call->cookie, 0);
	if (!cookie)
		return -EBADF;
	result = fscache_begin_write_operation(&cres, cookie);
	if (result)
		return result;
	result = write_pages(call, &cres, cookie->object_size);
	fscache_end_operation(&cres);
	return result;
}

/* ---- the device -------------------------------------------------------------------------------- */

union any_call {
	struct coldread_volume volume;
	struct coldread_cookie cookie;
	struct coldread_cookie_call on_cookie;
	struct coldread_prepare prepare;
	struct coldread_io io;
};

static long dispatch(struct file *file, unsigned int request, union any_call *call)
{
	switch (request) {
	case COLDREAD_ACQUIRE_VOLUME:
		return acquire_volume(&call->volume);
	case COLDREAD_RELINQUISH_VOLUME:
		return relinquish_volume(&call->volume);
	case COLDREAD_ACQUIRE_COOKIE:
		return acquire_cookie(&call->cookie);
	case COLDREAD_RELINQUISH_COOKIE:
		return relinquish_cookie(&call->on_cookie);
	case COLDREAD_USE_COOKIE:
		return use_cookie(&call->on_cookie);
	case COLDREAD_UNUSE_COOKIE:
		return unuse_cookie(&call->on_cookie);
	case COLDREAD_INVALIDATE:
		return invalidate(&call->on_cookie);
	case COLDREAD_RESIZE:
		return resize(&call->on_cookie);
	case COLDREAD_COOKIE_SIZE:
		return cookie_size(&call->on_cookie);
	case COLDREAD_PREPARE_READ:
		return prepare_read(&call->prepare, file);
	case COLDREAD_CACHE_READ:
		return cache_read(&call->io);
	case COLDREAD_CACHE_WRITE:
		return cache_write(&call->io);
	case COLDREAD_RESET:
		reset_table();
		return 0;
	default:
		return -ENOTTY;
	}
}

static long netfs_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	union any_call call = {};
	long result;

	if (_IOC_TYPE(request) != COLDREAD_IOC || _IOC_SIZE(request) > sizeof(call))
		return -ENOTTY;
	if ((_IOC_DIR(request) & _IOC_WRITE) && copy_from_user(&call, user, _IOC_SIZE(request)))
		return -EFAULT;
	result = dispatch(file, request, &call);
	if (result >= 0 && (_IOC_DIR(request) & _IOC_READ) && copy_to_user(user, &call, _IOC_SIZE(request)))
		return -EFAULT;
	return result;
}

static int netfs_open(struct inode *inode, struct file *file)
{
	mutex_lock(&table_lock);
	opens++;
	mutex_unlock(&table_lock);
	return 0;
}

static int netfs_release(struct inode *inode, struct file *file)
{
	bool last;

	mutex_lock(&table_lock);
	last = --opens == 0;
	mutex_unlock(&table_lock);
	if (last)
		reset_table();
	return 0;
}

static const struct file_operations netfs_operations = {
	.owner = THIS_MODULE,
	.open = netfs_open,
	.release = netfs_release,
	.unlocked_ioctl = netfs_ioctl,
};

static struct miscdevice netfs_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "coldread_netfs",
	.fops = &netfs_operations,
	.mode = 0600,
};

module_misc_device(netfs_device);

MODULE_DESCRIPTION("fscache's netfs API as ioctls, for Coldread's scenarios");
MODULE_LICENSE("GPL");
