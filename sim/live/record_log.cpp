#include "sim/live/record_log.h"

#include <unistd.h>

namespace coldread::live {

using nlohmann::json;

void write_record(int fd, size_t index, const player::Record& record) {
  const std::string line = json{{"index", index}, {"record", record}}.dump() + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(fd, rest.data(), rest.size());
    if (written <= 0) return;
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

std::vector<player::Record> read_records(std::string_view log) {
  std::vector<player::Record> records;
  for (size_t end; (end = log.find('\n')) != std::string_view::npos; log.remove_prefix(end + 1)) {
    json line = json::parse(log.substr(0, end), nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("index") || !line["index"].is_number_unsigned())
      continue;
    const auto index = line["index"].get<size_t>();
    if (index > records.size()) continue;  // its beginning is missing: not ours
    if (index == records.size()) records.emplace_back();
    records[index] = std::move(line["record"]);
  }
  return records;
}

}  // namespace coldread::live
