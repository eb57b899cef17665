// The canary as users put it in: exploring must find it, and nothing without it.
#include "tests/sim/cli/command.h"

namespace coldread::cli {
namespace {

constexpr const char* kHead = R"({"version": 1, "title": "t", "kernels": ["6.12.117"],
  "blobs": {"image": {"size": 8192, "pattern": "counter"}},
  "volumes": {"vol": {"key": "erofs,demo"}}, "cookies": {"img": {"volume": "vol", "key": "demo"}},
  "setup": [{"task": "daemon", "do": "bind"}], "tasks": )";

constexpr const char* kColdRead = R"({
  "daemon": [{"do": "serve", "blobs": {"demo": "image"}}],
  "reader": [{"do": "connect", "cookie": "img"}, {"do": "read", "cookie": "img", "length": 4096},
             {"do": "disconnect", "cookie": "img"}]}})";

constexpr const char* kRefused = R"({
  "daemon": [{"do": "poll"}, {"do": "read_message", "as": "open"},
             {"do": "command", "text": "copen {open.id},-4095", "expect": 13}],
  "reader": [{"do": "connect", "cookie": "img"}, {"do": "disconnect", "cookie": "img"}]}})";

class Canary : public CommandTest {};

TEST_F(Canary, ItsRaceIsFoundAndNothingWithoutIt) {
  write("a.json", std::string(kHead) + kColdRead);
  EXPECT_EQ(run({"explore", "a.json", "--schedules", "300"}).exit_code, 0);
  EXPECT_EQ(run({"run", "a.json", "--with", "canary"}).exit_code, 0);  // first in, first out
  const CommandResult found =
      run({"explore", "a.json", "--with", "canary", "--schedules", "300", "--save", "f.json"});
  EXPECT_EQ(found.exit_code, 3) << found.out << found.err;
  EXPECT_NE(found.out.find("use-after-free"), std::string::npos) << found.out;
  EXPECT_NE(found.out.find("repeat: coldread run a.json --kernel 6.12.117 --with canary"),
            std::string::npos)
      << found.out;
  // The file remembers the change.
  EXPECT_EQ(run({"replay", "f.json"}).exit_code, 3);
  EXPECT_EQ(run({"shrink", "f.json", "-o", "small.json"}).exit_code, 0);
  EXPECT_EQ(run({"replay", "small.json"}).exit_code, 3);
  // And without it nothing comes of the schedule: the report that the file has is missing.
  std::string file = read("f.json");
  file.replace(file.find("\"canary\""), 8, "");
  write("g.json", file);
  EXPECT_EQ(run({"replay", "g.json"}).exit_code, 1);
}

TEST_F(Canary, ItsNumberIsFoundInAnyOrder) {
  write("a.json", std::string(kHead) + kRefused);
  EXPECT_EQ(run({"run", "a.json"}).exit_code, 0);
  EXPECT_EQ(run({"run", "a.json", "--with", "canary"}).exit_code, 3);
}

}  // namespace
}  // namespace coldread::cli
