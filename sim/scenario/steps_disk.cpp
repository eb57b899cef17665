// The steps of whoever else has the cache's disk in hand, of faults, and of who looks on.
#include <algorithm>

#include "sim/scenario/errno_names.h"
#include "sim/scenario/steps_reader.h"

namespace coldread::scenario {
namespace {

constexpr size_t kMaxPath = 4095;
constexpr size_t kMaxXattrName = 255;
constexpr size_t kMaxXattrValue = 65536;
constexpr const char* kObjectXattr = "user.CacheFiles.cache";

// In the order of DiskOperation.
const std::vector<std::string> kOperations = {
    "mkdir",  "create", "write",   "truncate", "punch_hole", "unlink",   "rmdir",
    "rename", "link",   "symlink", "mkfifo",   "chmod",      "setxattr", "removexattr",
    "look",   "fill",   "remount", "freeze",   "thaw"};

bool is_below(const std::string& path) {
  if (path.empty() || path.back() == '/') return false;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view component(path.data() + at, end - at);
    if (component.empty() || component == "." || component == "..") return false;
    at = end + 1;
  }
  return path.find('\0') == std::string::npos;
}

std::string read_path(const Node& node, bool or_itself) {
  std::string path = node.string(kMaxPath);
  if (!is_below(path) && !(or_itself && path == "."))
    node.fail(or_itself ? "a path below the cache's directory, or \".\" for that itself"
                        : "a path below the cache's directory");
  return path;
}

uint32_t read_mode(Fields& fields, uint32_t fallback) {
  const auto node = fields.find("mode");
  return node ? node->octal_mode() : fallback;
}

std::string read_xattr_name(Fields& fields) {
  const auto node = fields.find("xattr");
  if (!node) return kObjectXattr;
  std::string name = node->string(kMaxXattrName);
  if (name.find('\0') != std::string::npos) node->fail("a name without \\u0000");
  return name;
}

void read_create(Reader r, DiskCall& call) {
  call.mode = read_mode(r.fields, 0600);
  if (const auto blob = r.fields.find("blob")) {
    r.step.blob = r.blob(*blob);
    r.step.length = r.names.scenario->blobs[static_cast<size_t>(r.step.blob)].bytes.size();
    if (r.step.length > kMaxCallBytes)
      blob->fail("a blob of at most 16 MiB", std::to_string(r.step.length) + " bytes");
  }
  if (const auto size = r.fields.find("size")) call.size = size->number(kMaxObject);
}

void read_operation(Reader r, DiskCall& call) {
  switch (call.operation) {
    case DiskOperation::mkdir:
      call.mode = read_mode(r.fields, kMadeParentMode);
      break;
    case DiskOperation::create:
      read_create(r, call);
      break;
    case DiskOperation::write:
      call.offset = r.fields.number_or("offset", 0, kMaxObject);
      r.read_source(call.offset);
      break;
    case DiskOperation::truncate:
      call.size = r.fields.need("size").number(kMaxObject);
      break;
    case DiskOperation::punch_hole:
      call.offset = r.fields.number_or("offset", 0, kMaxObject);
      call.length = r.fields.need("length").number(kMaxObject);
      break;
    case DiskOperation::rename:
    case DiskOperation::link:
      call.to = read_path(r.fields.need("to"), false);
      break;
    case DiskOperation::symlink: {
      const Node to = r.fields.need("to");
      call.to = to.string(kMaxPath);
      if (call.to.empty() || call.to.find('\0') != std::string::npos) to.fail("a path");
      break;
    }
    case DiskOperation::mkfifo:
      call.mode = read_mode(r.fields, 0600);
      break;
    case DiskOperation::chmod:
      call.mode = r.fields.need("mode").octal_mode();
      break;
    case DiskOperation::setxattr:
      call.value = r.fields.need("value").hex(kMaxXattrValue);
      [[fallthrough]];
    case DiskOperation::removexattr:
      call.xattr = read_xattr_name(r.fields);
      break;
    case DiskOperation::fill:
      if (const auto blocks = r.fields.find("blocks")) call.blocks = blocks->number(kMaxObject);
      if (const auto files = r.fields.find("files")) call.files = files->number(kMaxObject);
      break;
    case DiskOperation::remount:
      call.read_only = r.fields.boolean_or("read_only", false);
      break;
    case DiskOperation::unlink:
    case DiskOperation::rmdir:
    case DiskOperation::look:
    case DiskOperation::freeze:
    case DiskOperation::thaw:
      break;
  }
}

void read_disk(Reader r) {
  DiskCall& call = r.step.disk;
  call.operation =
      static_cast<DiskOperation>(r.fields.need("op").one_of(kOperations, "an operation"));
  const bool or_itself = call.operation >= DiskOperation::chmod;
  const bool whole = call.operation >= DiskOperation::fill;
  if (!whole) call.path = read_path(r.fields.need("path"), or_itself);
  read_operation(r, call);
}

void read_inject(Reader r) {
  if (!r.fields.first_of("errors", "memory")) {
    const size_t what = r.fields.need("memory").one_of(allocations(), "what finds no memory");
    r.step.memory = static_cast<Allocation>(what);
    return;
  }
  r.step.flags =
      read_flags(r.fields.need("errors"), {"ENOSPC", "EIO"}, {kInjectEnospc, kInjectEio});
}

void read_fault(Reader r) {
  Fault& fault = r.step.fault;
  fault.call = store_calls()[r.fields.need("call").one_of(store_calls(), "a call of the disk's")];
  if (r.fields.first_of("error", "short")) {
    const Node error = r.fields.need("error");
    const auto number = errno_number(error.string(32));
    if (!number) error.fail("the name of an error (\"EIO\")");
    fault.result = -*number;
  } else {
    const Node length = r.fields.need("short");
    if (fault.call != "read" && fault.call != "write")
      length.fail("\"short\" of a read or a write");
    fault.result = static_cast<int64_t>(length.number(kMaxCallBytes));
  }
  fault.nth = r.fields.number_or("nth", 1, kMaxObject);
  if (fault.nth == 0) r.fields.need("nth").fail("1 or more");
  fault.times = r.fields.number_or("times", 1, kMaxObject);
}

void read_proc(Reader r) {
  static const std::vector<std::string> kFiles = {"caches", "volumes", "cookies", "stats",
                                                  "requests"};
  r.step.proc_file = kFiles[r.fields.need("file").one_of(kFiles, "a file of /proc/fs/fscache")];
}

constexpr VerbReader kVerbs[] = {{Verb::disk, read_disk},
                                 {Verb::inject, read_inject},
                                 {Verb::fault, read_fault},
                                 {Verb::proc, read_proc}};

}  // namespace

std::span<const VerbReader> disk_verbs() {
  return kVerbs;
}

}  // namespace coldread::scenario
