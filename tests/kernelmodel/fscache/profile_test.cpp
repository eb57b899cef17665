// Profiles are data: what is known of each, and changed copies.
#include "kernelmodel/profile.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace coldread {
namespace {

TEST(Profiles, AreFoundByTheirExactName) {
  ASSERT_NE(find_profile("6.12.117"), nullptr);
  EXPECT_EQ(find_profile("6.12.117")->name, kDefaultProfile);
  EXPECT_EQ(find_profile("6.12.118"), nullptr);
  EXPECT_EQ(find_profile(""), nullptr);
}

TEST(Profiles, OnlyThoseThatRanAreNotDerived) {
  EXPECT_FALSE(find_profile("6.1.192")->derived);
  EXPECT_FALSE(find_profile("6.12.117")->derived);
  EXPECT_TRUE(find_profile("rfc-v8")->derived);
  EXPECT_EQ(find_profile("rfc-v8")->kernel_series, "");
}

TEST(Profiles, DifferByTheirChanges) {
  const Profile& old_kernel = *find_profile("6.1.192");
  const Profile& new_kernel = *find_profile("6.12.117");
  EXPECT_FALSE(old_kernel.has(Change::fd_write_position_alignment));
  EXPECT_TRUE(new_kernel.has(Change::fd_write_position_alignment));
  EXPECT_FALSE(find_profile("rfc-v8")->has(Change::ondemand_read_in_prepare_read));
}

// What a later release brought and a still later one mended is not in kernels before it.
TEST(Profiles, HaveWhatTheyDoNotNeedYet) {
  EXPECT_TRUE(find_profile("5.19")->has(Change::create_tmpfile_double_fput));
  EXPECT_FALSE(find_profile("6.1")->has(Change::create_tmpfile_double_fput));
  EXPECT_TRUE(find_profile("6.1.192")->has(Change::create_tmpfile_double_fput));
  for (const Profile& profile : profiles())
    EXPECT_TRUE(profile.has(Change::cull_dentry_refcount)) << profile.name;
}

TEST(Profiles, WithAndWithoutLeaveTheOriginalAlone) {
  const Profile& profile = *find_profile("6.12.117");
  EXPECT_FALSE(profile.without(Change::cache_file_mode_0600).has(Change::cache_file_mode_0600));
  EXPECT_TRUE(profile.has(Change::cache_file_mode_0600));
  EXPECT_TRUE(find_profile("6.1.192")
                  ->with(Change::cache_file_mode_0600)
                  .has(Change::cache_file_mode_0600));
}

TEST(Profiles, NoneHasTheCanary) {
  ASSERT_NE(find_change("canary"), nullptr);
  EXPECT_EQ(find_change("canary")->change, Change::canary);
  for (const Profile& profile : profiles()) {
    EXPECT_FALSE(profile.has(Change::canary)) << profile.name;
    EXPECT_TRUE(profile.with(Change::canary).has(Change::canary));
  }
}

TEST(Profiles, EveryChangeHasANameOfItsOwn) {
  std::set<std::string> names;
  size_t index = 0;
  for (const ChangeInfo& info : all_changes()) {
    EXPECT_EQ(static_cast<size_t>(info.change), index++);
    EXPECT_TRUE(names.emplace(info.name).second) << info.name;
    EXPECT_FALSE(info.summary.empty());
    EXPECT_FALSE(info.commit.empty());
  }
  for (const ChangeInfo& info : own_changes()) {
    EXPECT_EQ(static_cast<size_t>(info.change), index++);
    EXPECT_TRUE(names.emplace(info.name).second) << info.name;
    EXPECT_EQ(find_change(info.name)->change, info.change);
    for (const Profile& profile : profiles()) EXPECT_FALSE(profile.has(info.change));
  }
}

}  // namespace
}  // namespace coldread
