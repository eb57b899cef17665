// The profiles as data: which kernel has which change.
#include "kernelmodel/profile.h"

#include <array>
#include <initializer_list>

namespace coldread {
namespace {

constexpr std::array kChanges = {
    ChangeInfo{Change::ondemand_read_in_prepare_read, "ondemand-read-in-prepare-read",
               "9032b6e8589f", "the READ hook sees every hole, not only ranges that miss wholly"},
    ChangeInfo{Change::fd_write_position_alignment, "fd-write-position-alignment", "7097c96411d2",
               "unaligned writes to the anonymous fd are refused, not rounded down"},
    ChangeInfo{Change::cache_file_mode_0600, "cache-file-mode-0600", "79aa28494638",
               "new backing files have mode 0600, not 0000"},
    ChangeInfo{Change::prepare_ondemand_read_split, "prepare-ondemand-read-split", "8669247524c7",
               "on-demand reads have an entry of their own"},
    ChangeInfo{Change::proc_fscache_moved, "proc-fscache-moved", "7eb5b3e3a0a5",
               "/proc/fs/fscache belongs to the netfs library, statistics begin with its lines"},
    ChangeInfo{Change::netfs_issue_write, "netfs-issue-write", "288ace2f57c9",
               "the netfs library hands over what it writes back as it is, the cache cuts it"},
};
static_assert(kChanges.size() == static_cast<size_t>(Change::count));

Profile make(std::string_view name, std::string_view description, bool derived,
             std::string_view series, std::initializer_list<Change> changes) {
  Profile profile{name, description, derived, series, {}};
  for (const Change change : changes) profile.changes.set(static_cast<size_t>(change));
  return profile;
}

const std::array<Profile, 3>& table() {
  static const std::array<Profile, 3> kProfiles = {
      make("rfc-v8", "the series' v8: READ is sent only for ranges that miss wholly", true, "", {}),
      make("6.1.192", "Debian 12's kernel", false, "6.1", {Change::ondemand_read_in_prepare_read}),
      make("6.12.117", "Debian 12's backported kernel", false, "6.12",
           {Change::ondemand_read_in_prepare_read, Change::fd_write_position_alignment,
            Change::cache_file_mode_0600, Change::prepare_ondemand_read_split,
            Change::proc_fscache_moved, Change::netfs_issue_write}),
  };
  return kProfiles;
}

}  // namespace

std::span<const ChangeInfo> all_changes() {
  return kChanges;
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
