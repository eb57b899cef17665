// SPDX-License-Identifier: GPL-2.0
/*
 * A part of a write-back, handed to the cache as the netfs library does it since 6.10.
 *
 * The request is our own and nobody collects it: its part is not the first of a list, so that ending it wakes
 * no collector, and has a reference too many, so that nobody frees it.
 */
#include <linux/delay.h>
#include <linux/netfs.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "netfs_io.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)

static void fill_request(struct netfs_io_request *request, struct netfs_io_subrequest *part,
			 const struct coldread_issue *call)
{
	struct netfs_io_stream *stream = &request->io_streams[0];

	request->i_size = call->i_size;
	INIT_LIST_HEAD(&stream->subrequests);
	stream->submit_extendable_to = call->extendable_to;
	part->rreq = request;
	part->start = call->start;
	part->len = call->length;
	part->source = NETFS_WRITE_TO_CACHE;
	INIT_LIST_HEAD(&part->rreq_link);
	refcount_set(&part->ref, 2);
	__set_bit(NETFS_SREQ_IN_PROGRESS, &part->flags);
}

static long issue(struct netfs_io_request *request, struct netfs_io_subrequest *part)
{
	const struct netfs_cache_ops *ops = request->cache_resources.ops;

	ops->prepare_write_subreq(part);
	if (test_bit(NETFS_SREQ_FAILED, &part->flags))
		return -ENOBUFS;
	ops->issue_write(part);
	while (refcount_read(&part->ref) > 1)
		usleep_range(100, 200);
	return part->error ? part->error : part->transferred;
}

static long issue_pages(const struct coldread_issue *call, struct netfs_cache_resources *cres,
			struct netfs_io_request *request, struct netfs_io_subrequest *part)
{
	size_t skip = call->start % PAGE_SIZE;
	struct pages pages;
	long result = alloc_pages_of(&pages, skip + call->length, ITER_SOURCE);

	if (result)
		return result;
	result = copy_pages(&pages, call->buffer, skip, call->length, false);
	if (!result) {
		request->cache_resources = *cres;
		fill_request(request, part, call);
		part->io_iter = pages.iter;
		iov_iter_advance(&part->io_iter, skip);
		result = issue(request, part);
		*cres = request->cache_resources;
	}
	free_pages_of(&pages);
	return result;
}

long issue_write(const struct coldread_issue *call)
{
	struct netfs_io_request *request = kzalloc(sizeof(*request), GFP_KERNEL);
	struct netfs_io_subrequest *part = kzalloc(sizeof(*part), GFP_KERNEL);
	struct netfs_cache_resources own = {}, *cres;
	long result = request && part ? 0 : -ENOMEM;

	if (!result && call->length > COLDREAD_MAX_IO)
		result = -EINVAL;
	if (!result)
		result = begin(&cres, &own, call->operation, call->cookie, true);
	if (!result) {
		result = issue_pages(call, cres, request, part);
		end(cres, &own);
	}
	kfree(part);
	kfree(request);
	return result;
}

#else

long issue_write(const struct coldread_issue *call)
{
	return -EOPNOTSUPP;
}

#endif
