// The built-in daemon: serves each cookie from a file, so that one command makes a working mount.
//
// It uses the device as any daemon does, with the system calls of the model, on fibers: several
// read messages, so one slow file does not hold up the others. A cookie is the file
// <blobs>/<volume>/<cookie> or, if there is none, <blobs>/<cookie>.
//
// Whoever reads a file in order has it fetched ahead of them, some megabytes at most: a fiber of
// the object's own fills the holes that follow, in large pieces, while READs are answered. A READ
// of what it is about to fill waits for it.
//
// Thread rules: the host's thread, on fibers. Lifetime: host and kernel outlive it, and it outlives
// the run.
#pragma once

#include <deque>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "fuse/host/host.h"
#include "kernelmodel/kernel/kernel.h"
#include "sim/player/aligned_buffer.h"
#include "sim/player/message.h"

namespace coldread::fuse {

class BlobDaemon {
 public:
  BlobDaemon(Host& host, Kernel& kernel, std::string blobs);
  ~BlobDaemon();
  BlobDaemon(const BlobDaemon&) = delete;
  BlobDaemon& operator=(const BlobDaemon&) = delete;

  // Opens the device, binds the cache in `directory` and begins to serve. 0, or the errno of what
  // failed: -EBUSY, and those of the commands dir and bind.
  int start(const std::string& directory);
  // Closes everything; may wait.
  void stop();

  // Looks which volumes and cookies there are blobs for; may wait.
  void look_for_blobs();
  const std::map<std::string, std::vector<std::string>>& blobs() const { return found_; }

  // Bytes written to the cache for the object "<volume>/<cookie>".
  uint64_t fetched(const std::string& object) const;

 private:
  static constexpr size_t kFibers = 4;
  static constexpr size_t kMessageBuffer = 1024;   // what the kernel's header recommends
  static constexpr uint64_t kPiece = 1024 * 1024;  // bytes fetched at once
  static constexpr uint64_t kAhead = 4 * kPiece;   // bytes behind the last READ

  // A READ that is completed when what is ahead has been filled to here.
  struct Waiting {
    uint64_t end = 0;
    uint32_t msg_id = 0;
  };
  // What a fiber of its own fills.
  struct Ahead {
    bool running = false;
    uint64_t position = 0, end = 0;
    std::vector<Waiting> waiting;
    player::AlignedBuffer buffer;
  };
  struct Object {
    int fd = -1;    // of the model: the anonymous file
    int blob = -1;  // of this process; -1: none, or a recording is played
    uint64_t size = 0;
    std::string name;
    unsigned users = 0;
    bool closed = false;
    uint64_t last_end = std::numeric_limits<uint64_t>::max();  // of the last READ
    Ahead ahead;
  };
  // One fiber that reads and answers messages.
  struct Reader {
    BlobDaemon& daemon;
    player::AlignedBuffer buffer;
    player::Message message;
    std::string text;
    Task* task = nullptr;
  };

  int say(std::string* text);
  void serve(Reader& reader);
  void answer(Reader& reader);
  void answer_open(Reader& reader);
  void answer_read(Reader& reader);
  void answer_close(Reader& reader);
  bool fill(Object& object, player::AlignedBuffer& buffer, uint64_t position, uint64_t end);
  void complete(const Object& object, uint32_t msg_id);
  bool leave_to_ahead(Object& object, const player::Message& message);
  void read_ahead(uint32_t id, uint64_t from);
  void fill_ahead(uint32_t id);
  void complete_filled(Object& object);
  void find_blobs();
  int open_blob(Reader& reader, Object& object);
  int find_blob(Reader& reader, Object& object);
  void put(uint32_t id);

  Host& host_;
  Kernel& kernel_;
  const std::string blobs_;
  files_struct files_;
  int device_ = -1;
  std::deque<Reader> readers_;
  size_t serving_ = 0;
  bool stopping_ = false;
  WaitQueue ended_;
  std::map<uint32_t, Object> objects_;                     // by id
  std::map<std::string, uint64_t> fetched_;                // by object: bytes
  std::map<std::string, std::vector<std::string>> found_;  // by volume
};

}  // namespace coldread::fuse
