// SPDX-License-Identifier: GPL-2.0
/*
 * A netfs without a network: gives a program in a guest fscache's API, one ioctl for one call, so that
 * a scenario's netfs steps reach the real kernel exactly as a file system's would.
 *
 * The table's mutex is never held across a call into fscache: those may wait for a user daemon.
 */
#include <linux/fs.h>
#include <linux/fscache.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "netfs_io.h"

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

struct fscache_cookie *find_cookie(u32 number, int use)
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

	end_all_operations();
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
	void *coherency;

	if (!volume)
		return -EBADF;
	coherency = copy_in(call->coherency, volume->coherency_len);
	if (!call->coherency || IS_ERR(coherency))
		coherency = NULL;
	fscache_relinquish_volume(volume, coherency, call->invalidate);
	kfree(coherency);
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

/* These may bring new auxiliary data, as long as the old. */
static long with_aux(const struct coldread_cookie_call *call, struct fscache_cookie *cookie, unsigned int request)
{
	loff_t size = call->object_size;
	void *aux = NULL;

	if (call->aux && cookie->aux_len) {
		aux = memdup_user(u64_to_user_ptr(call->aux), cookie->aux_len);
		if (IS_ERR(aux))
			return PTR_ERR(aux);
	}
	if (request == COLDREAD_UNUSE_COOKIE)
		fscache_unuse_cookie(cookie, aux, call->flag ? &size : NULL);
	else if (request == COLDREAD_UPDATE_COOKIE)
		fscache_update_cookie(cookie, aux, call->flag ? &size : NULL);
	else
		fscache_invalidate(cookie, aux, size, call->flag ? FSCACHE_INVAL_DIO_WRITE : 0);
	kfree(aux);
	return 0;
}

static long unuse_cookie(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, -1);

	return cookie ? with_aux(call, cookie, COLDREAD_UNUSE_COOKIE) : -EBADF;
}

static long update_cookie(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, 0);

	return cookie ? with_aux(call, cookie, COLDREAD_UPDATE_COOKIE) : -EBADF;
}

static long invalidate(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, 0);

	return cookie ? with_aux(call, cookie, COLDREAD_INVALIDATE) : -EBADF;
}

static long note_page_release(const struct coldread_cookie_call *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, 0);

	if (!cookie)
		return -EBADF;
	fscache_note_page_release(cookie);
	return 0;
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

/* ---- the device -------------------------------------------------------------------------------- */

union any_call {
	struct coldread_volume volume;
	struct coldread_cookie cookie;
	struct coldread_cookie_call on_cookie;
	struct coldread_operation operation;
	struct coldread_prepare prepare;
	struct coldread_range range;
	struct coldread_io io;
	struct coldread_issue issue;
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
	case COLDREAD_UPDATE_COOKIE:
		return update_cookie(&call->on_cookie);
	case COLDREAD_NOTE_PAGE_RELEASE:
		return note_page_release(&call->on_cookie);
	case COLDREAD_BEGIN_OPERATION:
		return begin_operation(&call->operation);
	case COLDREAD_END_OPERATION:
		return end_operation(&call->operation);
	case COLDREAD_PREPARE_READ:
		return prepare_read(&call->prepare, file);
	case COLDREAD_PREPARE_WRITE:
		return prepare_write(&call->range);
	case COLDREAD_QUERY_OCCUPANCY:
		return query_occupancy(&call->range);
	case COLDREAD_WRITE_TO_CACHE:
		return write_to_cache(&call->io);
	case COLDREAD_CACHE_READ:
		return cache_read(&call->io);
	case COLDREAD_CACHE_WRITE:
		return cache_write(&call->io);
	case COLDREAD_ISSUE_WRITE:
		return issue_write(&call->issue);
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
