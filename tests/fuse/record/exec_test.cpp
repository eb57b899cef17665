// `coldread exec --record` with a reference daemon, and `coldread run` of what it wrote.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/sim/cli/command.h"

namespace coldread {
namespace {

using cli::CommandResult;
using testing::HasSubstr;

class RecordedExec : public cli::CommandTest {};

// What a recording has from its last line with `from` in it to the next with `to`.
std::string lines_between(const std::string& recording, const char* from, const char* to) {
  const size_t begin = std::min(recording.rfind(from), recording.size());
  return recording.substr(begin, std::min(recording.find(to, begin), recording.size()) - begin);
}

TEST_F(RecordedExec, AnUnmodifiedDaemon) {
  const auto machine = nlohmann::json::parse(run({"doctor", "--format", "json"}).out);
  for (const auto& finding : machine["findings"])
    if (finding["subject"] == "exec" && finding["good"] == false) GTEST_SKIP() << finding["text"];
  const char* daemon = getenv("COLDREAD_DAEMON");  // NOLINT(concurrency-mt-unsafe)
  if (daemon == nullptr) GTEST_SKIP() << "no daemon was built: no C compiler";
  write("blobs/large", std::string(300'000, 'l'));
  write("blobs/small", "hello\n");
  write("cache/keep", "");
  write("script", std::string(daemon) +
                      " cache blobs > log & D=$!\n"
                      "until grep -q ready log; do sleep 0.02; done\n"
                      "mkdir $COLDREAD_MOUNT/volumes/v\n"
                      "for f in large small; do cmp $COLDREAD_MOUNT/volumes/v/$f blobs/$f; done\n"
                      "cat $COLDREAD_MOUNT/volumes/v/none\n"
                      "kill $D; wait\n");
  const CommandResult served =
      run({"exec", "--record", "recording", "--", "timeout", "60", "bash", "script"});
  EXPECT_EQ(served.exit_code, 0) << served.out << served.err;
  // READ_COMPLETE: the reader goes on before the daemon does.
  EXPECT_THAT(lines_between(read("recording"), R"("in":"file call")", R"("out":"answer","held")"),
              HasSubstr(R"("contents")"));

  const CommandResult replayed = run({"run", "recording", "-v", "--trace", "first"});
  EXPECT_EQ(replayed.exit_code, 0) << replayed.out << replayed.err;
  EXPECT_THAT(replayed.out, HasSubstr("ok     recording  6.12.117"));
  EXPECT_THAT(replayed.out, HasSubstr("daemon"));
  const CommandResult again = run({"run", "recording", "-v", "--trace", "second"});
  EXPECT_TRUE(again.out == replayed.out);
  EXPECT_THAT(read("first"), HasSubstr("cachefiles_ondemand_read"));
  EXPECT_TRUE(read("first") == read("second"));
}

}  // namespace
}  // namespace coldread
