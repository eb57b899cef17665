// SPDX-License-Identifier: GPL-2.0
/*
 * Reading and writing as a netfs does: operations on cookies, and pages of our own in the page cache's place.
 */
#include <linux/bvec.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/netfs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <linux/xarray.h>

#include "netfs_io.h"

struct operation {
	struct netfs_cache_resources cres;
};

static DEFINE_XARRAY(operations); /* number -> struct operation */

/* ---- operations -------------------------------------------------------------------------------- */

static long begin_on_cookie(struct netfs_cache_resources *cres, u32 number, bool write)
{
	struct fscache_cookie *cookie = find_cookie(number, 0);

	if (!cookie)
		return -EBADF;
	return write ? fscache_begin_write_operation(cres, cookie) : fscache_begin_read_operation(cres, cookie);
}

long begin_operation(const struct coldread_operation *call)
{
	struct operation *operation = kzalloc(sizeof(*operation), GFP_KERNEL);
	long result = operation ? begin_on_cookie(&operation->cres, call->cookie, call->write) : -ENOMEM;

	if (result) {
		kfree(operation);
		return result;
	}
	result = xa_insert(&operations, call->operation, operation, GFP_KERNEL);
	if (result) {
		fscache_end_operation(&operation->cres);
		kfree(operation);
	}
	return result == -EBUSY ? -EEXIST : result;
}

long end_operation(const struct coldread_operation *call)
{
	struct operation *operation = xa_erase(&operations, call->operation);

	if (!operation)
		return -EBADF;
	fscache_end_operation(&operation->cres);
	kfree(operation);
	return 0;
}

void end_all_operations(void)
{
	struct operation *operation;
	unsigned long number;

	xa_for_each(&operations, number, operation) {
		xa_erase(&operations, number);
		fscache_end_operation(&operation->cres);
		kfree(operation);
	}
}

long begin(struct netfs_cache_resources **cres, struct netfs_cache_resources *own, u32 operation, u32 cookie,
		  bool write)
{
	struct operation *begun;

	*cres = own;
	if (!operation)
		return begin_on_cookie(own, cookie, write);
	begun = xa_load(&operations, operation);
	if (!begun)
		return -EBADF;
	*cres = &begun->cres;
	return 0;
}

void end(struct netfs_cache_resources *cres, struct netfs_cache_resources *own)
{
	if (cres == own)
		fscache_end_operation(own);
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

static void prepare(struct coldread_prepare *call, struct netfs_cache_resources *cres,
		    struct netfs_io_request *request, struct netfs_io_subrequest *part)
{
	request->cache_resources = *cres;
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
	*cres = request->cache_resources; /* the file may be there only now */
}

long prepare_read(struct coldread_prepare *call, struct file *file)
{
	struct netfs_io_request *request = kzalloc(sizeof(*request), GFP_KERNEL);
	struct netfs_io_subrequest *part = kzalloc(sizeof(*part), GFP_KERNEL);
	struct netfs_cache_resources own = {}, *cres;
	long result = -ENOMEM;

	if (request && part) {
		request->inode = file_inode(file); /* for the cache's trace only */
		result = begin(&cres, &own, call->operation, call->cookie, false);
		if (!result) {
			prepare(call, cres, request, part);
			end(cres, &own);
		}
	}
	kfree(part);
	kfree(request);
	return result;
}

void free_pages_of(struct pages *pages)
{
	unsigned int i;

	for (i = 0; i < pages->count; i++)
		__free_page(pages->vec[i].bv_page);
	kvfree(pages->vec);
}

int alloc_pages_of(struct pages *pages, size_t length, unsigned int direction)
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

int copy_pages(struct pages *pages, u64 user, size_t skip, size_t length, bool out)
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
	if (call->sync) {
		waiter.result = fscache_read(cres, call->start, &pages.iter, modes[call->hole], NULL, NULL);
	} else {
		init_completion(&waiter.done);
		fscache_read(cres, call->start, &pages.iter, modes[call->hole], terminated, &waiter);
		wait_for_completion(&waiter.done);
	}
	if (waiter.result >= 0)
		error = copy_pages(&pages, call->buffer, 0, call->length, true);
	free_pages_of(&pages);
	return error ? error : waiter.result;
}

long cache_read(const struct coldread_io *call)
{
	struct netfs_cache_resources own = {}, *cres;
	long result;

	if (call->length > COLDREAD_MAX_IO || call->hole > COLDREAD_HOLE_FAIL)
		return -EINVAL;
	result = begin(&cres, &own, call->operation, call->cookie, false);
	if (result)
		return result;
	result = read_pages(call, cres);
	end(cres, &own);
	return result;
}

static int ask_to_write(struct netfs_cache_resources *cres, loff_t *start, size_t *length, size_t limit,
			loff_t i_size, bool no_space_allocated_yet)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	return cres->ops->prepare_write(cres, start, length, limit, i_size, no_space_allocated_yet);
#else
	return cres->ops->prepare_write(cres, start, length, i_size, no_space_allocated_yet);
#endif
}

long prepare_write(struct coldread_range *call)
{
	struct netfs_cache_resources own = {}, *cres;
	loff_t start = call->start;
	size_t length = call->length;
	long result = begin(&cres, &own, call->operation, call->cookie, true);

	if (result)
		return result;
	result = ask_to_write(cres, &start, &length, call->limit, call->i_size, call->no_space_allocated_yet);
	end(cres, &own);
	call->start = start;
	call->length = length;
	return result;
}

long query_occupancy(struct coldread_range *call)
{
	struct netfs_cache_resources own = {}, *cres;
	loff_t start = 0;
	size_t length = 0;
	long result = begin(&cres, &own, call->operation, call->cookie, false);

	if (result)
		return result;
	result = cres->ops->query_occupancy(cres, call->start, call->length, call->limit, &start, &length);
	end(cres, &own);
	call->start = start;
	call->length = length;
	return result;
}

/* The cache rounds the range to whole pages; what lies around the data is written as zeros. */
static long write_pages(const struct coldread_io *call, struct netfs_cache_resources *cres)
{
	struct fscache_cookie *cookie = cres->cache_priv;
	loff_t start = call->start;
	size_t length = call->length;
	struct waiter waiter;
	struct pages pages;
	int error = ask_to_write(cres, &start, &length, length, cookie->object_size, true);

	if (error < 0)
		return error;
	error = alloc_pages_of(&pages, length, ITER_SOURCE);
	if (error)
		return error;
	error = copy_pages(&pages, call->buffer, call->start - start, call->length, false);
	if (!error && call->sync) {
		waiter.result = fscache_write(cres, start, &pages.iter, NULL, NULL);
	} else if (!error) {
		init_completion(&waiter.done);
		fscache_write(cres, start, &pages.iter, terminated, &waiter);
		wait_for_completion(&waiter.done);
	}
	free_pages_of(&pages);
	return error ? error : waiter.result;
}

long cache_write(const struct coldread_io *call)
{
	struct netfs_cache_resources own = {}, *cres;
	long result;

	if (call->length > COLDREAD_MAX_IO)
		return -EINVAL;
	result = begin(&cres, &own, call->operation, call->cookie, true);
	if (result)
		return result;
	result = write_pages(call, cres);
	end(cres, &own);
	return result;
}

/* ---- writing from a page cache ----------------------------------------------------------------- */

/* Puts the pages where a file's page cache has them. 6.1 takes a mark and a reference off each of them. */
static int fill_mapping(struct address_space *mapping, struct pages *pages, pgoff_t first)
{
	unsigned int i;
	int error = 0;

	xa_init(&mapping->i_pages);
	for (i = 0; i < pages->count && !error; i++) {
		struct page *page = pages->vec[i].bv_page;

		page->index = first + i;
		error = xa_err(xa_store(&mapping->i_pages, first + i, page, GFP_KERNEL));
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
		if (!error)
			folio_start_fscache(page_folio(page));
#endif
	}
	return error;
}

static void write_mapping(struct fscache_cookie *cookie, struct address_space *mapping,
			  const struct coldread_io *call, struct waiter *waiter)
{
	bool caching = fscache_cookie_enabled(cookie);

	init_completion(&waiter->done);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	fscache_write_to_cache(cookie, mapping, call->start, call->length, cookie->object_size, terminated, waiter,
			       false, caching);
#else
	fscache_write_to_cache(cookie, mapping, call->start, call->length, cookie->object_size, terminated, waiter,
			       caching);
#endif
	wait_for_completion(&waiter->done);
}

long write_to_cache(const struct coldread_io *call)
{
	struct fscache_cookie *cookie = find_cookie(call->cookie, 0);
	size_t skip = call->start % PAGE_SIZE;
	struct address_space *mapping;
	struct waiter waiter = {};
	struct pages pages;
	int error;

	if (!cookie)
		return -EBADF;
	if (call->length > COLDREAD_MAX_IO)
		return -EINVAL;
	error = alloc_pages_of(&pages, skip + call->length, ITER_SOURCE);
	if (error)
		return error;
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	error = mapping ? copy_pages(&pages, call->buffer, skip, call->length, false) : -ENOMEM;
	if (!error)
		error = fill_mapping(mapping, &pages, call->start / PAGE_SIZE);
	if (!error)
		write_mapping(cookie, mapping, call, &waiter);
	if (mapping)
		xa_destroy(&mapping->i_pages);
	kfree(mapping);
	free_pages_of(&pages);
	return error ? error : waiter.result;
}
