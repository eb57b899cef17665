// The call and its result first, then whatever else the record holds as compact JSON.
#include "sim/cli/record_text.h"

#include <fmt/core.h>

namespace coldread::cli {
namespace {

// "OPEN id=0 object=1 volume=erofs,x cookie=y fd=5 flags=1": all fields, the opcode first.
std::string message_text(const nlohmann::json& message) {
  std::string text = message.value("op", "?");
  for (const auto& [key, value] : message.items()) {
    if (key != "op") {
      text +=
          fmt::format(" {}={}", key, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  return text;
}

}  // namespace

std::string record_text(const std::string& task, const player::Record& record) {
  std::string text = fmt::format("  {}: {}", task, record.value("do", "?"));
  if (record.contains("ret")) text += " = " + record["ret"].dump();
  if (record.contains("errno")) text += " = -" + record["errno"].get<std::string>();
  for (const auto& [key, value] : record.items()) {
    if (key == "message") {
      text += "  " + message_text(value);
    } else if (key != "do" && key != "step" && key != "seq" && key != "ret" && key != "errno") {
      text += fmt::format("  {} {}", key,
                          value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
  }
  return text + fmt::format("  ({})", record.value("step", ""));
}

}  // namespace coldread::cli
