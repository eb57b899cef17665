// The inodes of the mount: what each answers, and how they are found by number.
//
// Thread rules: the host's thread; handlers run on fibers and may wait. Lifetime: a request keeps
// the node it works on, so a node may be taken out of the table at any time.
#pragma once

#include <sys/stat.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fuse/mount/request.h"

namespace coldread::fuse {

struct Attributes {
  uint32_t mode = 0;  // S_IFREG or S_IFDIR and permission bits
  uint64_t size = 0;
  double timeout = 0;  // seconds for which the kernel may believe this
};

class Node;

// All nodes, by inode number. Numbers are never used twice.
class NodeTable {
 public:
  NodeTable(uint32_t uid, uint32_t gid) : uid_(uid), gid_(gid) {}

  std::shared_ptr<Node> find(fuse_ino_t inode) const;
  // Gives it a number, unless it has one.
  void add(const std::shared_ptr<Node>& node);
  void remove(const Node& node);

  // Answers a LOOKUP or MKDIR with the node, and counts that the kernel knows it.
  void reply_entry(Request& request, Node& node) const;
  void reply_attributes(Request& request, Node& node) const;

 private:
  struct stat stat_of(Node& node) const;

  uint32_t uid_, gid_;  // who owns everything
  fuse_ino_t last_ = 1023;
  std::map<fuse_ino_t, std::shared_ptr<Node>> nodes_;
};

struct DirectoryEntry {
  std::string name;
  fuse_ino_t inode = 0;
  uint32_t mode = 0;
};

// What every inode can be asked; the base class answers as a file that allows nothing.
class Node {
 public:
  virtual ~Node() = default;

  fuse_ino_t inode = 0;
  uint64_t lookups = 0;  // how often the kernel was told of it and has not forgotten

  virtual Attributes attributes() = 0;
  virtual double entry_timeout() const { return 0; }
  virtual std::string path() const { return {}; }  // below the mount, for people

  // Directories.
  virtual void lookup(Request& request) { request.error(ENOTDIR); }
  virtual void mkdir(Request& request) { request.error(EPERM); }
  virtual void unlink(Request& request) { request.error(EPERM); }
  virtual void rmdir(Request& request) { request.error(EPERM); }
  virtual std::vector<DirectoryEntry> list() { return {}; }
  virtual void readdir(Request& request);  // lists list()

  // Files.
  virtual void open(Request& request) { request.error(EACCES); }
  virtual void read(Request& request) { request.error(EINVAL); }
  virtual void write(Request& request) { request.error(EINVAL); }
  virtual void release(Request& request) { request.error(0); }
  virtual void lseek(Request& request) { request.error(EINVAL); }
  virtual void ioctl(Request& request) { request.error(ENOTTY); }
  virtual void poll(Request& request);
  virtual void setattr(Request& request) { request.error(EPERM); }
  virtual void fallocate(Request& request) { request.error(EOPNOTSUPP); }
  virtual void fsync(Request& request) { request.error(EINVAL); }

  // All.
  virtual void complete(struct stat&) const {}  // what attributes() do not say
  virtual void readlink(Request& request) { request.error(EINVAL); }
  // ENOSYS: the kernel asks no more.
  virtual void getxattr(Request& request) { request.error(ENOSYS); }
  virtual void listxattr(Request& request) { request.error(ENOSYS); }
  virtual void statfs(Request& request);
  void getattr(Request& request);
  void forget(Request& request);

  NodeTable* table = nullptr;  // the one it is in

 protected:
  virtual void forgotten() {}  // lookups became 0
};

// A directory whose entries are always there.
class FixedDirectory final : public Node {
 public:
  void add(std::string name, std::shared_ptr<Node> node) {
    entries_.emplace_back(std::move(name), std::move(node));
  }

  Attributes attributes() override { return {S_IFDIR | 0755, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void lookup(Request& request) override;
  std::vector<DirectoryEntry> list() override;

 private:
  std::vector<std::pair<std::string, std::shared_ptr<Node>>> entries_;
};

}  // namespace coldread::fuse
