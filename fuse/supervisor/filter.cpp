#include "fuse/supervisor/filter.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "kernelmodel/cachefiles/uapi.h"

namespace coldread::fuse {
namespace {

// Descriptors, flags and commands are ints: the upper half of the register means nothing.
constexpr uint64_t kInt = 0xffffffff;

// Collects the rules; the first refusal is kept.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx context) : context_(context) {}

  void look_at(int call, std::initializer_list<scmp_arg_cmp> when = {}) {
    if (call < 0 || error_ != 0) return;  // this machine has no such call
    error_ = seccomp_rule_add_array(context_, SCMP_ACT_NOTIFY, call,
                                    static_cast<unsigned>(when.size()), when.begin());
  }
  int error() const { return error_; }

 private:
  scmp_filter_ctx context_;
  int error_ = 0;
};

scmp_arg_cmp masked(unsigned argument, uint64_t mask, uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

int add_rules(scmp_filter_ctx context, WatchedRange range) {
  const auto watched = [range](unsigned argument) {
    const uint64_t mask = kInt & ~uint64_t{WatchedRange::kCount - 1};
    return masked(argument, mask, static_cast<uint64_t>(range.first));
  };
  Rules rules(context);
  for (const int call : {SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(fsopen), SCMP_SYS(fspick),
                         SCMP_SYS(fsconfig), SCMP_SYS(syslog)})
    rules.look_at(call);
  if (range.all) {
    const scmp_arg_cmp no_bytes{2, SCMP_CMP_EQ, 0, 0};
    for (const int call : {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(read),
                           SCMP_SYS(lseek), SCMP_SYS(ioctl)})
      rules.look_at(call);
    rules.look_at(SCMP_SYS(write), {no_bytes});
    rules.look_at(SCMP_SYS(pwrite64), {no_bytes});
    return rules.error();
  }
  rules.look_at(SCMP_SYS(open), {masked(1, O_ACCMODE, O_RDWR)});
  rules.look_at(SCMP_SYS(openat), {masked(2, O_ACCMODE, O_RDWR)});
  rules.look_at(SCMP_SYS(openat2));
  rules.look_at(SCMP_SYS(ioctl), {masked(1, kInt, CACHEFILES_IOC_READ_COMPLETE)});
  rules.look_at(SCMP_SYS(read), {watched(0)});
  rules.look_at(SCMP_SYS(dup), {watched(0)});
  rules.look_at(SCMP_SYS(dup2), {watched(0)});
  rules.look_at(SCMP_SYS(dup3), {watched(0)});
  rules.look_at(SCMP_SYS(fcntl), {watched(0), masked(1, kInt, F_DUPFD)});
  rules.look_at(SCMP_SYS(fcntl), {watched(0), masked(1, kInt, F_DUPFD_CLOEXEC)});
  return rules.error();
}

// libseccomp writes programs to files only.
std::vector<sock_filter> exported(scmp_filter_ctx context) {
  const int file = memfd_create("filter", MFD_CLOEXEC);
  std::vector<sock_filter> program;
  if (file < 0) return program;
  if (seccomp_export_bpf(context, file) == 0) {
    const off_t size = lseek(file, 0, SEEK_END);
    program.resize(static_cast<size_t>(size) / sizeof(sock_filter));
    if (pread(file, program.data(), static_cast<size_t>(size), 0) != size) program.clear();
  }
  close(file);
  return program;
}

}  // namespace

Result<std::vector<sock_filter>> make_filter(WatchedRange range) {
  const std::unique_ptr<void, void (*)(void*)> context(seccomp_init(SCMP_ACT_ALLOW),
                                                       seccomp_release);
  if (!context) return Error{"libseccomp knows no filters for this machine"};
  seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
  if (const int error = add_rules(context.get(), range); error != 0) {
    return Error{fmt::format("libseccomp refuses a rule: {}", std::strerror(-error))};
  }
  std::vector<sock_filter> program = exported(context.get());
  if (program.empty()) return Error{"libseccomp did not hand out the filter"};
  return program;
}

}  // namespace coldread::fuse
