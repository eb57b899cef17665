// Images mounted on demand: the tree is there, the daemon is asked for no more than it takes, and
// what fails fails with the kernel's errno.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <set>

#include "fuse/mount/erofs_mount.h"
#include "tests/fuse/erofs/images.h"
#include "tests/fuse/mount/mounted.h"

namespace coldread::fuse {
namespace {

using erofs::make_image;
using erofs::noise;
using erofs::Scratch;
using erofs::slurp;
using testing::ElementsAre;
using testing::IsEmpty;

namespace fs = std::filesystem;

// A daemon with blobs, in a thread, that notes what it was asked.
class BlobServer {
 public:
  BlobServer(const std::string& mountpoint, std::map<std::string, std::string> blobs)
      : blobs_(std::move(blobs)), daemon_(mountpoint) {
    daemon_.bind();
    thread_ = std::thread([this] { run(); });
  }
  ~BlobServer() { stop(); }

  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    daemon_.close();
  }
  // "OPEN volume/cookie", "READ cookie offset+length", "CLOSE cookie", since the last call.
  std::vector<std::string> take_log() {
    const std::lock_guard lock(lock_);
    return std::exchange(log_, {});
  }
  // Until so many blobs are open.
  void wait_for_open(size_t count) {
    while (open_ != count) std::this_thread::yield();
  }
  std::atomic<bool> fail_reads{false};

 private:
  void run() {
    while (!stopping_) {
      pollfd wanted{daemon_.device(), POLLIN, 0};
      if (poll(&wanted, 1, 20) == 1) answer(daemon_.wait_for_message());
    }
  }

  void answer(const player::Message& message) {
    if (message.opcode == player::kOpOpen) {
      const std::string name(reinterpret_cast<const char*>(message.cookie_key.data()),
                             message.cookie_key.size());
      names_[message.object_id] = name;
      note(fmt::format("OPEN {}/{}", message.volume_key, name));
      const auto blob = blobs_.find(name);
      daemon_.answer_open(
          message, blob != blobs_.end() ? static_cast<int64_t>(blob->second.size()) : -ENOENT);
      open_++;
    } else if (message.opcode == player::kOpRead) {
      const std::string& name = names_[message.object_id];
      note(fmt::format("READ {} {}+{}", name, message.off, message.length));
      std::string data = blobs_[name].substr(std::min(message.off, blobs_[name].size()));
      data.resize(message.length);
      if (!fail_reads) {
        EXPECT_EQ(pwrite(daemon_.object(message.object_id), data.data(), data.size(),
                         static_cast<off_t>(message.off)),
                  static_cast<ssize_t>(data.size()));
      }
      daemon_.complete(message);
    } else {
      note("CLOSE " + names_[message.object_id]);
      daemon_.answer_close(message);
      open_--;
    }
  }

  void note(std::string text) {
    const std::lock_guard lock(lock_);
    log_.push_back(std::move(text));
  }

  std::map<std::string, std::string> blobs_;
  std::map<uint32_t, std::string> names_;
  Daemon daemon_;
  std::mutex lock_;
  std::vector<std::string> log_;
  std::atomic<size_t> open_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class ErofsTest : public Mounted {
 protected:
  void SetUp() override {
    Mounted::SetUp();
    if (IsSkipped()) return;
    scratch_.write("tree/big", noise(1'000'001, 1));
    scratch_.write("tree/small", "a few bytes\n");
    scratch_.write("tree/below/file", noise(5'000, 4));
    for (int i = 0; i < 250; i++) scratch_.write(fmt::format("tree/many/file-{:03}", i), "x");
    fs::create_symlink("below/file", scratch_ / "tree/link");
    fs::create_hard_link(scratch_ / "tree/small", scratch_ / "tree/same");
    setxattr((scratch_ / "tree/small").c_str(), "user.color", "blue", 4, 0);
    image_ = make_image(scratch_, "");
    if (image_.empty()) GTEST_SKIP() << "mkfs.erofs is not installed";
    fs::create_directory(directory_.path() / "image");
    fs::create_directory(directory_.path() / "other");
  }
  void TearDown() override {
    for (const char* name : {"image", "other"})
      umount2((directory_.path() / name).c_str(), MNT_DETACH);
    daemon_.reset();
    Mounted::TearDown();
  }

  void serve(std::map<std::string, std::string> blobs) {
    daemon_ = std::make_unique<BlobServer>(mountpoint_, std::move(blobs));
  }
  std::string where(const std::string& name) const { return directory_.path() / name; }
  // 0 or errno.
  int mount(const std::string& options, const std::string& name = "image") {
    const int file = open(at("mount").c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_GE(file, 0);
    const std::string text = options + "\n" + where(name);
    const int error = write(file, text.data(), text.size()) < 0 ? errno : 0;
    close(file);
    return error;
  }
  int unmount(const std::string& name = "image") { return umount2(where(name).c_str(), 0); }

  // Of a file that is known and was not read yet, once nobody fetches it any more.
  void expect_reads_without_daemon_to_fail(int error) {
    struct stat found = {};
    ASSERT_EQ(stat((where("image") + "/big").c_str(), &found), 0);
    daemon_.reset();
    const int file = open((where("image") + "/big").c_str(), O_RDONLY);
    char byte = 0;
    EXPECT_EQ(pread(file, &byte, 1, 0), -1);
    EXPECT_EQ(errno, error);
    close(file);
  }

  Scratch scratch_;
  std::string image_;
  std::unique_ptr<BlobServer> daemon_;
};

TEST_F(ErofsTest, GivesTheTree) {
  serve({{"img", image_}});
  ASSERT_EQ(mount("fsid=img"), 0);
  size_t count = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(scratch_ / "tree")) {
    const fs::path here = where("image") / entry.path().lexically_relative(scratch_ / "tree");
    SCOPED_TRACE(here);
    struct stat expected = {}, found = {};
    ASSERT_EQ(lstat(entry.path().c_str(), &expected), 0);
    ASSERT_EQ(lstat(here.c_str(), &found), 0) << std::strerror(errno);
    EXPECT_EQ(found.st_mode, expected.st_mode);
    EXPECT_EQ(found.st_nlink, expected.st_nlink);
    EXPECT_EQ(found.st_mtime, 1'000'000'000);
    if (entry.is_symlink()) {
      EXPECT_EQ(fs::read_symlink(here), fs::read_symlink(entry.path()));
    } else if (entry.is_regular_file()) {
      EXPECT_TRUE(slurp(here) == slurp(entry.path()));
    }
    count++;
  }
  EXPECT_EQ(count, 257U);
  size_t listed = 0;
  for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(where("image")))
    listed++;
  EXPECT_EQ(listed, count);
  char value[16];
  EXPECT_EQ(getxattr((where("image") + "/small").c_str(), "user.color", value, sizeof(value)), 4);
  EXPECT_EQ(open((where("image") + "/small").c_str(), O_RDWR), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(unmount(), 0);
}

// Programs of a container may be set-user-ID, and devices work, unless that is not wanted.
TEST_F(ErofsTest, IsMountedAsOneAsked) {
  if (geteuid() != 0) GTEST_SKIP() << "others than root get nosuid and nodev from fusermount3";
  constexpr unsigned long kAll = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;
  serve({{"img", image_}});
  for (const auto& [options, flags] :
       std::map<std::string, unsigned long>{{"", ST_RDONLY},
                                            {",nosuid,noexec", ST_RDONLY | ST_NOSUID | ST_NOEXEC},
                                            {",nodev", ST_RDONLY | ST_NODEV}}) {
    ASSERT_EQ(mount("fsid=img" + options), 0);
    struct statvfs found = {};
    EXPECT_EQ(statvfs(where("image").c_str(), &found), 0);
    EXPECT_EQ(found.f_flag & kAll, flags) << options;
    EXPECT_EQ(unmount(), 0);
  }
}

// What is asked for: the first block, the root, and then what is looked at, once.
TEST_F(ErofsTest, AsksForNoMoreThanItTakes) {
  serve({{"img", image_}});
  ASSERT_EQ(mount("fsid=img"), 0);
  EXPECT_THAT(daemon_->take_log(), ElementsAre("OPEN erofs,img/img", "READ img 0+4096"));
  struct stat found = {};
  ASSERT_EQ(stat((where("image") + "/big").c_str(), &found), 0);
  EXPECT_EQ(found.st_size, 1'000'001);
  daemon_->take_log();
  const std::string big = slurp(where("image") + "/big");
  EXPECT_TRUE(big == slurp(scratch_ / "tree/big"));
  uint64_t asked = 0;
  for (const std::string& line : daemon_->take_log()) {
    EXPECT_EQ(line.find("READ img "), 0U) << line;
    const uint64_t length = std::stoull(line.substr(line.find('+') + 1));
    EXPECT_LE(length, 131'072U) << line;
    asked += length;
  }
  EXPECT_EQ(asked, 999'424U);  // each block once; the tail came with the inode
  EXPECT_TRUE(slurp(where("image") + "/big") == big);
  EXPECT_THAT(daemon_->take_log(), IsEmpty());
  ASSERT_EQ(unmount(), 0);
  daemon_->wait_for_open(0);
  EXPECT_THAT(daemon_->take_log(), ElementsAre("CLOSE img"));
  // What is in the cache is not asked for again.
  ASSERT_EQ(mount("fsid=img"), 0);
  EXPECT_TRUE(slurp(where("image") + "/big") == big);
  EXPECT_THAT(daemon_->take_log(), ElementsAre("OPEN erofs,img/img"));
}

TEST_F(ErofsTest, MountFailsAsTheKernelDoes) {
  EXPECT_EQ(mount("fsid=img"), ENOBUFS) << "no cache is bound";
  std::string damaged = image_;
  damaged[1024] = 'x';
  std::string truncated = image_;
  truncated[1024 + 16] = '\1';  // another feature, so the checksum is wrong
  serve({{"img", image_}, {"noise", noise(100'000, 8)}, {"bad", damaged}, {"sum", truncated}});
  EXPECT_EQ(mount("device=img"), EINVAL);
  EXPECT_EQ(mount("fsid=img,color=blue"), EINVAL);
  EXPECT_EQ(mount("fsid=noise"), EINVAL);
  EXPECT_EQ(mount("fsid=bad"), EINVAL);
  EXPECT_EQ(mount("fsid=img,device=more"), EINVAL);
  // The daemon does not know it; real kernels, too, say one or the other from run to run.
  EXPECT_THAT(mount("fsid=none"), testing::AnyOf(EIO, ENOBUFS));
  daemon_->fail_reads = true;
  EXPECT_EQ(mount("fsid=sum"), EIO);
  daemon_->fail_reads = false;
  EXPECT_EQ(mount("fsid=img"), 0);
  EXPECT_EQ(mount("fsid=img", "other"), EBUSY) << "its volume is there already";
}

TEST(ErofsProfiles, EachKnowsWhatItsReleaseDoes) {
  struct Known {
    const char* profile;
    bool prefixes, compressed, deprecated, directio;
  };
  constexpr Known kKnown[] = {
      {"6.1", false, false, false, false},  {"6.1.192", false, false, false, false},
      {"6.6", true, false, false, false},   {"6.8", true, false, false, false},
      {"6.10", true, true, false, false},   {"6.12", true, true, true, false},
      {"6.12.117", true, true, true, true}, {"6.13", true, true, true, true}};
  for (const Known& known : kKnown) {
    SCOPED_TRACE(known.profile);
    const Profile& profile = *find_profile(known.profile);
    const erofs::ImageOptions image = image_options(profile);
    EXPECT_EQ(image.knows_xattr_prefixes, known.prefixes);
    EXPECT_EQ(image.reads_compressed, known.compressed);
    EXPECT_EQ(image.warning.starts_with("[deprecated]"), known.deprecated);
    EXPECT_EQ(ErofsOptions().add(profile, "directio"), known.directio ? 0 : -EINVAL);
  }
}

TEST_F(ErofsTest, ReadErrorsReachTheReader) {
  serve({{"img", image_}});
  ASSERT_EQ(mount("fsid=img"), 0);
  struct stat found = {};
  ASSERT_EQ(stat((where("image") + "/big").c_str(), &found), 0);
  daemon_->fail_reads = true;
  const int file = open((where("image") + "/big").c_str(), O_RDONLY);
  char byte = 0;
  EXPECT_EQ(pread(file, &byte, 1, 500'000), -1);
  EXPECT_EQ(errno, EIO);
  daemon_->fail_reads = false;
  EXPECT_EQ(pread(file, &byte, 1, 500'000), 1);
  EXPECT_EQ(byte, slurp(scratch_ / "tree/big")[500'000]);
  close(file);
}

TEST_F(ErofsTest, ADomainSharesItsBlobs) {
  const std::string options = "-Eforce-chunk-indexes --chunksize=65536 --blobdev=";
  const std::string first = make_image(scratch_, options + (scratch_ / "blob").string());
  const std::string blob = slurp(scratch_ / "blob");
  scratch_.write("tree/more", "only in the second");
  const std::string second = make_image(scratch_, options + (scratch_ / "blob2").string());
  ASSERT_FALSE(second.empty());
  serve({{"a", first}, {"b", second}, {"x", blob}});
  ASSERT_EQ(mount("fsid=a,domain_id=d,device=x"), 0);
  EXPECT_TRUE(slurp(where("image") + "/big") == slurp(scratch_ / "tree/big"));
  std::set<std::string> opened;
  for (const std::string& line : daemon_->take_log())
    if (line.starts_with("OPEN")) opened.insert(line);
  EXPECT_THAT(opened, ElementsAre("OPEN erofs,d/a", "OPEN erofs,d/x"));
  EXPECT_EQ(mount("fsid=a,domain_id=d,device=x", "other"), EEXIST);
  ASSERT_EQ(mount("fsid=b,domain_id=d,device=x", "other"), 0);
  daemon_->wait_for_open(3);
  EXPECT_EQ(unmount(), 0);
  daemon_->wait_for_open(2);
  bool closed = false;
  for (const std::string& line : daemon_->take_log()) {
    EXPECT_NE(line, "CLOSE x");
    EXPECT_NE(line, "OPEN erofs,d/x");
    closed = closed || line == "CLOSE a";
  }
  EXPECT_TRUE(closed);
  EXPECT_EQ(unmount("other"), 0);
  daemon_->wait_for_open(0);
}

TEST_F(ErofsTest, TheReportCountsReadsOfBlobs) {
  serve({{"img", image_}});
  ASSERT_EQ(mount("fsid=img"), 0);
  slurp(where("image") + "/big");
  auto text = std::make_shared<std::string>();
  ASSERT_TRUE(host_->call(server_->reporting(text), std::chrono::seconds(5)));
  size_t asked = 0;
  for (const std::string& line : daemon_->take_log()) asked += line.starts_with("READ");
  std::istringstream lines(*text);
  std::string line;
  while (std::getline(lines, line) && !line.ends_with("  erofs,img/img")) {
  }
  uint64_t hits = 0, misses = 0, holes = 0, read = 0, size = 0;
  std::string fetched;
  std::istringstream(line) >> hits >> misses >> holes >> read >> fetched >> size;
  EXPECT_EQ(holes, asked) << *text;
  EXPECT_GT(misses, 0U) << *text;
  EXPECT_GT(read, 1'000'000U) << *text;
  EXPECT_EQ(size, image_.size()) << *text;
}

TEST_F(ErofsTest, ADaemonThatGoesFailsReaders) {
  serve({{"img", image_}});
  ASSERT_EQ(mount("fsid=img"), 0);
  expect_reads_without_daemon_to_fail(ENOBUFS);
}

// What the kernel's reader of images was before each of its changes, and is with it.
class ErofsChanges : public ErofsTest, public testing::WithParamInterface<bool> {
 protected:
  bool has() const { return GetParam(); }
  void change(Change change) {
    stop();
    profile_ = has() ? profile_.with(change) : profile_.without(change);
    start();
    serve({{"img", image_}});
  }
  void end() {
    daemon_.reset();
    stop();
  }
};

TEST_P(ErofsChanges, SharedDomain) {
  change(Change::erofs_shared_domain);
  EXPECT_EQ(mount("fsid=img,domain_id=d"), has() ? 0 : EINVAL);
}

TEST_P(ErofsChanges, DomainFsidUnique) {
  change(Change::erofs_domain_fsid_unique);
  ASSERT_EQ(mount("fsid=img,domain_id=d"), 0);
  for (int i = 0; i < 2; i++) EXPECT_EQ(mount("fsid=img,domain_id=d", "other"), EEXIST);
  EXPECT_EQ(unmount(), 0);
  EXPECT_EQ(mount("fsid=img,domain_id=d"), 0);
  EXPECT_EQ(unmount(), 0);
  end();
  EXPECT_EQ(printed_.find("img already exists in domain d\n") != std::string::npos, has());
  EXPECT_EQ(printed_.find("duplicate filename '/fs/erofs/d,img'\n") != std::string::npos, !has())
      << printed_;
}

TEST_P(ErofsChanges, LargeFolios) {
  change(Change::erofs_large_folios);
  ASSERT_EQ(mount("fsid=img"), 0);
  expect_reads_without_daemon_to_fail(has() ? ENOBUFS : EIO);
}

TEST_P(ErofsChanges, FscacheCompressed) {
  change(Change::erofs_fscache_compressed);
  daemon_->fail_reads = true;
  EXPECT_EQ(mount("fsid=img"), EIO);
  end();
  EXPECT_EQ(printed_.find("failed to fscache prepare_read") == std::string::npos, has());
}

TEST_P(ErofsChanges, Directio) {
  change(Change::erofs_directio);
  EXPECT_EQ(mount("fsid=img,directio"), has() ? 0 : EINVAL);
}

INSTANTIATE_TEST_SUITE_P(Of, ErofsChanges, testing::Bool(),
                         [](const auto& test) { return test.param ? "with" : "without"; });

TEST_F(ErofsTest, StoppingTheServerEndsItsMounts) {
  serve({{"img", image_}});
  ASSERT_EQ(mount("fsid=img"), 0);
  const int file = open((where("image") + "/big").c_str(), O_RDONLY);
  daemon_.reset();
  stop();
  char byte = 0;
  EXPECT_EQ(pread(file, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ENOTCONN);
  close(file);
}

}  // namespace
}  // namespace coldread::fuse
