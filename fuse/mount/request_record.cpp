// Each operation by its name; what is 0 or empty is left out.
#include "fuse/mount/request_record.h"

#include "fuse/mount/device.h"

namespace coldread::fuse {
namespace {

constexpr struct {
  const char* name;
  Request::Handler handler;
} kOperations[] = {
    {"lookup", &Node::lookup},     {"forget", &Node::forget},       {"getattr", &Node::getattr},
    {"setattr", &Node::setattr},   {"mkdir", &Node::mkdir},         {"unlink", &Node::unlink},
    {"rmdir", &Node::rmdir},       {"readdir", &Node::readdir},     {"open", &Node::open},
    {"release", &Node::release},   {"read", &Node::read},           {"write", &Node::write},
    {"lseek", &Node::lseek},       {"ioctl", &Node::ioctl},         {"poll", &Node::poll},
    {"fsync", &Node::fsync},       {"fallocate", &Node::fallocate}, {"statfs", &Node::statfs},
    {"getxattr", &Node::getxattr}, {"listxattr", &Node::listxattr}};

template <typename T>
void put(Json& line, const char* key, const T& value) {
  if (value != T{}) line[key] = value;
}

template <typename T>
void get(const Json& line, const char* key, T& value) {
  if (const auto found = line.find(key); found != line.end()) found->get_to(value);
}

// What a daemon writes into an object's file does not matter, all else does.
Contents contents_of(const Request& request) {
  const bool object = request.ino >= kAnonInodes && request.operation == std::string_view("write");
  return object ? Contents::unknown : Contents::known;
}

void read_line(const Json& line, Request& request, std::string* caller) {
  *caller = name_from(line.at("as"));
  get(line, "pid", request.pid);
  get(line, "inode", request.ino);
  if (line.contains("name")) request.name = name_from(line["name"]);
  size_t length = 0;
  if (line.contains("data") && bytes_length(line["data"], &length))
    restore_bytes(line["data"], request.data.get(length));
  get(line, "size", request.size);
  get(line, "offset", request.offset);
  get(line, "flags", request.flags);
  get(line, "handle", request.handle);
  get(line, "whence", request.whence);
  get(line, "command", request.command);
  get(line, "argument", request.argument);
  bool polls = false;
  get(line, "polls", polls);
  if (polls) request.poll_handle = std::make_unique<PollHandle>(nullptr);
}

// What handlers take for granted.
bool is_sound(Request& request) {
  const bool writes = request.handler == &Node::write;
  if (!writes && request.handler != &Node::read && request.handler != &Node::readdir) return true;
  if (request.size > kLargest || request.offset < 0) return false;
  return !writes || request.size == request.data.current().size();
}

}  // namespace

std::string record_of(Request& request, const std::string& caller) {
  Json line{{"in", "call"},       {"call", request.serial},  {"as", name_json(caller)},
            {"pid", request.pid}, {"do", request.operation}, {"inode", request.ino}};
  if (!request.name.empty()) line["name"] = name_json(request.name);
  put(line, "size", request.size);
  put(line, "offset", request.offset);
  put(line, "flags", request.flags);
  put(line, "handle", request.handle);
  put(line, "whence", request.whence);
  put(line, "command", request.command);
  put(line, "argument", request.argument);
  put(line, "polls", request.poll_handle != nullptr);
  if (const auto data = request.data.current(); !data.empty())
    line["data"] = bytes_json(data, contents_of(request));
  return members_of(line);
}

std::unique_ptr<Request> request_from(const Json& line, BufferPool& pool, std::string* caller) {
  try {
    const auto operation = line.at("do").get<std::string>();
    for (const auto& [name, handler] : kOperations) {
      if (operation != name) continue;
      auto request = std::make_unique<Request>(nullptr, name, handler, pool);
      read_line(line, *request, caller);
      return is_sound(*request) ? std::move(request) : nullptr;
    }
  } catch (const Json::exception&) {  // a member is missing or of another type
  }
  return nullptr;
}

}  // namespace coldread::fuse
