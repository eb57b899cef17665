// Extended attributes: those behind the inode, then those it shares with others.
#include <fmt/core.h>

#include <cerrno>

#include "fuse/erofs/image.h"

namespace coldread::erofs {
namespace {

// By e_name_index. Lustre's has a number and no name.
constexpr std::string_view kPrefixes[] = {
    "", "user.",    "system.posix_acl_access", "system.posix_acl_default", "trusted.",
    "", "security."};

}  // namespace

// The entry at `position`, unless its name has no meaning. -EUCLEAN: it is larger than `room`.
int Image::one_xattr(uint64_t position, uint64_t room,
                     const std::function<int(const Xattr&)>& visit, uint32_t* entry_size) {
  erofs_xattr_entry entry{};
  if (const int error = metadata_at(position, &entry); error != 0) return error;
  const uint32_t size =
      static_cast<uint32_t>(sizeof(entry)) + entry.e_name_len + entry.e_value_size;
  *entry_size = (size + 3) / 4 * 4;
  if (*entry_size > room) return -EUCLEAN;
  uint8_t base = entry.e_name_index;
  std::string_view infix;
  if ((base & EROFS_XATTR_LONG_PREFIX) != 0) {
    const size_t index = base & ~unsigned{EROFS_XATTR_LONG_PREFIX};
    if (index >= prefixes_.size()) return 0;
    base = prefixes_[index].base;
    infix = prefixes_[index].infix;
  }
  if (base >= std::size(kPrefixes) || kPrefixes[base].empty()) return 0;
  Xattr found;
  if (const int error = metadata_bytes(position + sizeof(entry), entry.e_name_len, &found.name);
      error != 0)
    return error;
  found.name = fmt::format("{}{}{}", kPrefixes[base], infix, found.name);
  found.value_start = position + sizeof(entry) + entry.e_name_len;
  found.value_size = entry.e_value_size;
  return visit(found);
}

// erofs_init_inode_xattrs(), then erofs_xattr_iter_inline() and _shared(). Ends when visit()
// returns something other than 0, and returns that.
int Image::each_xattr(const Inode& inode, const std::function<int(const Xattr&)>& visit) {
  constexpr uint32_t kHeader = sizeof(erofs_xattr_ibody_header);
  if (inode.xattr_size == 0) return 0;
  if (inode.xattr_size == kHeader) {
    source_.log_error(
        fmt::format("xattr_isize {} of nid {} is not supported yet", inode.xattr_size, inode.nid));
    return -EOPNOTSUPP;
  }
  erofs_xattr_ibody_header header{};
  if (const int error = metadata_at(inode.xattr_start, &header); error != 0) return error;
  std::vector<uint32_t> shared;
  for (unsigned i = 0; i < header.h_shared_count; i++) {
    uint32_t id = 0;
    if (const int error = metadata_at(inode.xattr_start + kHeader + i * 4, &id); error != 0)
      return error;
    shared.push_back(id);
  }
  uint32_t entry_size = 0;
  const uint64_t end = inode.xattr_start + inode.xattr_size;
  for (uint64_t at = inode.xattr_start + kHeader + shared.size() * 4; at < end; at += entry_size) {
    if (const int result = one_xattr(at, end - at, visit, &entry_size); result != 0) return result;
  }
  for (const uint32_t id : shared) {
    const uint64_t at = super_.xattr_blkaddr * kBlockSize + uint64_t{id} * 4;
    if (const int result = one_xattr(at, UINT64_MAX, visit, &entry_size); result != 0)
      return result;
  }
  return 0;
}

int Image::get_xattr(const Inode& inode, std::string_view name, std::string* value) {
  bool there = false;
  const int result = each_xattr(inode, [&](const Xattr& found) {
    if (found.name != name) return 0;
    if (const int error = metadata_bytes(found.value_start, found.value_size, value); error != 0)
      return error;
    there = true;
    return 1;
  });
  if (result < 0) return result;
  return there ? 0 : -ENODATA;
}

int Image::list_xattrs(const Inode& inode, std::vector<std::string>* names) {
  return each_xattr(inode, [&](const Xattr& found) {
    names->push_back(found.name);
    return 0;
  });
}

}  // namespace coldread::erofs
