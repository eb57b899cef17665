// Which kernel is modelled: a profile is the list of upstream changes that kernel has.
//
// Wherever versions differ the model asks profile.has(Change::...). Changes are named after their
// records in the catalogue of kernel changes, with '_' for '-'. A profile is named by its exact
// release; one that was compared with the running kernel says so, the others are derived.
//
// Profiles are constants; with() and without() make changed copies. Safe to share between threads.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace coldread {

enum class Change : uint8_t {
  // cachefiles: the READ hook sits in cachefiles_prepare_read() and so sees every hole
  // (9032b6e858).
  // Without it, it sits in cachefiles_read() and sees only ranges that miss wholly (the series'
  // v8).
  ondemand_read_in_prepare_read,
  // Writes to the anonymous fd at an unaligned offset are refused; before, rounded down.
  fd_write_position_alignment,
  // New backing files have mode 0600; before, 0000.
  cache_file_mode_0600,
  // prepare_ondemand_read() beside prepare_read(); before, one entry for both.
  prepare_ondemand_read_split,
  // fscache is part of the netfs library, and so are its files in /proc; before, on its own.
  proc_fscache_moved,
  // The netfs library hands over what it writes back as it is, and the cache cuts it (issue_write).
  netfs_issue_write,
  count
};

struct ChangeInfo {
  Change change;
  std::string_view name;     // "fd-write-position-alignment"
  std::string_view commit;   // upstream, abbreviated; empty: several
  std::string_view summary;  // one line
};
std::span<const ChangeInfo> all_changes();  // in the order of the enum

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

inline constexpr std::string_view kDefaultProfile = "6.12.117";

std::span<const Profile> profiles();                 // oldest first
const Profile* find_profile(std::string_view name);  // null: no such profile

}  // namespace coldread
