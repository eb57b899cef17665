// The modelled kernel with its cache on a real directory, one daemon and one reader: what tests of
// whole reads need.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "fuse/store/directory_store.h"
#include "kernelmodel/cachefiles/ondemand.h"
#include "sim/scheduler/scheduler.h"
#include "tests/fuse/store/store_fixture.h"

namespace coldread::fuse {

struct Quietness final : Trace, Log {
  void emit(std::string_view, std::string_view) override {}
  void printk(std::string_view line) override { lines.emplace_back(line); }
  void note(ReportKind, std::string_view text) override { lines.emplace_back(text); }
  std::vector<std::string> lines;
};

class ModelCache {
 public:
  // Bytes of an object, by its cookie's key.
  using Blobs = std::map<std::string, std::string>;

  ModelCache(Offload& offload, const std::string& directory, const char* profile, Blobs blobs,
             DirectoryStoreOptions options = {})
      : scheduler_(strategy_),
        directory_(directory),
        store_(std::move(*DirectoryStore::open(offload, directory, std::move(options)))),
        kernel_(scheduler_, *store_, quietness_, quietness_, *find_profile(profile)),
        files_(kernel_),
        blobs_(std::move(blobs)) {}

  // Runs `body` as a task of the daemon's process, from bind to the end of everything.
  void run(std::function<void()> body) {
    body_ = [this, body = std::move(body)] {
      bind();
      body();
      end();
    };
    spawn("daemon", body_);
    const sim::RunEnd end = scheduler_.run();
    EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
    EXPECT_EQ(store_->inodes_in_use(), 1U) << "more than the directory itself";
    for (const std::string& line : quietness_.lines) ADD_FAILURE() << line;
  }

  // --- in the body ---

  void acquire_volume(std::string_view key) {
    int error = 0;
    volume_ = fscache_acquire_volume(kernel_, key, "", {}, &error);
    ASSERT_EQ(error, 0);
  }

  CookieHandle open_cookie(const std::string& key) {
    const CookieHandle cookie =
        fscache_acquire_cookie(kernel_, volume_, FSCACHE_ADV_WANT_CACHE_SIZE,
                               std::as_bytes(std::span(key.data(), key.size())), {}, 0);
    fscache_use_cookie(kernel_, cookie, false);
    cookies_.push_back(cookie);
    serve();
    return cookie;
  }

  // Reads as EROFS does, the daemon answering; what came before an error.
  std::string read(CookieHandle cookie, uint64_t offset, uint64_t length) {
    reading_ = {cookie, offset, length, "", false};
    reader_ = [this] { read_slices(); };
    spawn("reader", reader_);
    while (!reading_.done) serve();
    return reading_.data;
  }

  size_t asked() const { return asked_; }  // READ requests so far

 private:
  struct Reading {
    CookieHandle cookie;
    uint64_t offset = 0;
    uint64_t length = 0;
    std::string data;
    bool done = false;
  };

  void spawn(const char* name, std::function<void()>& body) {
    Task& task = scheduler_.spawn(
        name, false, [](void* arg) { (*static_cast<std::function<void()>*>(arg))(); }, &body);
    task.files = &files_;
  }

  void command(const std::string& text) {
    ASSERT_EQ(sys_write(kernel_, device_, std::as_bytes(std::span(text.data(), text.size()))),
              static_cast<ssize_t>(text.size()))
        << text;
  }

  void bind() {
    FileHandle file;
    ASSERT_EQ(cachefiles_daemon_open(kernel_, O_RDWR, &file), 0);
    device_ = get_unused_fd_flags(kernel_, 0);
    fd_install(kernel_, device_, file);
    command("dir " + directory_);
    command("bind ondemand");
  }

  void end() {
    for (const CookieHandle cookie : cookies_) {
      fscache_unuse_cookie(kernel_, cookie, {}, nullptr);
      fscache_relinquish_cookie(kernel_, cookie, false);
    }
    serve();
    fscache_relinquish_volume(kernel_, volume_, {}, false);
    scheduler_.wait_quiet({"settle", ""});
    exit_files(kernel_, files_);
  }

  // Answers everything that is asked until nothing more comes.
  void serve() {
    scheduler_.wait_quiet({"settle", ""});
    while (sys_read(kernel_, device_, {message_, sizeof(message_)}) > 0) {
      uapi::cachefiles_msg header;
      std::memcpy(&header, message_, sizeof(header));
      if (header.opcode == CACHEFILES_OP_OPEN) answer_open(header);
      if (header.opcode == CACHEFILES_OP_READ) answer_read(header);
      if (header.opcode == CACHEFILES_OP_CLOSE) close_fd(kernel_, objects_[header.object_id].fd);
      scheduler_.wait_quiet({"settle", ""});
    }
  }

  void answer_open(const uapi::cachefiles_msg& header) {
    uapi::cachefiles_open open;
    std::memcpy(&open, message_ + sizeof(header), sizeof(open));
    const auto* keys = reinterpret_cast<const char*>(message_) + sizeof(header) + sizeof(open);
    const std::string& blob = blobs_[{keys + open.volume_key_size, open.cookie_key_size}];
    objects_[header.object_id] = {static_cast<int>(open.fd), &blob};
    command("copen " + std::to_string(header.msg_id) + "," + std::to_string(blob.size()));
  }

  void answer_read(const uapi::cachefiles_msg& header) {
    ++asked_;
    uapi::cachefiles_read range;
    std::memcpy(&range, message_ + sizeof(header), sizeof(range));
    const Object& object = objects_[header.object_id];
    const size_t length = std::min<size_t>(range.len, kChunk);
    std::memset(chunk_.data(), 0, length);
    object.blob->copy(reinterpret_cast<char*>(chunk_.data()), length, range.off);
    ASSERT_EQ(
        sys_pwrite(kernel_, object.fd, {chunk_.data(), length}, static_cast<int64_t>(range.off)),
        static_cast<ssize_t>(length));
    ASSERT_EQ(sys_ioctl(kernel_, object.fd, CACHEFILES_IOC_READ_COMPLETE, header.msg_id), 0);
  }

  void read_slices() {
    netfs_cache_resources cres;
    const int begun = fscache_begin_read_operation(kernel_, cres, reading_.cookie);
    EXPECT_EQ(begun, 0);
    while (begun == 0 && reading_.data.size() < reading_.length && read_slice(cres)) {
    }
    if (begun == 0) fscache_end_operation(kernel_, cres);
    reading_.done = true;
  }

  bool read_slice(netfs_cache_resources& cres) {
    const auto start = static_cast<int64_t>(reading_.offset + reading_.data.size());
    uint64_t length = std::min<uint64_t>(reading_.length - reading_.data.size(), kChunk);
    uint32_t flags = 1u << NETFS_SREQ_ONDEMAND;
    const netfs_io_source source =
        cachefiles_prepare_read(kernel_, cres, start, &length, INT64_MAX, &flags, 0);
    EXPECT_EQ(source, NETFS_READ_FROM_CACHE);
    if (source != NETFS_READ_FROM_CACHE) return false;
    const ssize_t count = cachefiles_read(kernel_, cres, start, {read_chunk_.data(), length},
                                          NETFS_READ_HOLE_FAIL, false);
    EXPECT_EQ(count, static_cast<ssize_t>(length));
    if (count <= 0) return false;
    reading_.data.append(reinterpret_cast<const char*>(read_chunk_.data()),
                         static_cast<size_t>(count));
    return true;
  }

  struct Object {
    int fd = -1;
    const std::string* blob = nullptr;
  };
  static constexpr size_t kChunk = 128 << 10;

  sim::FifoStrategy strategy_;
  sim::FiberScheduler scheduler_;
  std::string directory_;
  Quietness quietness_;
  std::unique_ptr<DirectoryStore> store_;
  Kernel kernel_;
  files_struct files_;
  Blobs blobs_;
  std::function<void()> body_;
  std::function<void()> reader_;
  AlignedMemory chunk_{kChunk};
  AlignedMemory read_chunk_{kChunk};
  std::byte message_[1024] = {};
  int device_ = -1;
  VolumeHandle volume_;
  std::vector<CookieHandle> cookies_;
  std::map<uint32_t, Object> objects_;
  Reading reading_;
  size_t asked_ = 0;
};

}  // namespace coldread::fuse
