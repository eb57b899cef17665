// volumes/<volume>/<cookie>: the readers' side of the mount, a netfs whose files are cookies.
//
// mkdir acquires a volume, looking a name up acquires a cookie, opening uses it and so has the
// object looked up (OPEN); reads find holes and have them filled (READ); closing unuses it.
// Removing retires the cookie once nobody has it open; being forgotten by the kernel, or rmdir of
// the volume, relinquishes it. Names are the keys themselves. A file's size is what copen gave, so
// 0 until the first open.
//
// Acquiring may wait for an earlier cookie of the same key to go. Nobody holds a lock of the VFS
// meanwhile: the answer to a LOOKUP or MKDIR comes first, and open waits.
//
// Thread rules: the host's thread, on fibers.
#pragma once

#include <functional>
#include <map>

#include "fuse/mount/node.h"
#include "fuse/mount/read_counts.h"
#include "kernelmodel/kernel/kernel.h"

namespace coldread::fuse {

class Cookie;
class Volume;

// volumes/.
class Volumes final : public Node {
 public:
  // Counts reads of what is opened; not what somebody looks up only.
  Volumes(Kernel& kernel, AllReadCounts& counts);

  // Makes a volume as mkdir does; it need not be there yet when this returns. Null: there is one.
  std::shared_ptr<Volume> make(const std::string& name);
  // Called when a size is told that differs from what was told before.
  void on_new_size(std::function<void(fuse_ino_t inode)> call) { new_size_ = std::move(call); }
  // Gives back everything; the mount answers nothing any more.
  void relinquish_all();

  std::string path() const override { return "volumes"; }
  Attributes attributes() override { return {S_IFDIR | 0755, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void lookup(Request& request) override;
  void mkdir(Request& request) override;
  void rmdir(Request& request) override;
  std::vector<DirectoryEntry> list() override;

 private:
  friend class Cookie;
  friend class Volume;

  Kernel& kernel_;
  AllReadCounts& counts_;
  std::function<void(fuse_ino_t)> new_size_;
  std::map<std::string, std::shared_ptr<Volume>> volumes_;
};

// What is being acquired, has been, or could not.
enum class Acquired : uint8_t { not_yet, yes, no };

// volumes/<volume>.
class Volume final : public Node, public std::enable_shared_from_this<Volume> {
 public:
  Volume(Volumes& volumes, std::string name);

  const std::string& name() const { return name_; }
  void acquire();
  std::shared_ptr<Cookie> find_or_make(const std::string& name, bool* made);
  // Names that a listing shows although nobody has looked them up.
  void offer(std::vector<std::string> names) { offered_ = std::move(names); }

  std::string path() const override { return "volumes/" + name_; }
  Attributes attributes() override { return {S_IFDIR | 0755, 0, 3600}; }
  double entry_timeout() const override { return 1; }
  void lookup(Request& request) override;
  void unlink(Request& request) override;
  std::vector<DirectoryEntry> list() override;

 private:
  friend class Cookie;
  friend class Volumes;

  int relinquish(bool forced);  // -EBUSY, -ENOTEMPTY
  void leave_tree();

  Volumes& volumes_;
  const std::string name_;
  VolumeHandle handle_;
  Acquired acquired_ = Acquired::not_yet;
  int error_ = 0;  // negative, if not
  WaitQueue settled_;
  std::map<std::string, std::shared_ptr<Cookie>> cookies_;
  std::vector<std::shared_ptr<Cookie>> unlinked_;  // and still open
  std::vector<std::string> offered_;
};

// volumes/<volume>/<cookie>.
class Cookie final : public Node {
 public:
  Cookie(std::shared_ptr<Volume> volume, std::string name);

  void acquire();

  std::string path() const override { return "volumes/" + volume_->name() + "/" + name_; }
  Attributes attributes() override;
  double entry_timeout() const override { return 1; }
  void open(Request& request) override;
  void read(Request& request) override;
  void release(Request& request) override;
  void lseek(Request& request) override;
  void setattr(Request& request) override { request.error(EROFS); }
  void fsync(Request& request) override { request.error(0); }

 private:
  friend class Volume;
  friend class Volumes;

  Kernel& kernel() const { return volume_->volumes_.kernel_; }
  void forgotten() override { drop_if_unused(); }
  void opened();
  int64_t read_pages(Request& request, uint64_t start, uint64_t end);
  void unuse();
  void drop_if_unused();
  void relinquish(bool retire);

  const std::shared_ptr<Volume> volume_;
  const std::string name_;
  ReadCounter counts_;  // from the first successful open on
  CookieHandle handle_;
  Acquired acquired_ = Acquired::not_yet;
  int error_ = 0;
  WaitQueue settled_;
  unsigned uses_ = 0;
  bool unlinked_ = false;
  bool size_known_ = false;  // somebody opened it
  int64_t told_size_ = 0;    // to those who did
};

}  // namespace coldread::fuse
