// What host and guest write comes out as it went in, and damaged files are an error.
#include "sim/live/job.h"

#include <gtest/gtest.h>

#include "sim/live/proc_state.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread::live {
namespace {

TEST(GuestFiles, RoundTrip) {
  const GuestSetup setup = {"m.ko", "/o", "/c", "/w"};
  const auto setup_back = GuestSetup::from_json(setup.to_json());
  ASSERT_TRUE(setup_back);
  EXPECT_EQ(setup_back->to_json(), setup.to_json());

  const GuestTask task = {"/a b.json", {"/x"}, 17};
  const auto task_back = GuestTask::from_json(task.to_json());
  ASSERT_TRUE(task_back);
  EXPECT_EQ(task_back->to_json(), task.to_json());

  GuestAnswer answer;
  answer.last = true;
  answer.transcript.kernel = "6.12.117";
  answer.transcript.tasks["t"] = {{{"step", "/tasks/t/0"}, {"do", "open"}, {"ret", 3}}};
  const auto answer_back = GuestAnswer::from_json(answer.to_json());
  ASSERT_TRUE(answer_back);
  EXPECT_EQ(answer_back->to_json(), answer.to_json());
}

TEST(GuestFiles, AnErrorNeedsNoTranscript) {
  const auto answer = GuestAnswer::from_json({{"error", "oops"}, {"last", true}});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error, "oops");
}

TEST(GuestFiles, DamagedOnesAreAnError) {
  const auto cut_off = nlohmann::json::parse("{\"error\":", nullptr, false);
  EXPECT_FALSE(GuestAnswer::from_json(cut_off));
  EXPECT_FALSE(GuestAnswer::from_json({{"error", ""}, {"last", false}, {"transcript", 3}}));
  EXPECT_FALSE(GuestTask::from_json(nlohmann::json::array()));
  EXPECT_FALSE(GuestSetup::from_json({{"module", 1}}));
}

TEST(GuestFiles, PublishShowsOnlyWholeFiles) {
  TemporaryDirectory directory;
  const std::string path = directory.path() / "1.answer";
  ASSERT_TRUE(publish(path, "text"));
  EXPECT_EQ(read_file(path), "text");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  EXPECT_FALSE(publish(directory.path() / "no" / "where", "text"));
}

}  // namespace
}  // namespace coldread::live
