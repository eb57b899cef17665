// Records survive whatever becomes of the process that wrote them.
#include "sim/live/record_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

namespace coldread::live {
namespace {

std::string written(const std::function<void(int fd)>& write) {
  int ends[2];
  if (pipe(ends) < 0) return "";
  write(ends[1]);
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t length; (length = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(length));
  }
  close(ends[0]);
  return text;
}

TEST(RecordLog, LastLineOfAnIndexCounts) {
  const std::string log = written([](int fd) {
    write_record(fd, 0, {{"do", "open"}});
    write_record(fd, 0, {{"do", "open"}, {"ret", 3}});
    write_record(fd, 1, {{"do", "poll"}});
  });
  const std::vector<player::Record> records = read_records(log);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].dump(), R"({"do":"open","ret":3})");
  EXPECT_EQ(records[1].dump(), R"({"do":"poll"})");
}

TEST(RecordLog, IgnoresTheLineThatWasCutOff) {
  const std::string log = written([](int fd) {
    write_record(fd, 0, {{"do", "open"}});
    write_record(fd, 0, {{"do", "open"}, {"ret", 3}});
  });
  const std::vector<player::Record> records = read_records(log.substr(0, log.size() - 1));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_FALSE(records[0].contains("ret"));
}

TEST(RecordLog, IgnoresWhatIsNoRecord) {
  EXPECT_TRUE(read_records("nonsense\n{\"index\": -1, \"record\": {}}\n[]\n").empty());
  EXPECT_TRUE(read_records("{\"index\": 7, \"record\": {}}\n").empty());
}

}  // namespace
}  // namespace coldread::live
