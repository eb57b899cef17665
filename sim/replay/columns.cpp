// A run as columns, as kernel commit messages draw races.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "sim/replay/replay.h"

namespace coldread::sim {
namespace {

constexpr size_t kNarrowest = 16;

struct Line {
  size_t column;
  std::string text;
};

// What a stack has that the one before it had not, each function one deeper.
void add_stack(const std::vector<std::string>& before, const std::vector<std::string>& stack,
               size_t column, std::vector<Line>& lines) {
  size_t same = 0;
  while (same < std::min(before.size(), stack.size()) && before[same] == stack[same]) same++;
  // A function that goes on is named again, so that the line is not empty.
  if (same == stack.size() && same > 0) same--;
  for (size_t i = same; i < stack.size(); i++)
    lines.push_back({column, std::string(i, ' ') + stack[i]});
}

}  // namespace

std::string columns(const Replayed& replayed) {
  std::vector<std::string> tasks;
  std::vector<Line> lines;
  std::map<std::string, std::vector<std::string>> stacks;
  for (const ReplayMoment& moment : replayed.moments) {
    auto found = std::find(tasks.begin(), tasks.end(), moment.task);
    const auto column = static_cast<size_t>(found - tasks.begin());
    if (found == tasks.end()) tasks.push_back(moment.task);
    if (!moment.step.empty()) {
      lines.push_back({column, "[" + moment.step + "]"});
      stacks[moment.task].clear();
      continue;
    }
    const bool last = &moment == &replayed.moments.back();
    if (moment.functions == stacks[moment.task] && !last) continue;
    add_stack(stacks[moment.task], moment.functions, column, lines);
    stacks[moment.task] = moment.functions;
  }
  if (tasks.empty()) return "";
  std::vector<size_t> widths;
  for (const std::string& task : tasks) widths.push_back(std::max(kNarrowest, task.size()));
  for (const Line& line : lines)
    widths[line.column] = std::max(widths[line.column], line.text.size());
  std::string text;
  const auto row = [&](const auto& cell) {
    std::string out;
    for (size_t i = 0; i < tasks.size(); i++)
      out += fmt::format("{} {:<{}} ", i == 0 ? "" : "|", cell(i), widths[i]);
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  };
  row([&](size_t i) { return tasks[i]; });
  row([&](size_t i) { return std::string(widths[i], '-'); });
  for (const Line& line : lines)
    row([&](size_t i) { return i == line.column ? line.text : std::string(); });
  return text;
}

}  // namespace coldread::sim
