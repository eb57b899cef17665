// Finding inodes, and what they have in common.
#include "fuse/mount/node.h"

#include <poll.h>

#include <cerrno>

namespace coldread::fuse {

std::shared_ptr<Node> NodeTable::find(fuse_ino_t inode) const {
  const auto found = nodes_.find(inode);
  return found != nodes_.end() ? found->second : nullptr;
}

void NodeTable::add(const std::shared_ptr<Node>& node) {
  if (node->inode == 0) node->inode = ++last_;
  node->table = this;
  nodes_[node->inode] = node;
}

void NodeTable::remove(const Node& node) {
  nodes_.erase(node.inode);
}

struct stat NodeTable::stat_of(Node& node) const {
  const Attributes attributes = node.attributes();
  struct stat result = {};
  result.st_ino = node.inode;
  result.st_mode = attributes.mode;
  result.st_nlink = S_ISDIR(attributes.mode) ? 2 : 1;
  result.st_uid = uid_;
  result.st_gid = gid_;
  result.st_size = static_cast<off_t>(attributes.size);
  result.st_blksize = 4096;
  result.st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  node.complete(result);
  return result;
}

void NodeTable::reply_entry(Request& request, Node& node) const {
  node.lookups++;
  request.entry(node.inode, stat_of(node), node.entry_timeout(), node.attributes().timeout);
}

void NodeTable::reply_attributes(Request& request, Node& node) const {
  request.attributes(stat_of(node), node.attributes().timeout);
}

void Node::getattr(Request& request) {
  table->reply_attributes(request, *this);
}

void Node::statfs(Request& request) {
  struct statvfs stat = {};
  stat.f_bsize = 512;
  stat.f_namemax = 255;
  request.statfs(stat);
}

void Node::forget(Request& request) {
  request.nothing();
  lookups -= std::min(lookups, request.argument);
  if (lookups == 0) forgotten();
}

void Node::poll(Request& request) {
  request.poll(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

// `offset` is the index of the first entry wanted.
void Node::readdir(Request& request) {
  if (!S_ISDIR(attributes().mode)) {
    request.error(ENOTDIR);
    return;
  }
  std::vector<DirectoryEntry> entries{{".", inode, S_IFDIR}, {"..", 1, S_IFDIR}};
  for (DirectoryEntry& entry : list()) entries.push_back(std::move(entry));
  const std::span<std::byte> out = request.data.get(request.size);
  size_t used = 0;
  for (auto index = static_cast<size_t>(request.offset); index < entries.size(); index++) {
    struct stat attributes = {};
    attributes.st_ino = entries[index].inode;
    attributes.st_mode = entries[index].mode;
    const size_t needed = fuse_add_direntry(
        request.raw(), reinterpret_cast<char*>(out.data()) + used, out.size() - used,
        entries[index].name.c_str(), &attributes, static_cast<off_t>(index + 1));
    if (needed > out.size() - used) break;
    used += needed;
  }
  request.bytes(out.first(used));
}

void FixedDirectory::lookup(Request& request) {
  for (const auto& [name, node] : entries_) {
    if (name == request.name) {
      table->reply_entry(request, *node);
      return;
    }
  }
  request.error(ENOENT);
}

std::vector<DirectoryEntry> FixedDirectory::list() {
  std::vector<DirectoryEntry> result;
  for (const auto& [name, node] : entries_) {
    result.push_back({name, node->inode, node->attributes().mode});
  }
  return result;
}

}  // namespace coldread::fuse
