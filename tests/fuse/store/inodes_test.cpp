// Inodes and the file descriptors that hold them: references, how many stay open, and what happens
// to files that others remove meanwhile.
#include "tests/fuse/store/store_fixture.h"

namespace coldread::fuse {
namespace {

class DirectoryStoreInodes : public DirectoryStoreTest {
 protected:
  // Whether closed inodes can be opened again here.
  bool open_few(size_t max_open) {
    open({.max_open = max_open});
    const InodeNumber one = make_file("probe 1");
    const InodeNumber other = make_file("probe 2");
    for (size_t i = 0; i < max_open; ++i) make_directory("probe " + std::to_string(i + 3));
    const bool few = store->open_inodes() <= max_open;
    store->put(one);
    store->put(other);
    return few;
  }
  // Its fd is closed, since many others were used since.
  void use_others() {
    for (int i = 0; i < 16; ++i) {
      InodeNumber made = 0;
      const std::string name = "other " + std::to_string(others_++);
      ASSERT_EQ(store->mkdir(store->root(), name, 0700, &made), 0);
    }
  }
  int others_ = 0;
  InodeNumber nothing_ = 0;
};

TEST_F(DirectoryStoreInodes, AreGoneWithTheLastReference) {
  const InodeNumber file = make_file("file");
  store->get(file);
  store->put(file);
  EXPECT_EQ(attributes(file).size, 0U);
  store->put(file);
  EXPECT_EQ(misuses.size(), 0U);
  FileAttributes none;
  EXPECT_EQ(store->getattr(file, &none), -ESTALE);
  EXPECT_EQ(store->truncate(file, 0), -ESTALE);
  EXPECT_EQ(look(file, "x"), -ESTALE);
  EXPECT_EQ(store->path_lookup("x", file, &nothing_), -ESTALE);
  store->get(file);
  store->put(file);
  EXPECT_EQ(misuses.size(), 6U);
}

TEST_F(DirectoryStoreInodes, AreGivenBackWithoutASystemCall) {
  const InodeNumber file = make_tmpfile();
  write(file, 0, 65536, 'x');
  const size_t calls = offload.calls;
  store->get(file);
  store->put(file);
  store->put(file);
  EXPECT_EQ(offload.calls, calls);
}

TEST_F(DirectoryStoreInodes, LeaveNoDescriptorBehind) {
  store.reset();
  const size_t before = open_descriptors();
  open();
  make_tmpfile();
  const InodeNumber file = make_file("file");
  write(file, 0, 4096, 'x');
  for (int i = 0; i < 100; ++i) {
    look(store->root(), "file");
    store->put(make_tmpfile());
    store->unlink(store->root(), "nothing");
  }
  EXPECT_LT(open_descriptors(), before + 12);
  store.reset();
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(DirectoryStoreInodes, AreManyMoreThanDescriptors) {
  if (!open_few(50)) GTEST_SKIP() << "no file handles here: every inode needs its descriptor";
  const size_t before = open_descriptors();
  std::vector<InodeNumber> files;
  for (int i = 0; i < 1000; ++i) {
    files.push_back(make_file(std::to_string(i)));
    ASSERT_EQ(write(files.back(), 0, 512, static_cast<char>('a' + i % 26)), 512);
    ASSERT_LE(store->open_inodes(), 50U);
  }
  EXPECT_LT(open_descriptors(), before + 20);
  for (size_t i = 0; i < files.size(); i += 7) {
    ASSERT_EQ(read(files[i], 0, 512), 512);
    ASSERT_EQ(text(0, 1)[0], static_cast<char>('a' + i % 26));
    InodeNumber found = 0;
    ASSERT_EQ(store->lookup(store->root(), std::to_string(i), &found), 0);
    ASSERT_EQ(found, files[i]);
  }
  EXPECT_LT(open_descriptors(), before + 40);
}

TEST_F(DirectoryStoreInodes, WithoutANameKeepTheirs) {
  if (!open_few(4)) GTEST_SKIP() << "no file handles here: every inode needs its descriptor";
  const InodeNumber nameless = make_tmpfile();
  const InodeNumber unlinked = make_file("unlinked");
  const InodeNumber replaced = make_file("replaced");
  const InodeNumber closed = make_file("closed");
  make_file("new");
  for (const InodeNumber inode : {nameless, unlinked, replaced, closed})
    ASSERT_EQ(write(inode, 0, 512, 'x'), 512);
  use_others();
  EXPECT_EQ(store->unlink(store->root(), "unlinked"), 0);
  EXPECT_EQ(store->rename(store->root(), "new", store->root(), "replaced"), 0);
  use_others();
  for (const InodeNumber inode : {nameless, unlinked, replaced, closed}) {
    ASSERT_EQ(read(inode, 0, 512), 512);
    EXPECT_EQ(text(0, 2), "xx");
  }
  EXPECT_EQ(attributes(unlinked).links, 0U);
  EXPECT_EQ(attributes(replaced).links, 0U);
}

TEST_F(DirectoryStoreInodes, RemovedByOthersWhileClosedAreStale) {
  if (!open_few(4)) GTEST_SKIP() << "no file handles here: every inode needs its descriptor";
  const InodeNumber file = make_file("file");
  use_others();
  ASSERT_EQ(::unlink((directory / "file").c_str()), 0);
  FileAttributes none;
  EXPECT_EQ(store->getattr(file, &none), -ESTALE);
  // Whoever gets its number on the disk next is somebody else.
  for (int i = 0; i < 100; ++i) {
    const std::string name = "new " + std::to_string(i);
    EXPECT_NE(make_file(name), file);
  }
  EXPECT_EQ(store->getattr(file, &none), -ESTALE);
  store->put(file);
  EXPECT_TRUE(misuses.empty());
}

TEST_F(DirectoryStoreInodes, KeepADescriptorThatACallStillUses) {
  make_file("file");
  open();
  InodeNumber file = 0;
  ASSERT_EQ(store->lookup(store->root(), "file", &file), 0);
  offload.before = [&] {
    ASSERT_EQ(write(file, 0, 512, 'x'), 512);  // needs a better one
    make_directory("another that may get its descriptor");
  };
  EXPECT_EQ(store->link(file, store->root(), "second"), 0);
  EXPECT_EQ(attributes(file).links, 2U);
}

TEST_F(DirectoryStoreInodes, AreNotPutUnderACall) {
  const InodeNumber file = make_tmpfile();
  offload.before = [&] { store->put(file); };
  EXPECT_EQ(store->link(file, store->root(), "file"), 0);
  EXPECT_EQ(store->inodes_in_use(), 1U);
}

TEST_F(DirectoryStoreInodes, AreSoughtInAtOnceUnlessTheyAreBeingChanged) {
  const InodeNumber file = make_tmpfile();
  const auto seek_calls = [&] {
    const size_t calls = offload.calls;
    EXPECT_EQ(store->seek(file, 0, Whence::data), 0);
    return offload.calls - calls;
  };
  write(file, 0, 4096, 'x');
  EXPECT_EQ(seek_calls(), 1U) << "the first time the disk may have to be read";
  EXPECT_EQ(seek_calls(), 0U);
  size_t calls = 0;
  offload.before = [&] { calls = seek_calls(); };
  write(file, 4096, 4096, 'x');
  EXPECT_EQ(calls, 1U);
  EXPECT_EQ(seek_calls(), 0U);
}

TEST_F(DirectoryStoreInodes, HaveATemporaryNameWhereNeeded) {
  open({.tmpfile = false});
  const auto names = [this] {
    const std::filesystem::directory_iterator entries(directory.path());
    return std::distance(begin(entries), end(entries));
  };
  const InodeNumber kept = make_tmpfile();
  const InodeNumber dropped = make_tmpfile();
  EXPECT_EQ(names(), 2);
  EXPECT_EQ(attributes(kept).links, 0U);
  EXPECT_EQ(store->link(kept, store->root(), "kept"), 0);
  EXPECT_EQ(attributes(kept).links, 1U);
  EXPECT_EQ(names(), 2);
  store->put(dropped);
  EXPECT_EQ(store->sync(), 0);
  EXPECT_EQ(names(), 1);
  make_tmpfile();
  store.reset();
  EXPECT_EQ(names(), 1);
}

// As bind does with a cache, and unbind.
TEST_F(DirectoryStoreTest, OneCacheInADirectory) {
  Result<std::unique_ptr<DirectoryStore>> opened =
      DirectoryStore::open(offload, directory.path(), {});
  ASSERT_TRUE(opened) << opened.error();
  const auto bind = [](DirectoryStore& by) {
    by.get(by.root());
    EXPECT_TRUE(by.can_hold_cache(by.root()));
    FilesystemStatistics found;
    return by.statfs(&found);
  };
  const auto unbind = [](DirectoryStore& by) { by.put(by.root()); };
  EXPECT_EQ(bind(*store), 0);
  EXPECT_EQ(bind(**opened), -EBUSY);
  unbind(**opened);
  FilesystemStatistics found;
  EXPECT_EQ((*opened)->statfs(&found), 0) << "nothing was asked about";
  unbind(*store);
  EXPECT_EQ(bind(**opened), 0);
  EXPECT_EQ(bind(*store), -EBUSY);
  unbind(*store);
  opened->reset();  // with its cache
  EXPECT_EQ(bind(*store), 0);
  unbind(*store);
  EXPECT_EQ(bind(*store), 0) << "again";
  unbind(*store);
}

}  // namespace
}  // namespace coldread::fuse
