// Programs below `coldread exec` that do their worst to the supervisor, which looks at their system
// calls: it takes no harm, others are served, nothing opens that a kernel would not open.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "tests/fuse/faults/wellbeing.h"

namespace coldread::faults {
namespace {

class HostilePrograms : public Wellbeing, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Place::SetUp();
    if (IsSkipped()) return;
    const int secret = open(at("secret").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0);
    ASSERT_GE(secret, 0) << std::strerror(errno);
    close(secret);
    std::filesystem::permissions(at(""), std::filesystem::perms(0755));
    start(Way::exec, "6.12.117");
  }

  void start_hostile(const char* deed, int count) {
    const char* program = getenv("COLDREAD_HOSTILE_PROGRAM");  // NOLINT(concurrency-mt-unsafe)
    for (int i = 0; i < count; i++) say(std::string("run ") + program + " " + deed + " " + at(""));
    for (int i = 0; i < count; i++) await({"again"});
  }
  void end_hostile() {
    say("end");
    await({"ended programs"});
    for (const std::string& line : told()) EXPECT_FALSE(line.starts_with("wrong")) << line;
  }
  pid_t start_good(std::initializer_list<const char*> volumes) {
    const pid_t daemon = start_daemon();
    await({"ready"});
    for (const char* name : volumes) EXPECT_EQ(mkdir(volume(name).c_str(), 0755), 0) << name;
    return daemon;
  }
};

TEST_P(HostilePrograms, HarmNobody) {
  const pid_t daemon = start_good({"good", "bad"});
  expect_good_service(2);
  const ProcessState before = state_of(server_);
  start_hostile(GetParam(), 2);
  expect_good_service(8);
  end_hostile();
  kill_daemon(daemon);  // with what it never answered
  start_good({});
  expect_unharmed(before);
}

INSTANTIATE_TEST_SUITE_P(Of, HostilePrograms,
                         testing::Values("paths", "flags", "unsteady_memory", "path_that_waits",
                                         "opens", "descriptors", "killed", "forks", "namespaces",
                                         "own_filters", "traced"),
                         [](const auto& test) { return std::string(test.param); });

// It has the device; whoever comes after it is served.
class HostileOwners : public HostilePrograms {};

TEST_P(HostileOwners, HarmNobody) {
  const pid_t daemon = start_good({"good"});
  expect_good_service(2);
  const ProcessState before = state_of(server_);
  EXPECT_EQ(remove_volume("good"), 0);
  kill_daemon(daemon);
  end_children();

  start_hostile(GetParam(), 1);
  EXPECT_EQ(mkdir(volume("bad").c_str(), 0755), 0);
  for (int i = 0; i < 8; i++)
    in_child([&] { read_for_ever(volume("bad/o" + std::to_string(i) + "-40960")); });
  for (int i = 0; i < 12; i++) await({"again"});
  end_hostile();
  end_children();  // who wait for the device until it is closed
  EXPECT_EQ(remove_volume("bad"), 0);

  start_good({"good"});
  expect_unharmed(before);
}

INSTANTIATE_TEST_SUITE_P(Of, HostileOwners,
                         testing::Values("unsteady_buffer", "closed_meanwhile", "killed_readers"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace coldread::faults
