// The built-in daemon: serves each cookie from a file, so that one command makes a working mount.
//
// It uses the device as any daemon does, with the system calls of the model, on fibers: several
// read messages, so one slow file does not hold up the others. A cookie is the file
// <blobs>/<volume>/<cookie> or, if there is none, <blobs>/<cookie>.
//
// Thread rules: the host's thread, on fibers. Lifetime: host and kernel outlive it, and it outlives
// the run.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "fuse/host/host.h"
#include "kernelmodel/kernel/kernel.h"
#include "sim/player/aligned_buffer.h"
#include "sim/player/message.h"

namespace coldread::fuse {

struct FetchCounts {
  uint64_t holes = 0;  // READ messages
  uint64_t bytes = 0;  // written to the cache
};

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

  // Looks which volumes and cookies there are blobs for; on a helper thread.
  void look_for_blobs();
  const std::map<std::string, std::vector<std::string>>& blobs() const { return found_; }

  FetchCounts counts(const std::string& object) const;  // "<volume>/<cookie>"

 private:
  static constexpr size_t kFibers = 4;
  static constexpr size_t kMessageBuffer = 1024;   // what the kernel's header recommends
  static constexpr uint64_t kPiece = 1024 * 1024;  // bytes fetched at once

  struct Object {
    int fd = -1;    // of the model: the anonymous file
    int blob = -1;  // of this process
    uint64_t size = 0;
    std::string name;
    unsigned users = 0;
    bool closed = false;
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
  int open_blob(Reader& reader, Object& object);
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
  std::map<uint32_t, Object> objects_;  // by id
  std::map<std::string, FetchCounts> counts_;
  std::map<std::string, std::vector<std::string>> found_;  // by volume
};

}  // namespace coldread::fuse
