// A netfs' operations on the cache, one call each.
#include <algorithm>
#include <cerrno>

#include "sim/player/player.h"

namespace coldread::player {

using scenario::Step;
using scenario::Verb;

namespace {

Target target_of(const Step& step) {
  return {step.cookie, step.operation};
}

}  // namespace

int64_t TaskPlayer::execute_io(const Step& step) {
  switch (step.verb) {
    case Verb::begin_operation:
      return syscalls_.begin_operation(step.operation, step.cookie, step.for_write);
    case Verb::end_operation:
      return syscalls_.end_operation(step.operation);
    case Verb::prepare_read:
      return do_prepare_read(step);
    case Verb::cache_read:
      return do_cache_read(step);
    case Verb::cache_write:
      load_blob(step.blob, step.blob_offset, step.length);
      return syscalls_.cache_write(target_of(step), step.offset, buffer_.current(), step.sync);
    case Verb::prepare_write:
    case Verb::query_occupancy:
      return do_range(step);
    case Verb::write_to_cache:
      load_blob(step.blob, step.blob_offset, step.length);
      return syscalls_.write_to_cache(step.cookie, step.offset, buffer_.current());
    case Verb::issue_write:
      load_blob(step.blob, step.blob_offset, step.length);
      return syscalls_.issue_write(target_of(step), step.offset, buffer_.current(), step.i_size,
                                   step.limit);
    case Verb::read:
      return do_read(step);
    default:
      return -ENOSYS;
  }
}

int64_t TaskPlayer::do_prepare_read(const Step& step) {
  PrepareResult found;
  const int64_t ret = syscalls_.prepare_read(target_of(step), step.offset, step.length, step.i_size,
                                             step.flags, &found);
  if (ret < 0) return ret;
  notes_.source(found);
  return ret;
}

// Without a completion nobody says how much was read: the whole buffer is shown.
int64_t TaskPlayer::do_cache_read(const Step& step) {
  const int64_t ret = syscalls_.cache_read(target_of(step), step.offset, buffer_.get(step.length),
                                           step.hole, step.sync);
  if (ret < 0) return ret;
  const uint64_t read = step.sync ? step.length : static_cast<uint64_t>(ret);
  const auto data = buffer_.current().first(std::min<uint64_t>(read, step.length));
  notes_.begin_data();
  notes_.add_data(data);
  notes_.end_data(data.size());
  return ret;
}

int64_t TaskPlayer::do_range(const Step& step) {
  Range found;
  const Range asked{step.offset, step.length};
  const int64_t ret = step.verb == Verb::prepare_write
                          ? syscalls_.prepare_write(target_of(step), asked, step.limit, step.i_size,
                                                    !step.allocated, &found)
                          : syscalls_.query_occupancy(target_of(step), asked, step.limit, &found);
  if (ret < 0) return ret;
  notes_.number("offset", found.start);
  notes_.number("length", found.length);
  return ret;
}

}  // namespace coldread::player
