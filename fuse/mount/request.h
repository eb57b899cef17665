// One request of the FUSE file system: who wants what, and the answer.
//
// Everything a handler needs is copied into it, since libfuse uses its buffer again at once; and it
// outlives the handler's stack. Thread rules: the host's thread. Exactly one answer is given; more
// are ignored.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <memory>
#include <span>
#include <string>

#include "fuse/mount/buffer_pool.h"
#include "fuse/record/tape.h"
#include "kernelmodel/ports/scheduler.h"

namespace coldread::fuse {

class Node;
class NodeTable;

// How a file is opened: FOPEN_* of <linux/fuse.h>, of which libfuse knows but a few.
struct OpenReply {
  uint64_t handle = 0;
  uint32_t flags = 0;
};

// Somebody who polls a file, to be woken by it.
class PollHandle {
 public:
  // `handle`: null if the request comes from a recording.
  explicit PollHandle(fuse_pollhandle* handle) : handle_(handle) {}
  void use(Tape& tape) { tape_ = &tape; }
  ~PollHandle();
  PollHandle(const PollHandle&) = delete;
  PollHandle& operator=(const PollHandle&) = delete;

  void notify();

 private:
  fuse_pollhandle* const handle_;
  Tape* tape_ = nullptr;
};

class Request {
 public:
  using Handler = void (Node::*)(Request&);

  // `request`: null if it comes from a recording.
  Request(fuse_req_t request, const char* operation, Handler what, BufferPool& pool);
  ~Request();
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // --- what is wanted; what is not part of the operation is 0 or empty ---
  const char* const operation;  // "read"
  const Handler handler;
  uint64_t serial = 0;
  Tape* tape = nullptr;  // its answers are recorded there, if it is on
  uint32_t pid = 0;  // of the thread that calls, in our pid namespace; 0: not in it, or the kernel
  uint32_t uid = 0;
  uint32_t gid = 0;
  fuse_ino_t ino = 0;
  std::string name;
  PooledBuffer data;   // written, or to be read
  size_t size = 0;     // bytes
  int64_t offset = 0;  // bytes
  int flags = 0;       // O_*; setattr: which attributes
  uint64_t handle = 0;
  int whence = 0;
  uint32_t command = 0;
  uint64_t argument = 0;  // of an ioctl; FORGET: how many lookups
  std::unique_ptr<PollHandle> poll_handle;

  // --- who works on it ---
  std::shared_ptr<NodeTable> nodes;  // of the file system it came through
  std::shared_ptr<Node> node;
  Task* task = nullptr;
  TimeNs since = 0;
  bool interrupted = false;  // somebody looks after its signals

  // --- answers ---
  bool answered() const { return answered_; }
  void error(int errno_or_0);  // positive
  void entry(fuse_ino_t inode, const struct stat& attributes, double entry_timeout,
             double attribute_timeout);
  void attributes(const struct stat& attributes, double timeout);
  bool open(const OpenReply& reply);  // false: nobody is there any more; there will be no RELEASE
  // `contents`: unknown if they are a file's.
  void bytes(std::span<const std::byte> data, Contents contents = Contents::known);
  void written(size_t bytes);
  void position(int64_t offset);
  void poll(uint32_t events);
  void ioctl(int result, std::span<const std::byte> out = {});
  void nothing();  // FORGET
  void link(const std::string& target);
  // A value or all names, or their length if `size` is 0; ERANGE if that is too little.
  void attribute(const std::string& value);
  void statfs(const struct statvfs& stat);

  fuse_req_t raw() const { return request_; }

 private:
  // The one answer begins; `what` it is. Null: there is nobody to send it to.
  fuse_req_t take(const char* what, std::initializer_list<int64_t> values = {});
  bool recorded() const { return tape != nullptr && tape->on(); }

  fuse_req_t request_;
  bool answered_ = false;
};

}  // namespace coldread::fuse
