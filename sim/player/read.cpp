// A netfs' read of an object, page by page as EROFS makes it: ask the cache where the data is, get
// it.
#include <algorithm>
#include <cerrno>
#include <limits>

#include "sim/player/player.h"
#include "sim/player/slices.h"

namespace coldread::player {

using scenario::Step;

namespace {

constexpr uint64_t kPage = 4096;

uint64_t round_down(uint64_t value) {
  return value / kPage * kPage;
}
uint64_t round_up(uint64_t value) {
  return round_down(value + kPage - 1);
}

}  // namespace

int64_t TaskPlayer::do_read(const Step& step) {
  object_size_ = syscalls_.cookie_size(step.cookie);
  if (object_size_ < 0) return object_size_;
  const auto object_end = static_cast<uint64_t>(object_size_);
  // An on-demand netfs knows what it wants before anybody told the object's size.
  const bool limited = step.length == 0 || step.blob >= 0;
  read_from_ = limited ? std::min(step.offset, object_end) : step.offset;
  const uint64_t rest = limited ? object_end - read_from_ : step.length;
  const uint64_t asked = step.length == 0 ? rest : std::min(step.length, rest);
  read_end_ = read_from_ + asked;
  notes_.number("asked", asked);
  notes_.begin_slices();
  notes_.begin_data();
  if (asked != 0)
    if (const int64_t ret = read_pages(step); ret < 0) return ret;
  notes_.end_data(asked);
  return static_cast<int64_t>(asked);
}

// Whole pages, since direct I/O knows nothing else; only [read_from_, read_end_) is delivered.
int64_t TaskPlayer::read_pages(const Step& step) {
  const bool ondemand = step.blob < 0;
  const uint64_t slice = step.slice == 0 ? scenario::kMaxCallBytes : step.slice;
  const int64_t i_size = ondemand ? std::numeric_limits<int64_t>::max() : object_size_;
  const uint64_t end = round_up(read_end_);
  uint64_t position = round_down(read_from_);
  while (position < end) {
    slice_end_ = std::min(position + slice, end);
    const int64_t ret = read_slice(
        position, slice_end_,
        [&](uint64_t from, uint64_t length, PrepareResult* found) {
          const int64_t prepared =
              syscalls_.prepare_read({step.cookie}, from, length, i_size,
                                     ondemand ? scenario::kSubrequestOndemand : 0, found);
          if (prepared >= 0) notes_.slice(from, *found);
          return prepared;
        },
        [&](uint64_t from, const PrepareResult& found) {
          return read_prepared(step, from, found);
        });
    if (ret < 0) return ret;
    position = slice_end_;
  }
  return 0;
}

// Gets one piece from where prepare_read said it is, and digests what of it is delivered.
int64_t TaskPlayer::read_prepared(const Step& step, uint64_t position, const PrepareResult& found) {
  if (found.source == Source::read_from_cache) {
    const int64_t ret = syscalls_.cache_read({step.cookie}, position, buffer_.get(found.length),
                                             scenario::HoleMode::fail, /*sync=*/false);
    if (ret < 0) return ret;
    // How much it was nobody asks: prepare_read said that all is there.
    syscalls_.trust(step.cookie, position, found.length);
  } else if (found.source == Source::fill_with_zeroes) {
    const auto buffer = buffer_.get(found.length);
    std::fill(buffer.begin(), buffer.end(), std::byte{0});
  } else if (found.source == Source::download_from_server && step.blob >= 0) {
    load_blob(step.blob, position, found.length);
    if ((found.flags & scenario::kSubrequestCopyToCache) != 0) {
      // The reader has its data whether or not the cache takes a copy.
      const int64_t ret = syscalls_.cache_write({step.cookie}, position, buffer_.current(),
                                                /*sync=*/false);
      if (ret < 0) notes_.copy_failed(ret);
    }
  } else {
    return -EIO;
  }
  const uint64_t from = std::max(position, read_from_);
  const uint64_t end = std::min(position + found.length, read_end_);
  if (from < end) notes_.add_data(buffer_.current().subspan(from - position, end - from));
  return 0;
}

}  // namespace coldread::player
