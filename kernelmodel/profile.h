// Which kernel is modelled: a profile is the list of upstream changes that kernel has.
//
// Wherever versions differ the model asks profile.has(Change::...). Changes are named after their
// records in the catalogue of kernel changes, with '_' for '-'. A profile is named by its exact
// release; one that was compared with the running kernel says so, the others are derived: a first
// release ("6.8") has all changes that came with it or before, by their `since`, and those that it
// does not need yet. Changes that every profile has mended what no release with on-demand mode had,
// or what came after all that are modelled: without() shows them.
//
// Profiles are constants; with() and without() make changed copies. Safe to share between threads.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace coldread {

// What each means: all_changes().
enum class Change : uint8_t {
  unmark_inode_in_use_error_path,
  volume_xattr_oob_write,
  ondemand_read_in_prepare_read,
  narrow_flush_on_fd_release,
  fscache_invalidate_during_lookup,
  fscache_volume_collision_condition,
  copen_negative_size_return,
  fair_request_distribution,
  fscache_inval_access_ref_leak,
  fscache_volume_key_oob,
  fscache_lru_use_race,
  prepare_ondemand_read_split,
  fscache_relinquished_volume_wait,
  cache_file_mode_0600,
  failover_reopen_on_read,
  failover_epollin_narrowed,
  failover_restore_command,
  non_ondemand_null_deref,
  add_cache_memleak,
  proc_fscache_moved,
  fd_write_position_alignment,
  netfs_issue_write,
  trace_fd_ref_strings,
  flush_erases_requests,
  uaf_get_fd_after_restore,
  uaf_object_in_daemon_read,
  copen_cread_consistency,
  ondemand_info_lock,
  no_second_anon_fd,
  defer_anon_fd_install,
  copen_closes_object,
  flush_after_dead,
  killable_ondemand_wait,
  uaf_withdraw_fscache_volume,
  uaf_withdraw_cookie,
  getxattr_errors_propagated,
  stop_requests_when_dropping,
  cancel_requests_when_dropping,
  wait_reopen_worker,
  msg_id_cyclic,
  poll_lock,
  fscache_lru_n_accesses,
  fscache_lru_timer_exit,
  dentry_leak_open_file,
  xattr_freeze_protection,
  fd_write_return_length,
  fd_write_position_update,
  fd_write_null_file,
  secctx_parse_immediate,
  write_short_count,
  cull_dentry_refcount,
  create_tmpfile_double_fput,
  get_directory_double_unlock,
  erofs_shared_domain,
  erofs_domain_fsid_unique,
  erofs_large_folios,
  erofs_xattr_prefixes,
  erofs_fscache_compressed,
  erofs_fscache_deprecated,
  erofs_directio,
  withdraw_cookie_locks,  // own_changes(), as the next
  withdraw_volume_once,
  end_access_holds_cookie,
  namei_freeze_protection,
  canary,  // kCanary
  count
};

struct ChangeInfo {
  Change change;
  std::string_view name;     // "fd-write-position-alignment"
  std::string_view commit;   // upstream, abbreviated
  std::string_view since;    // the first mainline release that has it: "6.10"
  bool in_6_1_192;           // it was backported; 6.12.117 has all of them
  std::string_view summary;  // one line
  // Not empty: the release that brought what it mends. Kernels before are as those that have it.
  std::string_view needed_since = {};
};
std::span<const ChangeInfo> all_changes();  // upstream's, in the order of the enum

// Not a kernel's: two bugs that are in no profile, for searches to find, so that one that finds
// nothing any more is noticed. READ_COMPLETE looks at the request after it woke who waits for it,
// which takes an unlucky interleaving; and an OPEN refused with -4095, the last errno there is, has
// its request put once too often, which takes an unlucky number.
inline constexpr ChangeInfo kCanary{
    Change::canary, "canary", "", "", false, "two bugs put in on purpose"};

struct Profile {
  std::string_view name;           // "6.12.117"
  std::string_view description;    // one line
  bool derived = true;             // not compared with a running kernel
  std::string_view kernel_series;  // "6.12": whose source package builds it; empty: no such kernel
  std::bitset<static_cast<size_t>(Change::count)> changes;

  bool has(Change change) const { return changes.test(static_cast<size_t>(change)); }
  Profile with(Change change) const;
  Profile without(Change change) const;
};

// In no kernel and in no profile, only for with(): what would mend a bug that is not mended yet. No
// commit, no release.
std::span<const ChangeInfo> own_changes();

// By its name, of both kinds and kCanary. Null: no such change.
const ChangeInfo* find_change(std::string_view name);

inline constexpr std::string_view kDefaultProfile = "6.12.117";

std::span<const Profile> profiles();                 // oldest first
const Profile* find_profile(std::string_view name);  // null: no such profile

}  // namespace coldread
