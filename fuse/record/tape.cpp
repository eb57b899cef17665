// Bytes and names in JSON.
#include "fuse/record/tape.h"

#include "sim/scenario/scenario.h"
#include "sim/sha256.h"

namespace coldread::fuse {
namespace {

constexpr std::string_view kHex = "hex:";

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; });
}

// Whether it is the hex digits of `size` bytes, or (memory given) puts them there.
bool from_hex(std::string_view text, std::span<std::byte> memory) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() != 2 * memory.size()) return false;
  for (size_t i = 0; i < memory.size(); i++) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    memory[i] = static_cast<std::byte>(high * 16 + low);
  }
  return true;
}

const std::string* string_in(const Json& json, const char* key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found != json.end() ? found->get_ptr<const std::string*>() : nullptr;
}

}  // namespace

std::string text_of(const Json& line) {
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string members_of(const Json& object) {
  const std::string text = text_of(object);
  return text.substr(1, text.size() - 2);
}

Json bytes_json(std::span<const std::byte> bytes, Contents contents) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (contents == Contents::known && bytes.size() <= kWhole) {
    if (is_printable(text)) return {{"text", text}};
    return {{"hex", scenario::hex_text(bytes)}};
  }
  if (!bytes.empty() && text.find_first_not_of(text.front()) == text.npos)
    return {{"length", bytes.size()}, {"fill", std::to_integer<unsigned>(bytes.front())}};
  return {{"length", bytes.size()}, {"sha256", sha256_of(bytes, 0, bytes.size())}};
}

bool bytes_length(const Json& json, size_t* length) {
  if (const std::string* text = string_in(json, "text")) {
    *length = text->size();
  } else if (const std::string* hex = string_in(json, "hex")) {
    *length = hex->size() / 2;
  } else {
    const auto found = json.is_object() ? json.find("length") : json.end();
    if (found == json.end() || !found->is_number_unsigned()) return false;
    *length = found->get<size_t>();
  }
  return *length <= kLargest;
}

void restore_bytes(const Json& json, std::span<std::byte> bytes) {
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  if (const std::string* text = string_in(json, "text")) {
    std::transform(text->begin(),
                   text->begin() + static_cast<ptrdiff_t>(std::min(text->size(), bytes.size())),
                   bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
  } else if (const std::string* hex = string_in(json, "hex")) {
    from_hex(*hex, bytes);
  } else if (const auto fill = json.find("fill");
             fill != json.end() && fill->is_number_unsigned()) {
    std::fill(bytes.begin(), bytes.end(), static_cast<std::byte>(fill->get<unsigned>()));
  }
}

Json name_json(std::string_view name) {
  return scenario::key_text(std::as_bytes(std::span(name)));
}

std::string name_from(const Json& json) {
  std::string text = json.get<std::string>();
  if (!text.starts_with(kHex)) return text;
  std::string name((text.size() - kHex.size()) / 2, '\0');
  from_hex(std::string_view(text).substr(kHex.size()), std::as_writable_bytes(std::span(name)));
  return name;
}

}  // namespace coldread::fuse
