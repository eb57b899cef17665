// Answers on their way to the kernel.
#include "fuse/mount/request.h"

#include <linux/fuse.h>

#include <cerrno>
#include <utility>

namespace coldread::fuse {

Request::Request(fuse_req_t request, const char* what_operation, Handler what, BufferPool& pool)
    : operation(what_operation), handler(what), data(pool), request_(request) {
  const fuse_ctx* context = fuse_req_ctx(request);
  pid = static_cast<uint32_t>(context->pid);
  uid = context->uid;
  gid = context->gid;
}

Request::~Request() {
  error(EIO);
  if (poll_handle != nullptr) fuse_pollhandle_destroy(poll_handle);
}

fuse_req_t Request::take() {
  return std::exchange(request_, nullptr);
}

void Request::error(int errno_or_0) {
  if (!answered()) fuse_reply_err(take(), errno_or_0);
}

void Request::entry(fuse_ino_t inode, const struct stat& attributes, double entry_timeout,
                    double attribute_timeout) {
  if (answered()) return;
  fuse_entry_param reply{};
  reply.ino = inode;
  reply.attr = attributes;
  reply.entry_timeout = entry_timeout;
  reply.attr_timeout = attribute_timeout;
  fuse_reply_entry(take(), &reply);
}

void Request::attributes(const struct stat& attributes, double timeout) {
  if (!answered()) fuse_reply_attr(take(), &attributes, timeout);
}

bool Request::open(const OpenReply& reply) {
  if (answered()) return false;
  fuse_open_out out{};
  out.fh = reply.handle;
  out.open_flags = reply.flags;
  return fuse_reply_buf(take(), reinterpret_cast<const char*>(&out), sizeof(out)) == 0;
}

void Request::bytes(std::span<const std::byte> answer) {
  if (answered()) return;
  fuse_reply_buf(take(), reinterpret_cast<const char*>(answer.data()), answer.size());
}

void Request::written(size_t bytes) {
  if (!answered()) fuse_reply_write(take(), bytes);
}

void Request::position(int64_t position) {
  if (!answered()) fuse_reply_lseek(take(), position);
}

void Request::poll(uint32_t events) {
  if (!answered()) fuse_reply_poll(take(), events);
}

void Request::ioctl(int result, std::span<const std::byte> out) {
  if (!answered()) fuse_reply_ioctl(take(), result, out.data(), out.size());
}

void Request::nothing() {
  if (!answered()) fuse_reply_none(take());
}

}  // namespace coldread::fuse
