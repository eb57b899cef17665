// Names: finding, making, linking and removing.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "fuse/store/use.h"

namespace coldread::fuse {
namespace {

constexpr size_t kMaxName = 255;  // NAME_MAX

// As lookup_one_len().
int check_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return -EACCES;
  if (name.find('/') != name.npos || name.find('\0') != name.npos) return -EACCES;
  return name.size() > kMaxName ? -ENAMETOOLONG : 0;
}

// Runs something that takes a name away and says what it led to, since afterwards only an fd may
// lead there.
template <typename Function>
int remove_name(int dir, std::string_view name, FoundFile* removed, Function function) {
  const bool held = open_name(dir, name, removed) == 0;
  const int error = answer(function);
  if (error < 0 && held) close(std::exchange(removed->fd, -1));
  return error;
}

}  // namespace

int DirectoryStore::add_directory(const FoundFile& found, InodeNumber* out) {
  if (table_.find_filesystem(found.identity.device) == nullptr) {
    MountProbe probe;
    call([&] { probe = probe_mount(found, options_.handles); });
    if (table_.find_filesystem(found.identity.device) == nullptr) {
      table_.add_filesystem(found.identity.device, probe.fd, probe.handles);
    } else if (probe.fd >= 0) {
      table_.close_later(probe.fd);
    }
  }
  *out = table_.add(found).number;
  return 0;
}

int DirectoryStore::adopt(int fd, InodeNumber* out) {
  FoundFile found;
  const int error = call([&] { return open_same(fd, &found); });
  return error < 0 ? error : add_directory(found, out);
}

int DirectoryStore::path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) {
  const bool absolute = !path.empty() && path.front() == '/';
  const Use from(*this, absolute ? root_ : cwd, Need::directory);
  if (from.error() < 0) return from.error();
  FoundFile found;
  const int error = call([&] { return open_directory(from.fd(), path, &found); });
  return error < 0 ? error : add_directory(found, out);
}

int DirectoryStore::lookup(InodeNumber dir, std::string_view name, InodeNumber* out) {
  const Use parent(*this, dir, Need::directory);
  if (parent.error() < 0) return parent.error();
  if (const int error = check_name(name); error < 0) return error;
  FoundFile found;
  const int error = call([&] { return open_name(parent.fd(), name, &found); });
  if (error == 0) *out = table_.add(found).number;
  return error;
}

int DirectoryStore::mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) {
  const Use parent(*this, dir, Need::directory);
  if (parent.error() < 0) return parent.error();
  if (const int error = check_name(name); error < 0) return error;
  FoundFile found;
  const int error = call([&] {
    int made = answer([&] { return mkdirat(parent.fd(), CName(name).c_str(), mode); });
    if (made == 0) made = open_name(parent.fd(), name, &found);
    if (made == 0) made = found.type == FileType::directory ? set_mode(found.fd, mode) : -EIO;
    if (made < 0 && found.fd >= 0) close(found.fd);
    return made;
  });
  if (error == 0) *out = table_.add(found).number;
  return error;
}

// For helper threads.
int DirectoryStore::make_file(int dir, uint32_t mode, FoundFile* found, TemporaryName* temporary) {
  if (options_.tmpfile) {
    const int error = open_tmpfile(dir, mode, options_.direct, found);
    if (error != -EOPNOTSUPP) return error;
  }
  int error = -EEXIST;
  while (error == -EEXIST) {
    temporary->serial = ++next_serial_;
    error =
        open_new_file(dir, temporary_name(temporary->serial).c_str(), mode, options_.direct, found);
  }
  if (error < 0) return error;
  temporary->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
  if (temporary->dir >= 0) return 0;
  unlinkat(dir, temporary_name(temporary->serial).c_str(), 0);
  close(found->fd);
  return -ENFILE;
}

int DirectoryStore::tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) {
  const Use parent(*this, dir, Need::directory);
  if (parent.error() < 0) return parent.error();
  FoundFile found;
  TemporaryName temporary;
  const int error = call([&] { return make_file(parent.fd(), mode, &found, &temporary); });
  if (error < 0) return error;
  DiskInode& made = table_.add(found);
  made.temporary = temporary;
  *out = made.number;
  return 0;
}

int DirectoryStore::link(InodeNumber inode, InodeNumber dir, std::string_view name) {
  const Use linked(*this, inode, Need::anything);
  if (linked.error() < 0) return linked.error();
  const Use parent(*this, dir, Need::directory);
  if (parent.error() < 0) return parent.error();
  if (const int error = check_name(name); error < 0) return error;
  const int error = call([&, temporary = linked.inode().temporary] {
    const int made = answer([&] {
      return linkat(AT_FDCWD, FdPath(linked.fd()).c_str(), parent.fd(), CName(name).c_str(),
                    AT_SYMLINK_FOLLOW);
    });
    if (made == 0) unlink_now(temporary);
    return made;
  });
  if (error == 0) table_.named(linked.inode());
  return error;
}

int DirectoryStore::unlink(InodeNumber dir, std::string_view name) {
  const Use parent(*this, dir, Need::directory);
  if (parent.error() < 0) return parent.error();
  if (const int error = check_name(name); error < 0) return error;
  FoundFile removed;
  const int error = call([&] {
    return remove_name(parent.fd(), name, &removed,
                       [&] { return unlinkat(parent.fd(), CName(name).c_str(), 0); });
  });
  if (removed.fd >= 0) table_.name_removed(removed);
  return error;
}

int DirectoryStore::rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
                           std::string_view to) {
  const Use source(*this, from_dir, Need::directory);
  if (source.error() < 0) return source.error();
  if (const int error = check_name(from); error < 0) return error;
  const Use target(*this, to_dir, Need::directory);
  if (target.error() < 0) return target.error();
  if (const int error = check_name(to); error < 0) return error;
  FoundFile removed;
  const int error = call([&] {
    return remove_name(target.fd(), to, &removed, [&] {
      return renameat(source.fd(), CName(from).c_str(), target.fd(), CName(to).c_str());
    });
  });
  if (removed.fd >= 0) table_.name_removed(removed);
  return error;
}

}  // namespace coldread::fuse
