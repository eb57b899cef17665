#include "sim/replay/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <execinfo.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>

namespace coldread::sim {
namespace {

struct Symbol {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  std::string name;  // "" : not one of the kernel's functions
};

// "coldread::(anonymous namespace)::fd_release(coldread::Kernel&, ...)" -> "fd_release"; empty if
// it is anything but a plain function of the model.
std::string kernel_name(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  if (status != 0) return "";
  std::string_view name = demangled.get();
  for (const std::string_view scope : {"coldread::", "(anonymous namespace)::"}) {
    if (!name.starts_with(scope)) {
      if (scope == "coldread::") return "";
      continue;
    }
    name.remove_prefix(scope.size());
  }
  name = name.substr(0, name.find('('));
  const bool plain = !name.empty() && name.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyz"
                                          "0123456789_") == name.npos;
  // How the model waits and reports is its own.
  const bool own = name == "wait_for_turn" || name == "report";
  return plain && !own ? std::string(name) : "";
}

// This program's functions, by address as they are loaded.
std::vector<Symbol> read_symbols() {
  std::vector<Symbol> symbols;
  std::ifstream file("/proc/self/exe", std::ios::binary);
  ElfW(Ehdr) header{};
  const auto read_at = [&file](uint64_t offset, void* to, size_t bytes) {
    file.seekg(static_cast<std::streamoff>(offset));
    return static_cast<bool>(
        file.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes)));
  };
  if (!read_at(0, &header, sizeof header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return symbols;
  uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* to) {
        *static_cast<uintptr_t*>(to) = info->dlpi_addr;
        return 1;  // the program itself comes first
      },
      &base);
  std::vector<ElfW(Shdr)> sections(header.e_shnum);
  if (!read_at(header.e_shoff, sections.data(), sections.size() * sizeof sections[0]))
    return symbols;
  for (const ElfW(Shdr) & section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    std::vector<ElfW(Sym)> entries(section.sh_size / sizeof(ElfW(Sym)));
    std::vector<char> names(sections[section.sh_link].sh_size + 1);
    if (!read_at(section.sh_offset, entries.data(), section.sh_size) ||
        !read_at(sections[section.sh_link].sh_offset, names.data(), names.size() - 1))
      return {};
    for (const ElfW(Sym) & entry : entries) {
      if (ELF64_ST_TYPE(entry.st_info) != STT_FUNC || entry.st_name >= names.size()) continue;
      symbols.push_back({base + entry.st_value, base + entry.st_value + entry.st_size,
                         kernel_name(names.data() + entry.st_name)});
    }
  }
  std::sort(symbols.begin(), symbols.end(),
            [](const Symbol& a, const Symbol& b) { return a.begin < b.begin; });
  return symbols;
}

const std::string& name_of(const void* address) {
  static const std::vector<Symbol>& symbols = *new std::vector<Symbol>(read_symbols());
  static const std::string& none = *new std::string;
  // A return address lies behind the call.
  const uintptr_t at = reinterpret_cast<uintptr_t>(address) - 1;
  const auto behind = std::upper_bound(symbols.begin(), symbols.end(), at,
                                       [](uintptr_t a, const Symbol& b) { return a < b.begin; });
  if (behind == symbols.begin()) return none;
  const Symbol& symbol = *std::prev(behind);
  return at < symbol.end ? symbol.name : none;
}

}  // namespace

std::vector<std::string> modelled_functions() {
  std::array<void*, 64> addresses;
  const int count = backtrace(addresses.data(), static_cast<int>(addresses.size()));
  std::vector<std::string> functions;
  for (int i = count - 1; i >= 0; i--) {
    const std::string& name = name_of(addresses[static_cast<size_t>(i)]);
    if (!name.empty()) functions.push_back(name);
  }
  return functions;
}

}  // namespace coldread::sim
