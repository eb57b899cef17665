// The request table below the device: ids that go round, and what a bad buffer does to a message.
#include "tests/kernelmodel/cachefiles/bound_cache.h"

namespace coldread {
namespace {

class Requests : public BoundCache {
 protected:
  // Binds a cache and opens one object of 64 KiB, all in the calling task.
  void open_object() {
    device_ = open_device();
    ASSERT_EQ(device_, 3);
    ASSERT_GT(command(device_, "dir /disk"), 0);
    ASSERT_GT(command(device_, "bind ondemand"), 0);
    int error = 0;
    const VolumeHandle volume = fscache_acquire_volume(kernel_, "v", "", {}, &error);
    constexpr std::string_view kKey = "object";
    cookie_ = fscache_acquire_cookie(kernel_, volume, FSCACHE_ADV_WANT_CACHE_SIZE,
                                     std::as_bytes(std::span(kKey.data(), kKey.size())), {}, 0);
    fscache_use_cookie(kernel_, cookie_, false);
    scheduler_.wait_quiet({"settle", ""});
    ASSERT_EQ(sys_read(kernel_, device_, {message_, sizeof(message_)}), 32 + 2 + 6);
    ASSERT_GT(command(device_, "copen 0,65536"), 0);
    scheduler_.wait_quiet({"settle", ""});
  }
  CachefilesHandle cache() { return cookie_->cache_priv->volume->cache; }

  // A READ in the table that nobody waits for; its id, or the errno.
  int64_t enqueue(ReqHandle* out = nullptr) {
    const ReqHandle req = kernel_.cachefiles.req_pool.create(scheduler_, cookie_->cache_priv);
    static_cast<uapi::cachefiles_msg&>(req->msg) = {0, CACHEFILES_OP_READ, 32, 0};
    req->msg.read = {0, 4096};
    uint64_t id = 0;
    const int error = cachefiles_ondemand_enqueue_req(cache(), req, &id);
    if (out != nullptr) *out = req;
    return error < 0 ? error : static_cast<int64_t>(id);
  }
  int64_t complete(uint64_t id) { return sys_ioctl(kernel_, 4, CACHEFILES_IOC_READ_COMPLETE, id); }

  int device_ = -1;
  CookieHandle cookie_;
  std::byte message_[1024] = {};
};

TEST_F(Requests, IdsGoRoundAtTheEndOfThirtyTwoBits) {
  const sim::RunEnd end = run([&] {
    open_object();
    cache()->msg_id_next = UINT32_MAX;
    EXPECT_EQ(enqueue(), int64_t{UINT32_MAX});
    EXPECT_EQ(enqueue(), 0);
    EXPECT_EQ(enqueue(), 1);
    cache()->msg_id_next = UINT32_MAX;
    EXPECT_EQ(enqueue(), 2) << "ids in use are passed over";
    EXPECT_EQ(complete(0), 0);
    EXPECT_EQ(complete(0), -EINVAL);
    EXPECT_EQ(complete(uint64_t{UINT32_MAX} + 1), -EINVAL);
    EXPECT_EQ(enqueue(), 3) << "not the one that became free";
  });
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
}

TEST_F(Requests, AnotherIoctlIsRefused) {
  run([&] {
    open_object();
    EXPECT_EQ(sys_ioctl(kernel_, 4, 0x9801, 0), -EINVAL);
    EXPECT_EQ(sys_ioctl(kernel_, 3, CACHEFILES_IOC_READ_COMPLETE, 0), -ENOTTY);
  });
}

TEST_F(Requests, ABadBufferFinishesTheRequest) {
  run([&] {
    open_object();
    ReqHandle req;
    EXPECT_EQ(enqueue(&req), 1);
    EXPECT_EQ(sys_read(kernel_, device_, {message_, sizeof(message_), true}), -EFAULT);
    EXPECT_TRUE(req->done.done());
    EXPECT_EQ(req->error, -EFAULT);
    EXPECT_EQ(complete(1), -EINVAL);
  });
}

TEST_F(Requests, ABadBufferTakesTheFdOfAnOpenAway) {
  run([&] {
    device_ = open_device();
    command(device_, "dir /disk");
    command(device_, "bind ondemand");
    int error = 0;
    const VolumeHandle volume = fscache_acquire_volume(kernel_, "v", "", {}, &error);
    constexpr std::string_view kKey = "object";
    cookie_ = fscache_acquire_cookie(kernel_, volume, FSCACHE_ADV_WANT_CACHE_SIZE,
                                     std::as_bytes(std::span(kKey.data(), kKey.size())), {}, 0);
    fscache_use_cookie(kernel_, cookie_, false);
    scheduler_.wait_quiet({"settle", ""});
    EXPECT_EQ(sys_read(kernel_, device_, {message_, sizeof(message_), true}), -EFAULT);
    EXPECT_FALSE(fget(kernel_, 4)) << "never installed";
    scheduler_.wait_quiet({"settle", ""});
    EXPECT_EQ(cookie_->state, FSCACHE_COOKIE_STATE_QUIESCENT) << "the lookup failed";
  });
}

TEST_F(Requests, ASecondAnswerIsAReport) {
  const sim::RunEnd end = run([&] {
    open_object();
    ReqHandle req;
    enqueue(&req);
    EXPECT_EQ(complete(1), 0);
    cachefiles_complete_req(kernel_, req);
  });
  EXPECT_EQ(end.report, ReportKind::answered_twice);
}

TEST_F(Requests, OnlyRootMayOpenTheDevice) {
  run([&] {
    scheduler_.current()->capable = false;
    EXPECT_EQ(open_device(), -EPERM);
    scheduler_.current()->capable = true;
    EXPECT_EQ(open_device(), 3);
    EXPECT_EQ(open_device(), -EBUSY);
  });
}

}  // namespace
}  // namespace coldread
