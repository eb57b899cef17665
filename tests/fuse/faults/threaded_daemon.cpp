#include "tests/fuse/faults/threaded_daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "tests/fuse/faults/pattern.h"

namespace coldread::faults {

using player::Message;

void Tools::say(const std::string& text) const {
  (void)!write(device, text.data(), text.size());
}

void Tools::complete(int fd, uint64_t id) const {
  ioctl(fd, kCompleteThroughMount, id);
}

ThreadedDaemon::Object::~Object() {
  if (fd >= 0) close(fd);
}

ThreadedDaemon::ThreadedDaemon(const std::string& mount, int device, BadService service)
    : service_(service) {
  tools_.mount = mount;
  tools_.device =
      device >= 0 ? device : open((mount + "/dev/cachefiles").c_str(), O_RDWR | O_CLOEXEC);
}

bool ThreadedDaemon::bind(const std::string& cache) const {
  tools_.say("dir " + cache);
  return write(tools_.device, "bind ondemand", 13) == 13;
}

void ThreadedDaemon::run(int threads, Deed deed) {
  if (deed != nullptr) {
    std::thread([this, deed] {
      while (true) deed(tools_);
    }).detach();
  }
  std::vector<std::thread> others;
  for (int i = 1; i < threads; i++) others.emplace_back([this] { serve(); });
  serve();
  for (std::thread& other : others) other.join();
}

void ThreadedDaemon::serve() {
  while (true) {
    pollfd wanted{tools_.device, POLLIN, 0};
    poll(&wanted, 1, -1);
    char buffer[1024];
    const ssize_t got = read(tools_.device, buffer, sizeof(buffer));
    if (got < 0) return;
    const auto bytes = std::as_bytes(std::span(buffer, static_cast<size_t>(got)));
    const auto message = player::decode_message(bytes);
    if (!message) continue;
    if (message->opcode == player::kOpOpen) answer_open(*message);
    if (message->opcode == player::kOpRead) answer_read(*message);
    if (message->opcode == player::kOpClose) forget(message->object_id);
  }
}

void ThreadedDaemon::answer_open(const Message& message) {
  const std::string key(reinterpret_cast<const char*>(message.cookie_key.data()),
                        message.cookie_key.size());
  if (key.starts_with("mute-open")) return;
  const std::string path = tools_.mount + "/dev/anon/" + std::to_string(message.object_id);
  auto object = std::make_shared<Object>(open(path.c_str(), O_WRONLY | O_CLOEXEC), key);
  if (key.starts_with("victim")) tools_.victim = object->fd;
  {
    const std::lock_guard guard(lock_);
    objects_[message.object_id] = std::move(object);
  }
  const std::string id = "copen " + std::to_string(message.msg_id) + ",";
  tools_.say(id + std::to_string(size_of(key)));
  if (service_ != BadService::twice) return;
  for (const char* again : {"1", "-2", "9223372036854775807", "20000"}) tools_.say(id + again);
}

void ThreadedDaemon::answer_read(const Message& message) {
  const std::shared_ptr<Object> object = find(message.object_id);
  if (object == nullptr || object->key.starts_with("mute")) return;
  const bool badly = object->key.starts_with("victim");
  if (badly && service_ == BadService::silent) return;
  if (badly && service_ == BadService::closes) return forget(message.object_id);
  std::vector<std::byte> data(message.length);
  Pattern(object->key).fill(data, message.off);
  (void)!pwrite(object->fd, data.data(), data.size(), static_cast<off_t>(message.off));
  tools_.complete(object->fd, message.msg_id);
  if (service_ == BadService::twice) tools_.complete(object->fd, message.msg_id);
}

std::shared_ptr<ThreadedDaemon::Object> ThreadedDaemon::find(uint32_t id) {
  const std::lock_guard guard(lock_);
  const auto found = objects_.find(id);
  return found != objects_.end() ? found->second : nullptr;
}

void ThreadedDaemon::forget(uint32_t id) {
  const std::shared_ptr<Object> object = find(id);
  const std::lock_guard guard(lock_);
  const auto found = objects_.find(id);
  if (found != objects_.end() && found->second == object) objects_.erase(found);
}

}  // namespace coldread::faults
