// An EROFS image, read as fs/erofs of Linux reads it in fscache mode: the same checks, the same
// errors, and the same pieces asked for in the same order.
//
// Uncompressed images: flat inodes with and without an inline tail, chunks in any number of blobs.
// Compressed files are EOPNOTSUPP: kernels before 6.9 say so, and later ones could read them.
//
// Any image is safe to open: what is wrong with it comes out as -EUCLEAN (EFSCORRUPTED), -EINVAL,
// -EOPNOTSUPP, -ENODEV or -EIO. All functions answer 0 or a negative errno and may wait where the
// Source does, whose errors they pass on. Thread rules: those of the Source, which must outlive the
// image; several fibers may read at once.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "fuse/erofs/format.h"
#include "fuse/erofs/page_cache.h"

namespace coldread::erofs {

struct ImageOptions {
  std::vector<std::string> devices;     // of device=, in order; none: the image's own names
  bool one_request_per_extent = false;  // as before 6.2: after an error the others are read
  bool checks_anew = true;              // 6.12+: what an inode says is checked in another order
  bool reads_compressed = false;        // the kernel would (6.9+), so the log says that it is us
  bool knows_xattr_prefixes = true;     // 6.4+
  std::string warning = {};             // said of the mode when the image is known to be one
};

// struct inode and erofs_inode, of one nid.
struct Inode {
  explicit Inode(Source& source) : pages(source) {}

  uint64_t nid = 0;
  DataLayout layout = EROFS_INODE_FLAT_PLAIN;
  uint32_t mode = 0;  // type and permissions
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t nlink = 0;
  uint32_t rdev = 0;     // as the image has it: new_encode_dev()
  uint64_t size = 0;     // bytes, below 2^63
  uint64_t sectors = 0;  // of 512 bytes, as the image says or in whole blocks
  uint64_t mtime = 0;
  uint32_t mtime_nsec = 0;
  uint64_t xattr_start = 0;  // bytes, in the image
  uint32_t xattr_size = 0;
  uint32_t blkaddr = 0;     // of flat data
  unsigned chunk_bits = 0;  // log2 of a chunk's size
  bool chunk_indexes = false;
  PageCache pages;  // of a directory or a symbolic link
};

// A block's number has 32 bits; what is above them is lost.
constexpr uint64_t in_first_blocks(uint64_t position) {
  return position % (kBlockSize << 32);
}

struct DirectoryEntry {
  std::string_view name;  // until the next call
  uint64_t nid = 0;
  uint8_t type = 0;            // DT_*
  uint64_t next_position = 0;  // where a listing goes on behind it
};

class Image {
 public:
  Image(Source& source, ImageOptions options)
      : source_(source), options_(std::move(options)), metadata_(source) {}

  // What mount(2) does once the image's cookie is there: superblock, device table, root.
  // erofs_fc_fill_super(). -EINVAL: not an image, or one of another block size, or the devices
  // given are not as many as it has; -EBADMSG: its checksum is wrong.
  int open();
  const std::shared_ptr<Inode>& root() const { return root_; }
  uint64_t blocks() const { return total_blocks_; }
  uint64_t inodes() const { return super_.inos; }

  // erofs_iget()
  int inode(uint64_t nid, std::shared_ptr<Inode>* inode);

  // erofs_namei(). -ENOENT.
  int lookup(Inode& directory, std::string_view name, uint64_t* nid);
  // erofs_readdir(), from a position that was given before or 0; until take() says false.
  int list(Inode& directory, uint64_t position,
           const std::function<bool(const DirectoryEntry&)>& take);
  // page_get_link()
  int read_link(Inode& link, std::string* target);

  // One window of a file's page cache: [start, start + pages.size()) in whole pages, as
  // erofs_fscache_readahead() does it. After an error nothing of it is good.
  int read(const Inode& file, uint64_t start, std::span<std::byte> pages);

  // erofs_getxattr(), erofs_listxattr(): names with their prefixes. -ENODATA: there is none such.
  int get_xattr(const Inode& inode, std::string_view name, std::string* value);
  int list_xattrs(const Inode& inode, std::vector<std::string>* names);

 private:
  // struct erofs_map_blocks: where the data of some range is.
  struct Extent {
    uint64_t start = 0;   // in the file
    uint64_t length = 0;  // 0: behind its end
    bool mapped = false;
    bool metadata = false;  // in the image itself, behind the inode
    unsigned device = 0;
    uint64_t physical = 0;
  };
  struct Device {
    uint64_t start = 0;  // among all blocks, in bytes; 0: nowhere
    uint64_t length = 0;
  };
  struct XattrPrefix {
    uint8_t base = 0;
    std::string infix;
  };

  int check_superblock(std::span<const std::byte> page);
  int check_algorithms() const;
  int scan_devices();
  int read_prefixes();
  // Bytes of the image that may cross pages; and a structure that must not.
  int metadata(uint64_t position, PageCache::Page* from_there);
  int metadata_bytes(uint64_t position, size_t length, std::string* bytes);
  template <typename T>
  int metadata_at(uint64_t position, T* out);

  int fill_inode(Inode& inode);
  int check_size(const Inode& inode) const;
  int place_data(Inode& inode, uint32_t data);
  int map(const Inode& inode, uint64_t position, Extent* extent);
  int map_chunk(const Inode& inode, uint64_t position, Extent* extent);
  int map_device(const Extent& extent, unsigned* device, uint64_t* physical);
  int read_slice(const Inode& inode, uint64_t start, std::span<std::byte> pages, size_t* count);
  int page_of(Inode& inode, uint64_t position, PageCache::Page* page);

  struct Xattr {
    std::string name;
    uint64_t value_start = 0;
    uint16_t value_size = 0;
  };
  int each_xattr(const Inode& inode, const std::function<int(const Xattr&)>& visit);
  int one_xattr(uint64_t position, uint64_t room, const std::function<int(const Xattr&)>& visit,
                uint32_t* entry_size);

  int corrupted(const std::string& text) const;

  Source& source_;
  const ImageOptions options_;
  PageCache metadata_;
  erofs_super_block super_{};
  uint64_t total_blocks_ = 0;
  unsigned device_mask_ = 0;
  std::vector<Device> devices_;  // 1, 2, ...
  std::vector<XattrPrefix> prefixes_;
  std::shared_ptr<Inode> root_;
};

template <typename T>
int Image::metadata_at(uint64_t position, T* out) {
  PageCache::Page page;
  if (const int error = metadata(position, &page); error != 0) return error;
  if (page.size() < sizeof(T)) return corrupted("a structure across blocks");
  *out = load<T>(page);
  return 0;
}

}  // namespace coldread::erofs
