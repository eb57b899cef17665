// The profiles as data: which kernel has which change.
#include "kernelmodel/profile.h"

#include <array>

namespace coldread {
namespace {

constexpr std::array kChanges = {
    ChangeInfo{Change::unmark_inode_in_use_error_path, "unmark-inode-in-use-error-path",
               "ea5dc046127e", "5.18", true, "a lookup that fails leaves no file marked as in use"},
    ChangeInfo{Change::volume_xattr_oob_write, "volume-xattr-oob-write", "7b2f6c306601", "5.18",
               true, "a volume's attribute is as long as its coherency data"},
    ChangeInfo{Change::ondemand_read_in_prepare_read, "ondemand-read-in-prepare-read",
               "9032b6e8589f", "5.19", true,
               "the READ hook sees every hole, not only ranges that miss wholly"},
    ChangeInfo{Change::narrow_flush_on_fd_release, "narrow-flush-on-fd-release", "65aa5f6fd8a1",
               "5.19", true, "closing an anonymous fd fails the READs of its object alone"},
    ChangeInfo{Change::fscache_invalidate_during_lookup, "fscache-invalidate-during-lookup",
               "85e4ea1049c7", "5.19", true,
               "an invalidation during lookup is remembered until the lookup has ended"},
    ChangeInfo{Change::fscache_volume_collision_condition, "fscache-volume-collision-condition",
               "bf17455b9cbd", "5.19", true,
               "who waited 20 s for a volume's key goes on waiting while it is taken"},
    ChangeInfo{Change::copen_negative_size_return, "copen-negative-size-return", "c93ccd63b18c",
               "6.0", true, "copen with a number below -4095 fails, not only the OPEN"},
    ChangeInfo{Change::fair_request_distribution, "fair-request-distribution", "1122f4007273",
               "6.0", true, "read() goes round by id, instead of always taking the lowest"},
    ChangeInfo{Change::fscache_inval_access_ref_leak, "fscache-inval-access-ref-leak",
               "fb24771faf72", "6.0", true,
               "an invalidation during lookup takes one access, and always gives it back"},
    ChangeInfo{Change::fscache_volume_key_oob, "fscache-volume-key-oob", "9f0933ac026f", "6.1",
               true, "volume keys over 127 bytes are compared within their bounds"},
    ChangeInfo{Change::fscache_lru_use_race, "fscache-lru-use-race", "b5b52de3214a", "6.1", true,
               "using a cookie takes back its discard"},
    ChangeInfo{Change::prepare_ondemand_read_split, "prepare-ondemand-read-split", "8669247524c7",
               "6.2", false, "on-demand reads have an entry of their own"},
    ChangeInfo{Change::fscache_relinquished_volume_wait, "fscache-relinquished-volume-wait",
               "8226e37d82f4", "6.2", true,
               "who waits for a volume's key is woken when it is free"},
    ChangeInfo{Change::cache_file_mode_0600, "cache-file-mode-0600", "79aa28494638", "6.5", false,
               "new backing files have mode 0600, not 0000"},
    ChangeInfo{Change::failover_reopen_on_read, "failover-reopen-on-read", "0a7e54c1959c", "6.8",
               true, "a READ of a closed object waits until the object is opened again"},
    ChangeInfo{Change::failover_epollin_narrowed, "failover-epollin-narrowed", "b817e22b2e91",
               "6.8", true, "EPOLLIN only for requests the daemon has not read"},
    ChangeInfo{Change::failover_restore_command, "failover-restore-command", "e73fa11a356c", "6.8",
               true, "the command restore: all requests are unread again"},
    ChangeInfo{Change::non_ondemand_null_deref, "non-ondemand-null-deref", "c3d6569a4332", "6.8",
               true, "an object without a daemon has no record of its requests", "6.8"},
    ChangeInfo{Change::add_cache_memleak, "add-cache-memleak", "e21a2f17566c", "6.8", true,
               "a failed bind gives back its credentials"},
    ChangeInfo{Change::proc_fscache_moved, "proc-fscache-moved", "7eb5b3e3a0a5", "6.8", false,
               "/proc/fs/fscache belongs to the netfs library, statistics begin with its lines"},
    ChangeInfo{Change::fd_write_position_alignment, "fd-write-position-alignment", "7097c96411d2",
               "6.8", false, "unaligned writes to the anonymous fd are refused, not rounded down"},
    ChangeInfo{Change::netfs_issue_write, "netfs-issue-write", "288ace2f57c9", "6.10", false,
               "the netfs library hands over what it writes back as it is, the cache cuts it"},
    ChangeInfo{Change::trace_fd_ref_strings, "trace-fd-ref-strings", "cc5ac966f261", "6.10", true,
               "traces spell out the references of the anonymous fd"},
    ChangeInfo{Change::flush_erases_requests, "flush-erases-requests", "0fc75c5940fa", "6.10", true,
               "a flush takes each request out of the table as it ends it"},
    ChangeInfo{Change::uaf_get_fd_after_restore, "uaf-get-fd-after-restore", "de3e26f9e5b7", "6.10",
               true, "reading the device holds a reference on the request"},
    ChangeInfo{Change::uaf_object_in_daemon_read, "uaf-object-in-daemon-read", "da4a82741606",
               "6.10", true, "reading the device holds a reference on the object"},
    ChangeInfo{Change::copen_cread_consistency, "copen-cread-consistency", "a26dc49df37e", "6.10",
               true, "copen and READ_COMPLETE look what they answer"},
    ChangeInfo{Change::ondemand_info_lock, "ondemand-info-lock", "0a790040838c", "6.10", true,
               "copen notices that the anonymous fd was closed"},
    ChangeInfo{Change::no_second_anon_fd, "no-second-anon-fd", "4988e35e95fc", "6.10", true,
               "an OPEN that is read again gets no second anonymous fd"},
    ChangeInfo{Change::defer_anon_fd_install, "defer-anon-fd-install", "4b4391e77a6b", "6.10", true,
               "the anonymous fd is installed when its message was copied"},
    ChangeInfo{Change::copen_closes_object, "copen-closes-object", "4f8703fb3482", "6.10", true,
               "a refused reopening leaves the object closed"},
    ChangeInfo{Change::flush_after_dead, "flush-after-dead", "85e833cd7243", "6.10", true,
               "a cache that dies ends its requests"},
    ChangeInfo{Change::killable_ondemand_wait, "killable-ondemand-wait", "bc9dde615546", "6.10",
               true, "who waits for the daemon can be killed"},
    ChangeInfo{Change::uaf_withdraw_fscache_volume, "uaf-withdraw-fscache-volume", "522018a0de6b",
               "6.10", true, "withdrawal holds a reference on each volume"},
    ChangeInfo{Change::uaf_withdraw_cookie, "uaf-withdraw-cookie", "5d8f80578907", "6.10", true,
               "withdrawal waits for volumes in use before it counts objects"},
    ChangeInfo{Change::getxattr_errors_propagated, "getxattr-errors-propagated", "0ece614a52bc",
               "6.10", true, "an attribute that cannot be read is an error, not staleness"},
    ChangeInfo{Change::stop_requests_when_dropping, "stop-requests-when-dropping", "b2415d1f4566",
               "6.10", true, "an object that is dropped sends no more requests"},
    ChangeInfo{Change::cancel_requests_when_dropping, "cancel-requests-when-dropping",
               "751f524635a4", "6.10", true, "an object that is dropped takes its requests along"},
    ChangeInfo{Change::wait_reopen_worker, "wait-reopen-worker", "12e009d60852", "6.10", true,
               "an object that is dropped waits for its reopening"},
    ChangeInfo{Change::msg_id_cyclic, "msg-id-cyclic", "19f4f3990914", "6.10", true,
               "message ids go round, instead of taking the lowest free one"},
    ChangeInfo{Change::poll_lock, "poll-lock", "cf5bb09e742a", "6.10", true,
               "poll() looks at requests under the table's lock"},
    ChangeInfo{Change::fscache_lru_n_accesses, "fscache-lru-n-accesses", "f71aa06398aa", "6.11",
               true, "a cookie is not discarded while an operation accesses it"},
    ChangeInfo{Change::fscache_lru_timer_exit, "fscache-lru-timer-exit", "72a6e22c604c", "6.11",
               true, "a module that is unloaded takes its timer along"},
    ChangeInfo{Change::dentry_leak_open_file, "dentry-leak-open-file", "da6ef2dffe60", "6.12", true,
               "a lookup that meets a file in use lets go of it"},
    ChangeInfo{Change::xattr_freeze_protection, "xattr-freeze-protection", "80887f316729", "6.12",
               false, "an attribute is changed only where the file system may be written to"},
    ChangeInfo{Change::fd_write_return_length, "fd-write-return-length", "10c35abd35aa", "6.13",
               false, "a write to the anonymous fd returns the length asked for, not whole pages"},
    ChangeInfo{Change::fd_write_position_update, "fd-write-position-update", "56f4856b425a", "6.13",
               true, "a write to the anonymous fd moves its position"},
    ChangeInfo{Change::fd_write_null_file, "fd-write-null-file", "31ad74b20227", "6.13", true,
               "a write to the anonymous fd holds a reference on the backing file"},
    ChangeInfo{Change::secctx_parse_immediate, "secctx-parse-immediate", "e5a8b6446c0d", "6.13",
               true, "a security context is judged when it is named, not at bind"},
    ChangeInfo{Change::write_short_count, "write-short-count", "6b89819b06d8", "6.16", true,
               "writing to the cache returns what was written, not 0 for all"},
    ChangeInfo{Change::cull_dentry_refcount, "cull-dentry-refcount", "1635c2acdde8", "7.0", true,
               "culling gives back the one reference it has", "6.19"},
    ChangeInfo{Change::create_tmpfile_double_fput, "create-tmpfile-double-fput", "af6830cc12df",
               "7.2", true, "a new file that cannot be read and written is closed once", "6.1"},
    ChangeInfo{Change::get_directory_double_unlock, "get-directory-double-unlock", "8c256fba2b46",
               "7.2", true, "a directory that cannot be looked up is unlocked once", "6.19"},
    ChangeInfo{Change::erofs_shared_domain, "erofs-shared-domain", "8b7adf1dff3d", "6.1", true,
               "mounts of one domain_id share their volume and blobs"},
    ChangeInfo{Change::erofs_domain_fsid_unique, "erofs-domain-fsid-unique", "27f2a2dcc626", "6.2",
               true, "an image that its domain has is refused before anything is read"},
    ChangeInfo{Change::erofs_large_folios, "erofs-large-folios", "e6687b89225e", "6.2", false,
               "a window of an image is one read, and readers get its own errno"},
    ChangeInfo{Change::erofs_xattr_prefixes, "erofs-xattr-prefixes", "b3bfcb9dbfff", "6.4", false,
               "attributes' names may begin with one of the image's own prefixes"},
    ChangeInfo{Change::erofs_fscache_compressed, "erofs-fscache-compressed", "a1bafc3109d7", "6.9",
               false, "compressed files can be read on demand"},
    ChangeInfo{Change::erofs_fscache_deprecated, "erofs-fscache-deprecated", "0d442ce0b302", "6.12",
               false, "the mode is called deprecated, and inodes are checked anew"},
    ChangeInfo{Change::erofs_directio, "erofs-directio", "6422cde1b0d5", "6.13", false,
               "directio, for images that are files, is an option"},
};
static_assert(kChanges.size() == static_cast<size_t>(Change::withdraw_cookie_locks));

constexpr std::array kOwnChanges = {
    ChangeInfo{Change::withdraw_cookie_locks, "withdraw-cookie-locks", "", "", false,
               "a withdrawn object is not freed while the cache's withdrawal still looks at it"},
    ChangeInfo{Change::withdraw_volume_once, "withdraw-volume-once", "", "", false,
               "a volume that somebody begins to use while it is withdrawn is not withdrawn again"},
    ChangeInfo{Change::end_access_holds_cookie, "end-access-holds-cookie", "", "", false,
               "a cookie is not freed while its last access ends"},
    ChangeInfo{Change::namei_freeze_protection, "namei-freeze-protection", "", "", false,
               "files and directories are made, named and removed when the disk is not frozen"},
};
static_assert(kChanges.size() + kOwnChanges.size() == static_cast<size_t>(Change::canary));

// Releases as one number that grows: "6.10" is 6010.
constexpr int release_number(std::string_view release) {
  int major = 0;
  int minor = 0;
  bool behind_dot = false;
  for (const char c : release) {
    if (c == '.')
      behind_dot = true;
    else
      (behind_dot ? minor : major) = (behind_dot ? minor : major) * 10 + (c - '0');
  }
  return major * 1000 + minor;
}

// A profile with the changes that `wanted` says yes to.
template <typename Wanted>
Profile make(std::string_view name, std::string_view description, bool derived,
             std::string_view series, Wanted wanted) {
  Profile profile{name, description, derived, series, {}};
  for (const ChangeInfo& info : kChanges) {
    profile.changes.set(static_cast<size_t>(info.change), wanted(info));
  }
  return profile;
}

Profile first_release(std::string_view name) {
  return make(name, "the first release of its series", true, "", [name](const ChangeInfo& info) {
    const int release = release_number(name);
    return release_number(info.since) <= release || release < release_number(info.needed_since);
  });
}

const std::array<Profile, 10>& table() {
  static const std::array<Profile, 10> kProfiles = {
      make("rfc-v8", "the series' v8: READ is sent only for ranges that miss wholly", true, "",
           [](const ChangeInfo& info) {
             return info.in_6_1_192 && info.change != Change::ondemand_read_in_prepare_read;
           }),
      first_release("5.19"),
      first_release("6.1"),
      make("6.1.192", "Debian 12's kernel", false, "6.1",
           [](const ChangeInfo& info) { return info.in_6_1_192; }),
      first_release("6.6"),
      first_release("6.8"),
      first_release("6.10"),
      first_release("6.12"),
      make("6.12.117", "Debian 12's backported kernel", false, "6.12",
           [](const ChangeInfo&) { return true; }),
      first_release("6.13"),
  };
  return kProfiles;
}

}  // namespace

std::span<const ChangeInfo> all_changes() {
  return kChanges;
}

std::span<const ChangeInfo> own_changes() {
  return kOwnChanges;
}

const ChangeInfo* find_change(std::string_view name) {
  for (const auto& changes : {all_changes(), own_changes()}) {
    for (const ChangeInfo& info : changes) {
      if (info.name == name) return &info;
    }
  }
  if (name == kCanary.name) return &kCanary;
  return nullptr;
}

Profile Profile::with(Change change) const {
  Profile copy = *this;
  copy.changes.set(static_cast<size_t>(change));
  return copy;
}

Profile Profile::without(Change change) const {
  Profile copy = *this;
  copy.changes.reset(static_cast<size_t>(change));
  return copy;
}

std::span<const Profile> profiles() {
  return table();
}

const Profile* find_profile(std::string_view name) {
  for (const Profile& profile : table()) {
    if (profile.name == name) return &profile;
  }
  return nullptr;
}

}  // namespace coldread
