// Answers on their way to the kernel.
#include "fuse/mount/request.h"

#include <linux/fuse.h>

#include <cerrno>
#include <utility>

namespace coldread::fuse {

PollHandle::~PollHandle() {
  if (handle_ != nullptr) fuse_pollhandle_destroy(handle_);
}

void PollHandle::notify() {
  if (tape_ != nullptr && tape_->on()) tape_->say({{"out", "poll"}});
  if (handle_ != nullptr) fuse_lowlevel_notify_poll(handle_);
}

Request::Request(fuse_req_t request, const char* what_operation, Handler what, BufferPool& pool)
    : operation(what_operation), handler(what), data(pool), request_(request) {
  if (request == nullptr) return;
  const fuse_ctx* context = fuse_req_ctx(request);
  pid = static_cast<uint32_t>(context->pid);
  uid = context->uid;
  gid = context->gid;
}

Request::~Request() {
  error(EIO);
}

fuse_req_t Request::take(const char* what, std::initializer_list<int64_t> values) {
  answered_ = true;
  if (recorded())
    tape->say({{"out", "answer"}, {"call", serial}, {what, std::vector<int64_t>(values)}});
  return std::exchange(request_, nullptr);
}

void Request::error(int errno_or_0) {
  if (answered()) return;
  if (const fuse_req_t raw = take("error", {errno_or_0})) fuse_reply_err(raw, errno_or_0);
}

void Request::entry(fuse_ino_t inode, const struct stat& attributes, double entry_timeout,
                    double attribute_timeout) {
  if (answered()) return;
  const fuse_req_t raw =
      take("entry", {static_cast<int64_t>(inode), attributes.st_mode, attributes.st_size});
  if (raw == nullptr) return;
  fuse_entry_param reply{};
  reply.ino = inode;
  reply.attr = attributes;
  reply.entry_timeout = entry_timeout;
  reply.attr_timeout = attribute_timeout;
  fuse_reply_entry(raw, &reply);
}

void Request::attributes(const struct stat& attributes, double timeout) {
  if (answered()) return;
  const fuse_req_t raw = take("attributes", {attributes.st_mode, attributes.st_size});
  if (raw != nullptr) fuse_reply_attr(raw, &attributes, timeout);
}

bool Request::open(const OpenReply& reply) {
  if (answered()) return false;
  fuse_open_out out{};
  out.fh = reply.handle;
  out.open_flags = reply.flags;
  const fuse_req_t raw = take("open", {static_cast<int64_t>(reply.handle), reply.flags});
  const auto send = [raw, &out] {
    return fuse_reply_buf(raw, reinterpret_cast<const char*>(&out), sizeof(out)) == 0;
  };
  return recorded() ? tape->ask("opened", send, serial) : send();
}

void Request::bytes(std::span<const std::byte> answer, Contents contents) {
  if (answered()) return;
  answered_ = true;
  if (recorded()) {
    tape->say({{"out", "answer"},
               {"call", serial},
               {contents == Contents::known ? "bytes" : "contents", bytes_json(answer, contents)}});
  }
  if (const fuse_req_t raw = std::exchange(request_, nullptr))
    fuse_reply_buf(raw, reinterpret_cast<const char*>(answer.data()), answer.size());
}

void Request::written(size_t bytes) {
  if (answered()) return;
  if (const fuse_req_t raw = take("written", {static_cast<int64_t>(bytes)}))
    fuse_reply_write(raw, bytes);
}

void Request::position(int64_t position) {
  if (answered()) return;
  if (const fuse_req_t raw = take("position", {position})) fuse_reply_lseek(raw, position);
}

void Request::poll(uint32_t events) {
  if (answered()) return;
  if (const fuse_req_t raw = take("poll", {events})) fuse_reply_poll(raw, events);
}

void Request::ioctl(int result, std::span<const std::byte> out) {
  if (answered()) return;
  if (const fuse_req_t raw = take("ioctl", {result}))
    fuse_reply_ioctl(raw, result, out.data(), out.size());
}

void Request::link(const std::string& target) {
  if (answered()) return;
  if (const fuse_req_t raw = take("link")) fuse_reply_readlink(raw, target.c_str());
}

void Request::attribute(const std::string& value) {
  if (size != 0 && value.size() > size) {
    error(ERANGE);
    return;
  }
  if (answered()) return;
  const fuse_req_t raw = take("attribute", {static_cast<int64_t>(value.size())});
  if (raw == nullptr) return;
  if (size == 0)
    fuse_reply_xattr(raw, value.size());
  else
    fuse_reply_buf(raw, value.data(), value.size());
}

void Request::statfs(const struct statvfs& stat) {
  if (answered()) return;
  if (const fuse_req_t raw = take("statfs")) fuse_reply_statfs(raw, &stat);
}

void Request::nothing() {
  if (answered()) return;
  if (const fuse_req_t raw = take("nothing")) fuse_reply_none(raw);
}

}  // namespace coldread::fuse
