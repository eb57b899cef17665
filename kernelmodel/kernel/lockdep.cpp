#include "kernelmodel/kernel/lockdep.h"

#include <bit>
#include <iterator>

namespace coldread {

namespace {

constexpr const char* kNames[] = {
    "fscache_addremove_sem",
    "fscache_volumes_lock",
    "fscache_cookies_lock",
    "fscache_cookie_lru_lock",
    "volume->lock",
    "cookie->lock",
    "cache->state",
    "cache->daemon_mutex",
    "cache->reqs.xa_lock",
    "cache->ondemand_ids.xa_lock",
    "cache->object_list_lock",
    "object->lock",
    "ondemand_info->lock",
    "cachefiles_open_mutex",
    "sb->s_vfs_rename_mutex",
    "inode->i_rwsem",
    "files->file_lock",
    "file->f_pos_lock",
    "work_queue_lock",
    "erofs_domain_list_lock",
    "erofs_domain_cookies_lock",
    "test_a",
    "test_b",
    "test_c",
};
static_assert(std::size(kNames) == kLockClasses);

}  // namespace

const char* lock_class_name(LockClass lock) {
  return kNames[static_cast<size_t>(lock)];
}

bool Lockdep::add(LockClass held, LockClass taken, const char* task) {
  uint8_t came_from[kLockClasses];
  if (find_chain(taken, held, came_from)) return false;
  behind_[index(held)] |= bit(taken);
  taken_by_[index(held)][index(taken)] = task;
  return true;
}

// Whether `last` was ever taken behind `first`. If so, came_from[x] is the lock held when x, any
// lock on a shortest such chain, was taken.
bool Lockdep::find_chain(LockClass first, LockClass last, uint8_t* came_from) const {
  uint8_t queue[kLockClasses];
  size_t head = 0;
  size_t tail = 0;
  uint64_t seen = bit(first);
  queue[tail++] = static_cast<uint8_t>(first);
  while (head < tail) {
    const uint8_t at = queue[head++];
    uint64_t fresh = behind_[at] & ~seen;
    seen |= fresh;
    for (; fresh != 0; fresh &= fresh - 1) {
      const auto next = static_cast<uint8_t>(std::countr_zero(fresh));
      came_from[next] = at;
      queue[tail++] = next;
    }
  }
  return (seen & bit(last)) != 0;
}

void Lockdep::describe_chain(LockClass first, LockClass last, ReportText& text) const {
  uint8_t came_from[kLockClasses];
  if (!find_chain(first, last, came_from)) return;
  uint8_t chain[kLockClasses];
  size_t length = 0;
  for (auto at = static_cast<uint8_t>(last); at != static_cast<uint8_t>(first); at = came_from[at])
    chain[length++] = at;
  text << lock_class_name(first);
  for (auto from = static_cast<uint8_t>(first); length > 0; from = chain[length]) {
    const uint8_t to = chain[--length];
    text << " -> " << kNames[to] << " (by " << taken_by_[from][to] << ")";
  }
}

}  // namespace coldread
