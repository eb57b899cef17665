// Images of every layout give back the tree they were made from, and only ask for what they need.
#include <dirent.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <map>

#include "tests/fuse/erofs/images.h"

namespace coldread::erofs {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

#define NEEDS_IMAGE(bytes) \
  if ((bytes).empty()) GTEST_SKIP() << "mkfs.erofs is not installed"

void make_tree(const Scratch& scratch) {
  scratch.write("tree/big", noise(1'000'001, 1));
  scratch.write("tree/aligned", noise(131'072, 2));
  scratch.write("tree/small", "a few bytes\n");
  scratch.write("tree/empty", "");
  scratch.write("tree/below/deeper/file", noise(5'000, 4));
  for (int i = 0; i < 250; i++) scratch.write(fmt::format("tree/many/file-{:03}", i), "x");
  fs::create_symlink("below/deeper/file", scratch / "tree/link");
  fs::create_symlink(std::string(4'000, 'l'), scratch / "tree/long-link");
  fs::create_hard_link(scratch / "tree/small", scratch / "tree/same");
  fs::permissions(scratch / "tree/small", fs::perms(0751));
}

// Everything below `directory` of the image, compared with the tree. Returns how many there were.
size_t compare(Image& image, Inode& directory, const fs::path& tree) {
  std::map<std::string, std::pair<uint64_t, uint8_t>> entries;
  EXPECT_EQ(image.list(directory, 0,
                       [&](const DirectoryEntry& entry) {
                         entries[std::string(entry.name)] = {entry.nid, entry.type};
                         return true;
                       }),
            0);
  EXPECT_EQ(entries.erase("."), 1U);
  EXPECT_EQ(entries.erase(".."), 1U);
  size_t count = 0;
  for (const fs::directory_entry& real : fs::directory_iterator(tree)) {
    const std::string name = real.path().filename().string();
    SCOPED_TRACE(real.path().string());
    uint64_t nid = 0;
    EXPECT_EQ(image.lookup(directory, name, &nid), 0);
    EXPECT_EQ(entries[name].first, nid);
    std::shared_ptr<Inode> inode;
    if (image.inode(nid, &inode) != 0) {
      ADD_FAILURE() << "no inode";
      continue;
    }
    struct stat expected = {};
    EXPECT_EQ(lstat(real.path().c_str(), &expected), 0);
    EXPECT_EQ(inode->mode, expected.st_mode);
    EXPECT_EQ(entries[name].second, IFTODT(expected.st_mode));
    EXPECT_EQ(inode->nlink, expected.st_nlink);
    EXPECT_EQ(inode->uid, expected.st_uid);
    if (real.is_symlink()) {
      std::string target;
      EXPECT_EQ(image.read_link(*inode, &target), 0);
      EXPECT_EQ(target, fs::read_symlink(real.path()).string());
    } else if (real.is_directory()) {
      count += compare(image, *inode, real.path());
    } else {
      EXPECT_EQ(inode->size, real.file_size());
      int error = 0;
      EXPECT_TRUE(contents(image, *inode, &error, 4096 * 7) == slurp(real.path()));
      EXPECT_EQ(error, 0);
    }
    entries.erase(name);
    count++;
  }
  EXPECT_TRUE(entries.empty()) << entries.begin()->first;
  return count;
}

struct Layout {
  const char* name;
  const char* options;
};

class Layouts : public testing::TestWithParam<Layout> {};

TEST_P(Layouts, GiveBackTheTree) {
  const Scratch scratch;
  make_tree(scratch);
  const std::string bytes = make_image(scratch, GetParam().options);
  NEEDS_IMAGE(bytes);
  MemorySource source(bytes);
  Image image(source, {});
  ASSERT_EQ(image.open(), 0);
  EXPECT_EQ(compare(image, *image.root(), scratch / "tree"), 261U);
}

INSTANTIATE_TEST_SUITE_P(
    Each, Layouts,
    testing::Values(Layout{"compact", "-Eforce-inode-compact"},
                    Layout{"extended", "-Eforce-inode-extended"},
                    Layout{"plain", "-Enoinline_data"},
                    Layout{"blockmap", "-Eforce-chunk-blockmap --chunksize=4096"},
                    Layout{"indexes", "-Eforce-chunk-indexes --chunksize=4096"}),
    [](const auto& test) { return test.param.name; });

// mkfs.erofs of Debian 12 makes no holes, so an index is changed.
TEST(Image, ReadsOfAHoleAreZeroToTheWindowsEnd) {
  const Scratch scratch;
  scratch.write("tree/file", noise(400'000, 3));
  std::string bytes = make_image(scratch, "-Eforce-chunk-indexes --chunksize=65536");
  NEEDS_IMAGE(bytes);
  std::shared_ptr<Inode> inode;
  {
    MemorySource source(bytes);
    Image image(source, {});
    ASSERT_EQ(image.open(), 0);
    ASSERT_EQ(find(image, "file", &inode), 0);
  }
  const uint64_t indexes = (inode->xattr_start + inode->xattr_size + 7) / 8 * 8;
  bytes.replace(indexes + 8 * 3 + offsetof(erofs_inode_chunk_index, blkaddr), 4,
                "\xff\xff\xff\xff");
  bytes[EROFS_SUPER_OFFSET + offsetof(erofs_super_block, feature_compat)] = '\0';  // no checksum
  MemorySource source(bytes);
  Image image(source, {});
  ASSERT_EQ(image.open(), 0);
  ASSERT_EQ(find(image, "file", &inode), 0);
  std::string expected = slurp(scratch / "tree/file");
  std::fill_n(expected.begin() + 196'608, 65'536, '\0');
  int error = 0;
  EXPECT_TRUE(contents(image, *inode, &error, 65'536) == expected);
  // The window that begins in the hole has data behind it, which no kernel reads.
  std::vector<std::byte> window(131'072, std::byte{1});
  source.reads.clear();
  ASSERT_EQ(image.read(*inode, 196'608, window), 0);
  EXPECT_TRUE(std::ranges::all_of(window, [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_TRUE(source.reads.empty());
}

TEST(Image, MountingAsksForTheSuperblockAndTheRoot) {
  const Scratch scratch;
  make_tree(scratch);
  const std::string bytes = make_image(scratch, "");
  NEEDS_IMAGE(bytes);
  MemorySource source(bytes);
  Image image(source, {});
  ASSERT_EQ(image.open(), 0);
  using Read = MemorySource::Read;
  EXPECT_THAT(source.reads, Contains(Read{0, 0, 4096}));
  EXPECT_LE(source.reads.size(), 2U);  // the root may be in the first block
  for (const Read& read : source.reads) EXPECT_EQ(read.length, 4096U);
  EXPECT_THAT(source.log,
              ElementsAre(fmt::format("mounted with root inode @ nid {}.", image.root()->nid)));

  // File data is asked for by extents, and nothing else then.
  std::shared_ptr<Inode> inode;
  ASSERT_EQ(find(image, "aligned", &inode), 0);
  source.reads.clear();
  int error = 0;
  EXPECT_EQ(contents(image, *inode, &error).size(), 131'072U);
  ASSERT_EQ(source.reads.size(), 1U);
  EXPECT_EQ(source.reads[0].length, 131'072U);
}

TEST(Image, DataMayBeInAnotherBlob) {
  const Scratch scratch;
  make_tree(scratch);
  const std::string bytes =
      make_image(scratch, "--chunksize=65536 --blobdev=" + (scratch / "blob").string());
  NEEDS_IMAGE(bytes);
  const std::string blob = slurp(scratch / "blob");
  for (const bool named : {false, true}) {
    MemorySource source(bytes);
    source.devices.push_back(blob);
    ImageOptions options;
    if (named) options.devices = {"my-blob"};
    Image image(source, options);
    const int error = image.open();
    if (!named && error == -EINVAL) {
      // This mkfs.erofs does not name blobs.
      EXPECT_THAT(source.log, ElementsAre(testing::StartsWith("empty device tag @ pos")));
      continue;
    }
    ASSERT_EQ(error, 0);
    EXPECT_EQ(source.names.size(), 1U);
    EXPECT_EQ(source.names[0] == "my-blob", named);
    std::shared_ptr<Inode> inode;
    ASSERT_EQ(find(image, "big", &inode), 0);
    source.reads.clear();
    int read_error = 0;
    EXPECT_TRUE(contents(image, *inode, &read_error) == slurp(scratch / "tree/big"));
    for (const auto& read : source.reads)
      EXPECT_TRUE(read.device == 1 || read.length == 4096U);  // chunk indexes
    EXPECT_GT(std::ranges::count(source.reads, 1U, &MemorySource::Read::device), 10);
  }
  MemorySource source(bytes);
  ImageOptions two;
  two.devices = {"a", "b"};
  Image image(source, two);
  EXPECT_EQ(image.open(), -EINVAL);
  EXPECT_THAT(source.log, ElementsAre("extra devices don't match (ondisk 1, given 2)"));
}

TEST(Image, AttributesComeWithTheirPrefixes) {
  const Scratch scratch;
  scratch.write("tree/file", "x");
  scratch.write("tree/other", "y");
  const auto set = [&](const char* file, const char* name, const std::string& value) {
    return setxattr((scratch / file).c_str(), name, value.data(), value.size(), 0) == 0;
  };
  const std::string large = noise(3'000, 9);
  if (!set("tree/file", "user.one", "1")) GTEST_SKIP() << "no user attributes on this disk";
  ASSERT_TRUE(set("tree/file", "user.large", large));
  for (const char* file : {"tree/file", "tree/other"})
    ASSERT_TRUE(set(file, "user.shared", "both"));
  // With tolerance 1 an attribute that two files have is stored once, elsewhere.
  const std::string bytes = make_image(scratch, "-x1");
  NEEDS_IMAGE(bytes);
  MemorySource source(bytes);
  Image image(source, {});
  ASSERT_EQ(image.open(), 0);
  std::shared_ptr<Inode> inode;
  ASSERT_EQ(find(image, "file", &inode), 0);
  std::vector<std::string> names;
  EXPECT_EQ(image.list_xattrs(*inode, &names), 0);
  EXPECT_THAT(names, UnorderedElementsAre("user.one", "user.large", "user.shared"));
  std::string value;
  EXPECT_EQ(image.get_xattr(*inode, "user.one", &value), 0);
  EXPECT_EQ(value, "1");
  EXPECT_EQ(image.get_xattr(*inode, "user.large", &value), 0);
  EXPECT_TRUE(value == large);
  EXPECT_EQ(image.get_xattr(*inode, "user.shared", &value), 0);
  EXPECT_EQ(value, "both");
  EXPECT_EQ(image.get_xattr(*inode, "user.two", &value), -ENODATA);
  EXPECT_EQ(image.get_xattr(*image.root(), "user.one", &value), -ENODATA);
}

TEST(Image, CompressedFilesAreRefused) {
  const Scratch scratch;
  scratch.write("tree/text", std::string(300'000, 'a'));
  const std::string bytes = make_image(scratch, "-zlz4");
  NEEDS_IMAGE(bytes);
  for (const bool later : {false, true}) {
    MemorySource source(bytes);
    ImageOptions options;
    options.reads_compressed = later;
    Image image(source, options);
    ASSERT_EQ(image.open(), 0);
    source.log.clear();
    std::shared_ptr<Inode> inode;
    EXPECT_EQ(find(image, "text", &inode), -EOPNOTSUPP);
    EXPECT_EQ(source.log.empty(), !later);
  }
}

TEST(Image, WhatCannotBeReadIsTriedAgain) {
  const Scratch scratch;
  make_tree(scratch);
  const std::string bytes = make_image(scratch, "");
  NEEDS_IMAGE(bytes);
  MemorySource source(bytes);
  source.failing = 0;
  Image failed(source, {});
  EXPECT_EQ(failed.open(), -EIO);
  EXPECT_THAT(source.log, ElementsAre("cannot read erofs superblock"));
  source.failing = -1;
  EXPECT_EQ(failed.open(), 0);

  std::shared_ptr<Inode> many;
  ASSERT_EQ(find(failed, "many", &many), 0);
  source.failing = static_cast<int64_t>(many->blkaddr * kBlockSize);
  uint64_t nid = 0;
  EXPECT_EQ(failed.lookup(*many, "file-000", &nid), -EIO);
  source.failing = -1;
  EXPECT_EQ(failed.lookup(*many, "file-000", &nid), 0);
  const size_t reads = source.reads.size();
  EXPECT_EQ(failed.lookup(*many, "file-000", &nid), 0);
  EXPECT_EQ(source.reads.size(), reads);  // from memory
  EXPECT_EQ(failed.lookup(*many, "file-7", &nid), -ENOENT);
  EXPECT_EQ(failed.lookup(*many, std::string(256, 'a'), &nid), -ENAMETOOLONG);
}

TEST(Image, ALaterExtentFailsTheWindowOrItself) {
  const Scratch scratch;
  scratch.write("tree/file", noise(262'144, 5));
  const std::string bytes = make_image(scratch, "--chunksize=65536");
  NEEDS_IMAGE(bytes);
  for (const bool one_by_one : {false, true}) {
    MemorySource source(bytes);
    ImageOptions options;
    options.one_request_per_extent = one_by_one;
    Image image(source, options);
    ASSERT_EQ(image.open(), 0);
    std::shared_ptr<Inode> inode;
    ASSERT_EQ(find(image, "file", &inode), 0);
    std::vector<std::byte> window(262'144);
    ASSERT_EQ(image.read(*inode, 0, window), 0);
    ASSERT_GE(source.reads.size(), 4U);
    const auto second = source.reads[source.reads.size() - 3];
    source.failing = static_cast<int64_t>(second.start);
    source.reads.clear();
    EXPECT_EQ(image.read(*inode, 0, window), -EIO);
    EXPECT_EQ(source.reads.size(), one_by_one ? 4U : 2U);
  }
}

struct Damage {
  const char* name;
  size_t offset;  // in the superblock
  std::string bytes;
  int error;
};

TEST(Image, ABadSuperblockFailsTheMount) {
  const Scratch scratch;
  make_tree(scratch);
  const std::string bytes = make_image(scratch, "-E^sb-chksum,legacy-compress");
  const std::string plain = bytes.empty() ? make_image(scratch, "") : bytes;
  NEEDS_IMAGE(plain);
  const Damage damages[] = {
      {"magic", 0, "x", -EINVAL},
      {"block size", offsetof(erofs_super_block, blkszbits), "\x09", -EINVAL},
      {"directory blocks", offsetof(erofs_super_block, dirblkbits), "\x01", -EINVAL},
      {"checksum", offsetof(erofs_super_block, checksum), "abcd", -EBADMSG},
      {"feature", offsetof(erofs_super_block, feature_incompat) + 3, "\x01", -EINVAL},
      {"slots", offsetof(erofs_super_block, sb_extslots), "\xff", -EINVAL},
      {"name", offsetof(erofs_super_block, volume_name), std::string(16, 'x'), -EUCLEAN},
  };
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.name);
    std::string image_bytes = plain;
    const std::string_view name = damage.name;
    // All but the checksum's own case go without one.
    image_bytes[EROFS_SUPER_OFFSET + offsetof(erofs_super_block, feature_compat)] =
        name == "checksum" ? '\1' : '\0';
    image_bytes.replace(EROFS_SUPER_OFFSET + damage.offset, damage.bytes.size(), damage.bytes);
    MemorySource source(image_bytes);
    Image image(source, {});
    EXPECT_EQ(image.open(), damage.error);
    EXPECT_FALSE(source.log.empty());
  }
}

// Bytes changed at random: any answer will do, but there must be one.
TEST(Image, SurvivesDamage) {
  const Scratch scratch;
  scratch.write("tree/small", "a few bytes\n");
  scratch.write("tree/file", noise(50'000, 6));
  for (int i = 0; i < 300; i++) scratch.write(fmt::format("tree/many/file-{:03}", i), "x");
  fs::create_symlink("small", scratch / "tree/link");
  setxattr((scratch / "tree/small").c_str(), "user.a", "b", 1, 0);
  for (const char* options : {"", "--chunksize=8192"}) {
    const std::string original = make_image(scratch, options);
    NEEDS_IMAGE(original);
    uint64_t state = 7;
    const auto random = [&state](size_t below) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      return (state >> 33) % below;
    };
    for (int round = 0; round < 400; round++) {
      std::string bytes = original;
      const size_t meta = std::min<size_t>(bytes.size(), 32'768);
      for (size_t changes = 1 + random(8); changes > 0; changes--)
        bytes[EROFS_SUPER_OFFSET + 8 + random(meta - EROFS_SUPER_OFFSET - 8)] =
            static_cast<char>(random(3) == 0 ? 0xff : random(256));
      bytes[EROFS_SUPER_OFFSET + 8] = 0;  // no checksum, or nothing else would be seen
      MemorySource source(bytes);
      source.bounded = true;
      Image image(source, {});
      if (image.open() != 0) continue;
      std::vector<uint64_t> found{image.root()->nid};
      for (size_t i = 0; i < found.size() && i < 400; i++) {
        std::shared_ptr<Inode> inode;
        if (image.inode(found[i], &inode) != 0) continue;
        std::vector<std::string> names;
        std::string text;
        image.list_xattrs(*inode, &names);
        if (S_ISLNK(inode->mode)) image.read_link(*inode, &text);
        if (S_ISDIR(inode->mode))
          image.list(*inode, 0, [&](const DirectoryEntry& entry) {
            if (found.size() < 400) found.push_back(entry.nid);
            uint64_t nid = 0;
            image.lookup(*inode, entry.name, &nid);
            return found.size() < 400;
          });
        std::vector<std::byte> window(131'072);
        if (S_ISREG(inode->mode)) image.read(*inode, 0, window);
      }
    }
  }
}

}  // namespace
}  // namespace coldread::erofs
