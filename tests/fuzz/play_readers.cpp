// What everybody but the daemon does in a hostile play: three readers that keep a netfs' rules,
// whoever changes the disk, the disk itself, and the administrator.
#include <algorithm>
#include <array>
#include <cerrno>

#include "sim/player/slices.h"
#include "sim/scheduler/run_arena.h"
#include "tests/fuzz/play.h"

namespace coldread::fuzz {
namespace {

using scenario::DiskCall;
using scenario::DiskOperation;

constexpr std::array<size_t, 5> kVolumeOf = {0, 0, 1, 2, 0};  // of each cookie
constexpr uint64_t kStarts[] = {0, 4096, 8192, 65536, 131072, 1044480, 1 << 20, 512};
constexpr uint64_t kLengths[] = {4096, 8192, 65536, 12288, 512, 1, 61440, 4097};
constexpr uint64_t kSizes[] = {0, 16384, 1 << 20, 4096, 1, 65536, 5000, INT64_MAX};
constexpr const char* kProcFiles[] = {"stats", "cookies", "volumes", "caches"};
constexpr size_t kFaultResults = 4;
constexpr int64_t kFaults[kFaultResults] = {-EIO, -ENOSPC, -ENOMEM, 4096};

template <typename T, size_t N>
T pick(const T (&table)[N], uint8_t number) {
  return table[number % N];
}

uint64_t number_of(const player::Range& range) {
  return range.start << 32 ^ range.length;
}

DiskCall disk_call(DiskOperation operation, const char* path) {
  DiskCall call;
  call.operation = operation;
  call.path = path;
  return call;
}

// What happens to a cache whose administrator is careless.
const std::vector<DiskCall>& disk_calls() {
  static const std::vector<DiskCall> kCalls = [] {
    constexpr const char* kVolume = "cache/Ierofs,demo";
    constexpr const char* kFile = "cache/Ierofs,demo/@dd/Ddemo";
    constexpr const char* kTwin = "cache/Ierofs,demo/@73/Dblob0";
    std::vector<DiskCall> calls = {
        disk_call(DiskOperation::unlink, kFile),
        disk_call(DiskOperation::unlink, kTwin),
        disk_call(DiskOperation::mkdir, kVolume),
        disk_call(DiskOperation::mkdir, kFile),
        disk_call(DiskOperation::create, kFile),
        disk_call(DiskOperation::create, "cache"),
        disk_call(DiskOperation::truncate, kFile),
        disk_call(DiskOperation::punch_hole, kFile),
        disk_call(DiskOperation::link, kFile),
        disk_call(DiskOperation::setxattr, kFile),
        disk_call(DiskOperation::removexattr, kFile),
        disk_call(DiskOperation::removexattr, kVolume),
        disk_call(DiskOperation::fill, ""),
        disk_call(DiskOperation::fill, ""),
        disk_call(DiskOperation::rmdir, "graveyard"),
        disk_call(DiskOperation::setxattr, kVolume),
    };
    for (DiskCall& call : calls) {
      if (call.operation == DiskOperation::link) call.to = kTwin;
      if (call.operation == DiskOperation::truncate) call.size = 5000;
      if (call.operation == DiskOperation::punch_hole) call.length = 8192;
      if (call.operation == DiskOperation::create || call.operation == DiskOperation::mkdir)
        call.mode = 0700;
      if (call.operation == DiskOperation::setxattr || call.operation == DiskOperation::removexattr)
        call.xattr = "user.CacheFiles.cache";
      if (call.operation == DiskOperation::setxattr)
        call.value = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}};
    }
    calls[12].blocks = 0;
    calls[13].blocks = 100'000;
    return calls;
  }();
  return kCalls;
}

// The same, made once.
const std::vector<scenario::Fault>& faults() {
  static const std::vector<scenario::Fault> kFaulty = [] {
    std::vector<scenario::Fault> all;
    for (const std::string& call : scenario::store_calls())
      for (const int64_t result : kFaults) {
        if (result < 0 || call == "read" || call == "write") all.push_back({call, result, 1, 1});
      }
    return all;
  }();
  return kFaulty;
}

}  // namespace

void Play::other_op(size_t task, const Instruction& instruction) {
  const auto [op, at_once, by_helper, a, b, c, bytes] = instruction;
  sim::ModelSyscalls& call = calls(task);
  switch (op) {
    case Op::disk: {
      const size_t which = a % disk_calls().size();
      ragged_ = true;
      note(task, op, static_cast<uint8_t>(which), false,
           call.disk("", disk_calls()[which], {}, &workers_[task].entry));
      return;
    }
    case Op::inject:
      call.inject(a % 4);
      return;
    case Op::fault:
      ragged_ = true;
      call.fault(faults()[(a + 256u * b) % faults().size()]);
      return;
    case Op::kill: {
      const size_t victim = 2 + a % kReaders;
      workers_[victim].gone = true;
      call.kill(static_cast<int>(scenario_.tasks[victim].process));
      return;
    }
    case Op::unload:
      unload_ = true;
      return;
    case Op::signal:
      call.signal(static_cast<int>(1 + a % (kTasks - 1)));
      return;
    default:
      call.proc(pick(kProcFiles, a), &workers_[task].proc);
  }
}

void Play::reader_op(size_t task, const Instruction& instruction) {
  switch (instruction.op) {
    case Op::connect: {
      const size_t cookie = instruction.b % kCookies;
      if (!acquire_volume(task, kVolumeOf[cookie]) || !acquire_cookie(task, cookie)) return;
      return use_cookie(task, cookie, false);
    }
    case Op::acquire_volume:
      acquire_volume(task, instruction.b % kVolumes);
      return;
    case Op::relinquish_volume:
      return relinquish_volume(task, instruction.b % kVolumes, instruction.c % 2 != 0);
    case Op::acquire_cookie:
      acquire_cookie(task, instruction.b % kCookies);
      return;
    default:
      break;
  }
  const size_t cookie = instruction.b % kCookies;
  if (!cookies_[cookie].held) return;
  if (instruction.op == Op::disconnect) {
    give_back(task, cookie, instruction.c % 2 != 0);
    return relinquish_volume(task, kVolumeOf[cookie], false);
  }
  if (instruction.op == Op::relinquish_cookie)
    return give_back(task, cookie, instruction.c % 2 != 0);
  cookies_[cookie].busy++;
  cookie_op(task, instruction);
  cookies_[cookie].busy--;
}

// Whether it is held now.
bool Play::acquire_volume(size_t task, size_t volume) {
  VolumeState& state = volumes_[volume];
  if (state.held) return true;
  if (state.busy != 0) return false;
  state.busy++;
  const int64_t ret = calls(task).acquire_volume(static_cast<int>(volume));
  state.busy--;
  note(task, Op::acquire_volume, static_cast<uint8_t>(volume), false, ret);
  state.held = ret == 0;
  return state.held;
}

void Play::relinquish_volume(size_t task, size_t volume, bool invalidate) {
  VolumeState& state = volumes_[volume];
  if (!state.held || state.busy != 0 || state.cookies != 0) return;
  state.held = false;
  calls(task).relinquish_volume(static_cast<int>(volume), {}, invalidate);
}

bool Play::acquire_cookie(size_t task, size_t cookie) {
  CookieState& state = cookies_[cookie];
  VolumeState& volume = volumes_[kVolumeOf[cookie]];
  if (state.held) return true;
  if (state.busy != 0 || !volume.held) return false;
  state.busy++;
  volume.busy++;
  const int64_t ret = calls(task).acquire_cookie(static_cast<int>(cookie));
  volume.busy--;
  state.busy--;
  note(task, Op::acquire_cookie, static_cast<uint8_t>(cookie), false, ret);
  state.held = ret == 0;
  state.uses = 0;
  if (state.held) volume.cookies++;
  return state.held;
}

void Play::use_cookie(size_t task, size_t cookie, bool will_modify) {
  cookies_[cookie].uses++;
  cookies_[cookie].busy++;
  calls(task).use_cookie(static_cast<int>(cookie), will_modify);
  cookies_[cookie].busy--;
}

// Nobody must be at it.
void Play::give_back(size_t task, size_t cookie, bool retire) {
  CookieState& state = cookies_[cookie];
  if (!state.held || state.busy != 0) return;
  VolumeState& volume = volumes_[kVolumeOf[cookie]];
  state.held = false;
  state.busy++;
  volume.busy++;
  for (; state.uses > 0; state.uses--) calls(task).unuse_cookie(static_cast<int>(cookie), {});
  calls(task).relinquish_cookie(static_cast<int>(cookie), retire);
  volume.busy--;
  volume.cookies--;
  state.busy--;
}

// On a cookie that is held, and stays so.
void Play::cookie_op(size_t task, const Instruction& instruction) {
  const auto cookie = static_cast<size_t>(instruction.b % kCookies);
  const int number = static_cast<int>(cookie);
  const uint64_t size = pick(kSizes, instruction.c);
  const player::ObjectUpdate update{{}, instruction.c < 128 ? &size : nullptr};
  sim::ModelSyscalls& call = calls(task);
  switch (instruction.op) {
    case Op::use_cookie:
      return use_cookie(task, cookie, instruction.c % 2 != 0);
    case Op::unuse_cookie:
      // Not the last one while somebody else is at it.
      if (cookies_[cookie].uses == 0 || (cookies_[cookie].uses == 1 && cookies_[cookie].busy > 1))
        return;
      cookies_[cookie].uses--;
      call.unuse_cookie(number, update);
      return;
    case Op::invalidate:
      call.invalidate(number, {{}, &size}, instruction.c % 2 != 0);
      return;
    case Op::resize:
      call.resize(number, size);
      return;
    case Op::update_cookie:
      call.update_cookie(number, update);
      return;
    case Op::page_release:
      call.note_page_release(number);
      return;
    default:
      return io_op(task, instruction);
  }
}

void Play::io_op(size_t task, const Instruction& instruction) {
  const auto cookie = static_cast<size_t>(instruction.b % kCookies);
  const player::Target target{static_cast<int>(cookie)};
  const uint64_t start = pick(kStarts, instruction.c % 16);
  const uint64_t length = pick(kLengths, instruction.c / 16);
  const uint64_t pages = std::min<uint64_t>((length + 4095) / 4096 * 4096, kBuffer);
  const uint64_t first_page = start / 4096 * 4096;
  Worker& self = workers_[task];
  const std::span<std::byte> buffer(self.buffer, length);
  sim::ModelSyscalls& call = calls(task);
  self.range = {};
  int64_t ret = 0;
  uint64_t more = 0;
  switch (instruction.op) {
    case Op::read:
      ret = read(task, cookie, first_page, pages);
      break;
    case Op::prepare_read:
      self.found = {};
      ret = call.prepare_read(
          target, first_page, pages, INT64_MAX,
          instruction.a < 128 ? scenario::kSubrequestOndemand : scenario::kSubrequestCopyToCache,
          &self.found);
      more = self.found.length << 8 | static_cast<uint64_t>(self.found.source);
      break;
    case Op::cache_read:
      ret = call.cache_read(target, first_page, lend(task, pages),
                            static_cast<scenario::HoleMode>(instruction.a % 3), false);
      break;
    case Op::cache_write:
      ret = call.cache_write(target, start, buffer, false);
      break;
    case Op::prepare_write:
      ret = call.prepare_write(target, {start, length}, length, INT64_MAX, instruction.a % 2 != 0,
                               &self.range);
      more = number_of(self.range);
      break;
    case Op::query_occupancy:
      ret = call.query_occupancy(target, {first_page, pages}, 4096, &self.range);
      more = number_of(self.range);
      break;
    case Op::write_to_cache:
      ret = call.write_to_cache(static_cast<int>(cookie), first_page, buffer);
      break;
    default:
      ret = call.issue_write(target, first_page, buffer, INT64_MAX, first_page + pages);
  }
  note(task, instruction.op, 0, false, ret, more);
}

// As an on-demand netfs reads; what it then takes for data somebody must have written.
int64_t Play::read(size_t task, size_t cookie, uint64_t offset, uint64_t length) {
  sim::ModelSyscalls& call = calls(task);
  const int number = static_cast<int>(cookie);
  return player::read_slice(
      offset, offset + length,
      [&](uint64_t from, uint64_t wanted, player::PrepareResult* found) {
        return call.prepare_read({number}, from, wanted, INT64_MAX, scenario::kSubrequestOndemand,
                                 found);
      },
      [&](uint64_t from, const player::PrepareResult& found) -> int64_t {
        if (found.source != player::Source::read_from_cache)
          return found.source == player::Source::fill_with_zeroes ? 0 : -EIO;
        const int64_t ret = call.cache_read({number}, from, lend(task, found.length),
                                            scenario::HoleMode::fail, false);
        if (ret >= 0 && !ragged_) call.trust(number, from, found.length);
        return ret;
      });
}

}  // namespace coldread::fuzz
