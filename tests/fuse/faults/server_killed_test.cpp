// The server, or the supervisor, is killed before and after system calls that it makes while it
// fills a hole: readers and daemons get errors, the mount is cleaned up, the cache is valid.
//
// At some of them; with COLDREAD_EVERY_EDGE=1 in the environment at all.
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "sim/scheduler/fiber.h"
#include "tests/fuse/faults/pattern.h"
#include "tests/fuse/faults/place.h"
#include "tests/fuse/faults/tracer.h"

namespace coldread::faults {
namespace {

constexpr long kPoints = sim::kAddressSanitizer ? 4 : 16;  // each takes a while
constexpr long kNever = std::numeric_limits<long>::max();
constexpr uint64_t kRoundedUp = 12'288;

struct Case {
  const char* name;
  Way way;
  const char* profile;
};

std::string key_of(long point) {
  return "k" + std::to_string(point) + "-11808";
}

class ServerKilled : public Place, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    Place::SetUp();
    if (IsSkipped()) return;
    write_blob("warm-4096");
  }

  void write_blob(const std::string& key) const {
    const Pattern pattern(key);
    std::string bytes(pattern.size(), '\0');
    pattern.fill(std::as_writable_bytes(std::span(bytes)), 0);
    std::ofstream(at("blobs/v/" + key)) << bytes;
  }

  // A server with a daemon and a volume.
  void start_all() {
    start(GetParam().way, GetParam().profile);
    if (IsSkipped() || HasFailure() || way_ == Way::built_in) return;
    start_daemon();
    await({"ready"});
    ASSERT_EQ(mkdir(volume("v").c_str(), 0755), 0) << std::strerror(errno);
  }

  std::string outcome_of(const std::string& key) {
    start_reader(volume("v/" + key));
    return await({"reader "});
  }

  // A cold read of an object of its own; the server's edges until it was killed.
  long killed_at(long point, long edge) {
    write_blob(key_of(point));
    start_all();
    if (IsSkipped() || HasFailure()) return 0;
    EXPECT_NE(outcome_of("warm-4096").find(" ok "),
              std::string::npos);  // the directories are there
    end_children();
    Tracer tracer;
    if (!tracer.attach(server_)) {
      ADD_FAILURE() << "cannot be traced";
      return 0;
    }
    const pid_t reader = start_reader(volume("v/" + key_of(point)));
    const long edges = tracer.run(edge, reader);
    server_ = -1;
    forget_children();
    check_reader(await({"reader "}));
    if (way_ != Way::built_in) {
      await({"failed "});
      await({"ended 1"});
    }
    EXPECT_EQ(open(volume("v/other").c_str(), O_RDONLY), -1);
    EXPECT_EQ(errno, ENOTCONN);
    EXPECT_NE(clean_up().find("has gone"), std::string::npos);
    end_nursery();
    check_cache();
    return edges;
  }

  void check_reader(const std::string& line) {
    std::istringstream words(line);
    std::string reader, pid, what;
    int error = 0;
    words >> reader >> pid >> what >> error;
    outcomes_[what]++;
    // What the kernel says of a connection that has gone, and what a page cannot be read for.
    const bool is_error = error == ENOTCONN || error == ECONNABORTED || error == EIO;
    EXPECT_TRUE(what == "ok" || ((what == "open" || what == "read") && is_error)) << line;
  }

  std::map<std::string, int> outcomes_;
};

// All but the last edge, behind which there is nothing left to kill.
long points_among(long edges) {
  const bool all = std::getenv("COLDREAD_EVERY_EDGE") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  return all ? edges - 1 : kPoints;
}

TEST_P(ServerKilled, AtPointsOfAFill) {
  if (!tracing_is_allowed()) GTEST_SKIP() << "processes cannot be traced here";
  const long edges = killed_at(0, kNever);
  if (IsSkipped()) return;
  EXPECT_GT(edges, 2 * kPoints);
  const long points = points_among(edges);
  std::printf("%ld edges; killed at", edges);
  for (long point = 1; point <= points && !HasFailure(); point++) {
    const long edge = point * edges / (points + 1);
    std::printf(" %ld", edge);
    std::fflush(stdout);
    give_time();
    killed_at(point, edge);
  }
  std::printf("\n");
  EXPECT_GT(outcomes_["open"] + outcomes_["read"], 0);

  const auto kept = check_cache();
  const size_t from = told().size();
  start_all();
  for (long point = 0; point <= points; point++)
    EXPECT_NE(outcome_of(key_of(point)).find(" ok "), std::string::npos) << key_of(point);
  const auto asked = ranges("asked", from);
  EXPECT_EQ(stop(), 0) << log();
  if (way_ == Way::built_in) return;
  for (long point = 0; point <= points; point++) {
    std::vector<Range> all;
    for (const auto* const part : {&kept, &asked})
      if (const auto found = part->find(key_of(point)); found != part->end())
        all.insert(all.end(), found->second.begin(), found->second.end());
    EXPECT_EQ(joined(all), (std::vector<Range>{{0, kRoundedUp}})) << key_of(point);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, ServerKilled,
                         testing::Values(Case{"serve", Way::serve, "6.12.117"},
                                         Case{"exec", Way::exec, "6.12.117"},
                                         Case{"built_in", Way::built_in, "6.1.192"}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace coldread::faults
