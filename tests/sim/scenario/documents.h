// The document that the tables of good and bad scenarios change in one place each.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace coldread::scenario {

// Task "d" of the base document ends with the step at this pointer; the tables put others there.
inline constexpr const char* kStep = "/tasks/d/3";

inline nlohmann::ordered_json base_document() {
  return nlohmann::ordered_json::parse(R"({
    "version": 1, "title": "t", "kernels": ["6.1.192", "6.12.117"],
    "blobs": {"b": {"size": 8192, "pattern": "counter"}},
    "volumes": {"v": {"key": "erofs,v"}},
    "cookies": {"c": {"volume": "v", "key": "c"}},
    "tasks": {
      "d": [{"do": "bind"}, {"do": "read_message"}, {"do": "copen", "size": 8192},
            {"do": "settle"}],
      "r": [{"do": "settle"}]
    }
  })");
}

// The base document with `value` at `pointer`; an empty `value` takes away what is there.
inline std::string document_with(const std::string& pointer, const std::string& value) {
  auto document = base_document();
  const nlohmann::ordered_json::json_pointer at(pointer);
  if (value.empty()) {
    document.at(at.parent_pointer()).erase(at.back());
  } else {
    document[at] = nlohmann::ordered_json::parse(value);
  }
  return document.dump();
}

}  // namespace coldread::scenario
