// What somebody else does to the cache's disk: a real directory and the model's answer alike.
#include "sim/live/disk_calls.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>

#include "sim/machine/disk_calls.h"
#include "tests/kernelmodel/cachefiles/bound_cache.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread {
namespace {

using scenario::DiskCall;
using Op = scenario::DiskOperation;

class DiskCalls : public BoundCache {
 protected:
  DiskCalls() { umask(0077); }

  // The call on both; the model's answer if they agree.
  int64_t call(DiskCall call, std::string_view contents = "") {
    const auto bytes = std::as_bytes(std::span(contents));
    const int64_t real = live::change_disk(real_.path(), call, bytes, &real_entry_);
    const int64_t model = sim::change_disk(kernel_, store_, directory_, call, bytes, &model_entry_);
    EXPECT_EQ(model, real) << static_cast<int>(call.operation) << " " << call.path;
    return model;
  }
  int64_t call(Op operation, std::string path, std::string to = "") {
    DiskCall made = with(operation, std::move(path));
    made.to = std::move(to);
    return call(made);
  }
  static DiskCall with(Op operation, std::string path) {
    DiskCall made;
    made.operation = operation;
    made.path = std::move(path);
    made.mode = 0751;
    made.xattr = "user.CacheFiles.cache";
    return made;
  }
  // What lies at a path, on both alike, as JSON text without the extents, which are the file
  // system's; "": they differ.
  std::string look(const std::string& path) {
    const int64_t found = call(Op::look, path);
    if (found < 0) return "error " + std::to_string(found);
    real_entry_.erase("data");
    model_entry_.erase("data");
    EXPECT_EQ(model_entry_, real_entry_) << path;
    return model_entry_ == real_entry_ ? model_entry_.dump() : "";
  }

  live::TemporaryDirectory real_;
  InodeNumber directory_ = store_.make_directory("/disk/c");
  nlohmann::json real_entry_, model_entry_;
};

TEST_F(DiskCalls, SomethingNewHasItsParentsMadeAndItsMode) {
  EXPECT_EQ(call(Op::mkdir, "a/b"), 0);
  EXPECT_EQ(look("a"), R"({"entries":1,"mode":"0700","type":"directory","xattr":null})");
  EXPECT_EQ(look("a/b"), R"({"entries":0,"mode":"0751","type":"directory","xattr":null})");
  EXPECT_EQ(call(Op::mkdir, "a/b"), -EEXIST);
  EXPECT_EQ(call(Op::mkfifo, "c/fifo"), 0);
  EXPECT_EQ(look("c/fifo"), R"({"mode":"0751","type":"other","xattr":null})");
  EXPECT_EQ(call(Op::symlink, "c/link", "nowhere"), 0);
  EXPECT_EQ(look("c/link"), R"({"mode":"0777","type":"other","xattr":null})");
  EXPECT_EQ(call(Op::create, "c/fifo"), -EEXIST);
  EXPECT_EQ(call(Op::create, "c/fifo/file"), -ENOTDIR);
  EXPECT_EQ(look("c"), R"({"entries":2,"mode":"0700","type":"directory","xattr":null})");
  EXPECT_EQ(look("none"), "error -2");
  EXPECT_EQ(look("none/none"), "error -2");
}

TEST_F(DiskCalls, Files) {
  DiskCall made = with(Op::create, "x/file");
  made.size = 10000;
  EXPECT_EQ(call(made, "contents"), 0);
  EXPECT_EQ(look("x/file"), R"({"mode":"0751","size":10000,"type":"file","xattr":null})");
  DiskCall more = with(Op::write, "x/file");
  more.offset = 9999;
  EXPECT_EQ(call(more, "longer"), 0);
  EXPECT_EQ(look("x/file"), R"({"mode":"0751","size":10005,"type":"file","xattr":null})");
  more.path = "x/none";
  EXPECT_EQ(call(more, "longer"), -ENOENT);
  more.path = "x";
  EXPECT_EQ(call(more, "longer"), -EISDIR);
  DiskCall cut = with(Op::truncate, "x/file");
  cut.size = 5000;
  EXPECT_EQ(call(cut), 0);
  DiskCall hole = with(Op::punch_hole, "x/file");
  hole.length = 4096;
  EXPECT_EQ(call(hole), 0);
  EXPECT_EQ(look("x/file"), R"({"mode":"0751","size":5000,"type":"file","xattr":null})");
  DiskCall mode = with(Op::chmod, "x/file");
  mode.mode = 0604;
  EXPECT_EQ(call(mode), 0);
  EXPECT_EQ(look("x/file"), R"({"mode":"0604","size":5000,"type":"file","xattr":null})");
}

TEST_F(DiskCalls, NamesGoAndMove) {
  EXPECT_EQ(call(Op::mkdir, "d/inner"), 0);
  EXPECT_EQ(call(Op::create, "f"), 0);
  EXPECT_EQ(call(Op::rmdir, "d"), -ENOTEMPTY);
  EXPECT_EQ(call(Op::rmdir, "f"), -ENOTDIR);
  EXPECT_EQ(call(Op::rmdir, "none"), -ENOENT);
  EXPECT_EQ(call(Op::unlink, "d"), -EISDIR);
  EXPECT_EQ(call(Op::unlink, "none"), -ENOENT);
  EXPECT_EQ(call(Op::rename, "f", "new/g"), 0);
  EXPECT_EQ(look("f"), "error -2");
  EXPECT_EQ(look("new/g"), R"({"mode":"0751","size":0,"type":"file","xattr":null})");
  EXPECT_EQ(call(Op::rename, "d", "d/inner/d"), -EINVAL);
  EXPECT_EQ(call(Op::rename, "none", "other"), -ENOENT);
  EXPECT_EQ(call(Op::unlink, "new/g"), 0);
  EXPECT_EQ(call(Op::rmdir, "new"), 0);
  EXPECT_EQ(call(Op::rmdir, "d/inner"), 0);
  EXPECT_EQ(call(Op::rmdir, "d"), 0);
  DiskCall mode = with(Op::chmod, ".");
  EXPECT_EQ(call(mode), 0);
  EXPECT_EQ(look("."), R"({"entries":0,"mode":"0751","type":"directory","xattr":null})");
  EXPECT_TRUE(store_.held().empty());
}

TEST_F(DiskCalls, OneFileMayHaveTwoNames) {
  EXPECT_EQ(call(Op::create, "f"), 0);
  EXPECT_EQ(call(Op::link, "f", "d/g"), 0);
  EXPECT_EQ(call(Op::link, "f", "d/g"), -EEXIST);
  EXPECT_EQ(call(Op::link, "none", "h"), -ENOENT);
  DiskCall mode = with(Op::chmod, "f");
  mode.mode = 0640;
  EXPECT_EQ(call(mode), 0);
  EXPECT_EQ(look("d/g"), R"({"mode":"0640","size":0,"type":"file","xattr":null})");
}

TEST_F(DiskCalls, Attributes) {
  if (setxattr(real_.path().c_str(), "user.test", "", 0, 0) < 0)
    GTEST_SKIP() << "this file system has no user xattrs";
  EXPECT_EQ(call(Op::create, "f"), 0);
  EXPECT_EQ(call(Op::mkfifo, "fifo"), 0);
  DiskCall set = with(Op::setxattr, "f");
  set.value = {std::byte{1}, std::byte{0xfe}};
  EXPECT_EQ(call(set), 0);
  EXPECT_EQ(look("f"), R"({"mode":"0751","size":0,"type":"file","xattr":"01fe"})");
  EXPECT_EQ(call(Op::removexattr, "f"), 0);
  EXPECT_EQ(call(Op::removexattr, "f"), -ENODATA);
  set.path = "fifo";
  EXPECT_EQ(call(set), -EPERM);
  EXPECT_EQ(call(Op::removexattr, "fifo"), -EPERM);
}

TEST_F(DiskCalls, WhatTheCacheUsesIsNotRemovedAsADirectory) {
  EXPECT_EQ(call(Op::mkdir, "used"), 0);
  InodeNumber used = 0;
  ASSERT_EQ(store_.lookup(directory_, "used", &used), 0);
  store_.put(used);
  cachefiles_inode(kernel_, used).kernel_file = true;
  nlohmann::json none;
  const DiskCall remove = with(Op::rmdir, "used");
  EXPECT_EQ(sim::change_disk(kernel_, store_, directory_, remove, {}, &none), -EBUSY);
  cachefiles_inode(kernel_, used).kernel_file = false;
  EXPECT_EQ(sim::change_disk(kernel_, store_, directory_, remove, {}, &none), 0);
}

}  // namespace
}  // namespace coldread
