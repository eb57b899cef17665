// Recordings of mounts that were made once are replayed anywhere, and notice what is wrong with
// them.
//
// Where the server was changed so that it asks or answers otherwise, they are made again:
// fuse_record_test with COLDREAD_KEEP_RECORDINGS=DIR leaves one for each of its tests
// (session.jsonl is that of ReadersADeadReaderAndADaemonThatCloses, hang.jsonl of
// AHangOfAKilledServer).
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fuse/record/tape.h"
#include "tests/sim/cli/command.h"

namespace coldread {
namespace {

namespace fs = std::filesystem;
using cli::CommandResult;
using testing::AllOf;
using testing::HasSubstr;

class Replay : public cli::CommandTest {
 protected:
  Replay() {
    const char* found = getenv("COLDREAD_RECORDINGS");  // NOLINT(concurrency-mt-unsafe)
    recordings_ = found != nullptr ? found : "";
  }

  fs::path session() const { return recordings_ / "session.jsonl"; }
  fs::path hang() const { return recordings_ / "hang.jsonl"; }

  static std::vector<std::string> lines_of(const fs::path& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  void write_lines(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) (text += line) += '\n';
    write("recording", text);
  }

  // The session, with `what` replaced in the last line that has it; the number of that line.
  size_t tamper(const std::string& what, const std::string& with) {
    std::vector<std::string> lines = lines_of(session());
    for (size_t i = lines.size(); i-- > 0;) {
      const size_t place = lines[i].find(what);
      if (place == std::string::npos) continue;
      lines[i].replace(place, what.size(), with);
      write_lines(lines);
      return i + 1;
    }
    ADD_FAILURE() << "no line has " << what;
    return 0;
  }

  CommandResult replayed() const { return run({"run", "recording"}); }
  // In that line, or as many behind it.
  void expect_difference(const std::string& what, const std::string& with, size_t behind = 0) {
    const size_t line = tamper(what, with) + behind;
    const CommandResult result = replayed();
    EXPECT_EQ(result.exit_code, 1) << what << "\n" << result.out << result.err;
    EXPECT_THAT(result.out, HasSubstr("       line " + std::to_string(line) + "\n")) << what;
  }
  void expect_bad(const std::string& what, const std::string& with) {
    const size_t line = tamper(what, with);
    const CommandResult result = replayed();
    EXPECT_EQ(result.exit_code, 2) << what << "\n" << result.out << result.err;
    EXPECT_THAT(result.err, HasSubstr("recording:" + std::to_string(line) + ": ")) << what;
  }

  fs::path recordings_;
};

TEST_F(Replay, ASessionIsAsItWas) {
  const CommandResult first = run({"run", session().string(), "-v", "--trace", "a"});
  EXPECT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_THAT(first.out, AllOf(HasSubstr("mkdir"), HasSubstr("\"op\":\"READ\""), HasSubstr("ok ")));
  const CommandResult second = run({"run", session().string(), "-v", "--trace", "b"});
  EXPECT_TRUE(first.out == second.out);
  EXPECT_THAT(read("a"), HasSubstr("cachefiles_ondemand_read:"));
  EXPECT_TRUE(read("a") == read("b"));
}

TEST_F(Replay, AHangIsOneAgain) {
  const CommandResult result = run({"run", hang().string()});
  EXPECT_EQ(result.exit_code, 4) << result.out << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("report: hang: "), HasSubstr("waits: completion"),
                                HasSubstr("read of volumes/v/c, offset 0, ")));
}

TEST_F(Replay, WhatWasChangedIsNoticed) {
  expect_difference("\"entry\":[", "\"entry\":[1");                       // an answer
  expect_difference("\"bytes\":{\"hex\":\"", "\"bytes\":{\"hex\":\"00");  // a message
  expect_difference("\"contents\":{\"length\":", "\"contents\":{\"length\":1");
  expect_difference("\"traced\":", "\"traced\":1");
  expect_difference("\"asks\":\"read\",\"of\":[", "\"asks\":\"read\",\"of\":[1");
  expect_difference("\"asks\":\"setxattr\"", "\"asks\":\"getxattr\"");
  expect_difference("\"end\":\"stopped\"", "\"end\":\"leak\"");
  expect_difference("\"do\":\"read\",\"inode\":3", "\"do\":\"read\",\"inode\":4", 1);
}

TEST_F(Replay, AStepThatIsNotReachedIsNoticed) {
  const size_t line = tamper("\"in\":\"signal\"", "\"in\":\"signal\"");
  std::vector<std::string> lines = lines_of(session());
  lines[line - 1].replace(lines[line - 1].find("\"step\":"), 7, "\"step\":1");
  write_lines(lines);
  const CommandResult result = replayed();
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("line " + std::to_string(line)), HasSubstr("at step")));
}

TEST_F(Replay, ALineThatIsMissingIsNoticed) {
  const std::vector<std::string> lines = lines_of(session());
  for (const std::string what : {"\"asks\":\"lookup\"", "\"out\":\"answer\"", "\"in\":\"done\""}) {
    std::vector<std::string> fewer = lines;
    for (size_t i = fewer.size(); i-- > 0;) {
      if (fewer[i].find(what) == std::string::npos) continue;
      fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(i));
      break;
    }
    write_lines(fewer);
    EXPECT_EQ(replayed().exit_code, 1) << what;
  }
}

TEST_F(Replay, WhatNoRecorderWritesIsBadInput) {
  expect_bad("{\"end\"", "end");
  expect_bad("\"in\":\"stop\"", "\"in\":\"halt\"");
  expect_bad("\"in\":\"done\",\"errand\":", "\"in\":\"done\",\"errand\":999");
  expect_bad("\"do\":\"read\"", "\"do\":\"chew\"");
  expect_bad("\"do\":\"write\",\"inode\":3,\"size\":", "\"do\":\"write\",\"inode\":3,\"size\":1");
  expect_bad("\"as\":", "\"was\":");
  expect_bad("\"at\":", "\"at\":\"soon\",\"was\":");
  expect_bad("\"gives\":[", "\"gives\":[\"x\",");
  expect_bad("\"version\":1", "\"version\":2");
  expect_bad("\"kernel\":\"", "\"kernel\":\"9");
  expect_bad("\"realtime\":", "\"surreal\":");
}

TEST_F(Replay, NothingFollowsTheEnd) {
  std::vector<std::string> lines = lines_of(session());
  lines.push_back(lines.back());
  write_lines(lines);
  const CommandResult result = replayed();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("recording:" + std::to_string(lines.size()) + ": "));
}

TEST_F(Replay, ARecordingMayEndAnywhere) {
  const std::vector<std::string> lines = lines_of(session());
  for (size_t part = 0; part < 8; ++part) {
    const size_t count = 1 + (lines.size() - 1) * part / 8;  // the first is the header
    write_lines({lines.begin(), lines.begin() + static_cast<ptrdiff_t>(count)});
    std::ofstream(directory_ / "recording", std::ios::app) << lines[count].substr(0, 20);
    const CommandResult result = replayed();
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 4) << result.out << result.err;
    EXPECT_THAT(result.out, HasSubstr("the recording ends without the server's end"));
  }
}

TEST_F(Replay, OptionsThatMakeNoSense) {
  for (const std::string option : {"--kernel=6.1.192", "--strategy=random", "--on=fuse"}) {
    const CommandResult result = run({"run", session().string(), option});
    EXPECT_EQ(result.exit_code, 2) << option << result.out;
    EXPECT_THAT(result.err, HasSubstr("a recording ")) << option;
  }
}

TEST(Tape, BytesAndNamesComeBack) {
  using namespace fuse;
  const auto back = [](const Json& json) {
    size_t length = 0;
    EXPECT_TRUE(bytes_length(json, &length));
    std::string text(length, 'x');
    restore_bytes(json, std::as_writable_bytes(std::span(text)));
    return text;
  };
  const auto as_json = [](std::string_view text, Contents contents) {
    return bytes_json(std::as_bytes(std::span(text)), contents);
  };
  for (const std::string& text :
       {std::string(), std::string("dir /cache\n"), std::string("\0\xff\n", 3)})
    EXPECT_EQ(back(as_json(text, Contents::known)), text);
  const std::string even(10'000, 'e');
  EXPECT_EQ(back(as_json(even, Contents::unknown)), even);
  EXPECT_EQ(text_of(as_json(even, Contents::unknown)), R"({"length":10000,"fill":101})");
  const std::string uneven = even + "u";
  EXPECT_EQ(back(as_json(uneven, Contents::unknown)), std::string(10'001, '\0'));
  for (const std::string name : {"a", "hex:00", "\x01\x80", ""})
    EXPECT_EQ(name_from(name_json(name)), name);
}

}  // namespace
}  // namespace coldread
