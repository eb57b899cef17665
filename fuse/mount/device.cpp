// The device as a file of the mount.
#include "fuse/mount/device.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace coldread::fuse {
namespace {

constexpr uint32_t kLargeFile = 0100000;  // O_LARGEFILE, which a 64-bit kernel adds by itself
constexpr size_t kFdInMessage = 16 + 8;   // of cachefiles_open::fd
constexpr uint32_t kDeviceFlags = FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NOFLUSH;
constexpr uint32_t kAnonFlags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH;

// A client that cannot be given a descriptor.
class NoDescriptors final : public DescriptorNumbers {
 public:
  int reserve(uint32_t) override { return -EIO; }
  void put_unused(int) override {}
  void install(int, FileHandle) override {}
};

std::string_view text_of(Request& request) {
  return {reinterpret_cast<const char*>(request.data.current().data()), request.size};
}

// Commands that look from the caller's working directory.
bool names_files(Request& request) {
  const std::string_view text = text_of(request);
  return text.starts_with("cull") || text.starts_with("inuse") || text.starts_with("dir") ||
         text.starts_with("bind");
}

void answer(Request& request, ssize_t result) {
  if (result < 0)
    request.error(static_cast<int>(-result));
  else
    request.written(static_cast<size_t>(result));
}

}  // namespace

// --- the device ---------------------------------------------------------------------------------

Device::Device(Kernel& kernel, std::function<bool(const Request&)> capable)
    : kernel_(kernel),
      capable_(std::move(capable)),
      client_files_(kernel, 3, std::numeric_limits<int>::max()),
      closed_(kernel.scheduler, "the device to be closed") {}

void Device::open(Request& request) {
  Scheduler& scheduler = kernel_.scheduler;
  if (closed_.wait_event_killable([this] { return closing_ == 0; }) != 0) {
    request.error(EINTR);
    return;
  }
  scheduler.current()->capable = capable_(request);
  FileHandle file;
  const int error =
      cachefiles_daemon_open(kernel_, static_cast<uint32_t>(request.flags) | kLargeFile, &file);
  scheduler.current()->capable = true;
  if (error != 0) {
    request.error(-error);
    return;
  }
  file_ = file;
  if (!request.open({0, kDeviceFlags})) close_device();
}

ssize_t Device::read_message(files_struct& files, UserBuffer buffer) {
  if (!file_) return -EBADF;
  const FileHandle file = file_;
  file->count.get();
  kernel_.scheduler.current()->files = &files;
  const ssize_t result = file->ops->read(kernel_, file, buffer);
  fput(kernel_, file);
  return result;
}

void Device::redirect_opens(std::function<bool(uint32_t thread)> redirect) {
  redirect_ = std::move(redirect);
}

bool Device::next_is_open() const {
  const CachefilesHandle opened = cache();
  return opened && cachefiles_in_ondemand_mode(opened) &&
         cachefiles_ondemand_next_is_open(kernel_, opened);
}

void Device::read(Request& request) {
  const std::span<std::byte> out = request.data.get(request.size);
  if (redirect_ && next_is_open()) {
    if (redirect_(request.pid)) return request.error(EINTR);  // which nobody will see
    NoDescriptors none;
    files_struct no_files(kernel_, none);
    const ssize_t got = read_message(no_files, {out.data(), out.size(), false});
    if (got < 0) return request.error(static_cast<int>(-got));
    return request.bytes(out.first(static_cast<size_t>(got)));  // it was another message by then
  }
  const ssize_t got = read_message(client_files_, {out.data(), out.size(), false});
  if (got < 0) {
    request.error(static_cast<int>(-got));
    return;
  }
  const std::span<std::byte> message = out.first(static_cast<size_t>(got));
  uapi::cachefiles_msg header{};
  const bool is_message =
      file_ && cachefiles_in_ondemand_mode(cache()) && message.size() >= sizeof(header);
  if (is_message) std::memcpy(&header, message.data(), sizeof(header));
  if (is_message && header.opcode == CACHEFILES_OP_OPEN) {
    int32_t fd = -1;
    std::memcpy(&fd, message.data() + kFdInMessage, sizeof(fd));
    const FileHandle anon = fget(kernel_, fd);
    close_fd(kernel_, fd);
    find(publish(anon))->announced_ = true;
    const int32_t none = -1;
    std::memcpy(message.data() + kFdInMessage, &none, sizeof(none));
  }
  request.bytes(message);
}

void Device::write(Request& request) {
  if (!file_) {
    request.error(EBADF);
    return;
  }
  const FileHandle file = file_;
  file->count.get();
  Task& task = *kernel_.scheduler.current();
  // In a kernel a dead daemon's descriptors are closed; while one is open its OPEN cannot come
  // again.
  if (text_of(request).starts_with("restore")) {
    close_unclaimed([](const AnonFile& anon) { return anon.announced_; });
    closed_.wait_event([this] { return closing_ == 0; });
  }
  if (working_directory_ && names_files(request)) task.cwd = working_directory_(request.pid);
  const ssize_t result =
      file->ops->write(kernel_, file, {request.data.current().data(), request.size});
  if (const InodeNumber cwd = std::exchange(task.cwd, 0); cwd != 0) kernel_.store.put(cwd);
  fput(kernel_, file);
  answer(request, result);
}

void Device::poll(Request& request) {
  if (!file_) {
    request.poll(POLLERR);
    return;
  }
  if (request.poll_handle != nullptr) {
    forget_poll();
    poll_handle_ = std::move(request.poll_handle);
    poll_queue_ = file_->ops->poll_queue(kernel_, file_);
    poll_queue_->add(poll_entry_);
  }
  request.poll(file_->ops->poll(kernel_, file_));
}

void Device::notify(void* argument) {
  auto& self = *static_cast<Device*>(argument);
  self.poll_handle_->notify();
  self.poll_queue_->add(self.poll_entry_);
}

void Device::forget_poll() {
  if (poll_handle_ == nullptr) return;
  poll_queue_->remove(poll_entry_);
  poll_handle_.reset();
}

void Device::release(Request& request) {
  request.error(0);
  close_device();
}

void Device::close(FileHandle file) {
  closing_++;
  fput(kernel_, file);
  closing_--;
  closed_.wake_up_all();
}

void Device::close_device() {
  if (!file_) return;
  forget_poll();
  const FileHandle file = std::exchange(file_, FileHandle());
  closing_++;
  // What its daemon never opened goes with it.
  close_unclaimed([](const AnonFile&) { return true; });
  close(file);
  closing_--;
  closed_.wake_up_all();
}

void Device::close_all() {
  while (!anon_.empty()) close_anon(*anon_.begin()->second);
  close_device();
}

CachefilesHandle Device::cache() const {
  return file_ ? file_->get_private<cachefiles_cache>() : CachefilesHandle();
}

// --- anonymous files ----------------------------------------------------------------------------

uint32_t Device::publish(FileHandle file) {
  const ObjectHandle object = file->get_private<cachefiles_object>();
  const auto id = static_cast<uint32_t>(object->ondemand->ondemand_id);
  auto node = std::make_shared<AnonFile>(*this, id, file);
  node->inode = kAnonInodes + id;
  table->add(node);
  anon_[id] = std::move(node);
  return id;
}

void Device::withdraw(uint32_t object_id) {
  const std::shared_ptr<AnonFile> anon = find(object_id);
  if (anon && !anon->claimed_) close_anon(*anon);
}

std::shared_ptr<AnonFile> Device::find(uint32_t object_id) const {
  const auto found = anon_.find(object_id);
  return found != anon_.end() ? found->second : nullptr;
}

// Takes it out first: somebody else may look while the file is being released.
void Device::close_anon(AnonFile& anon) {
  const FileHandle file = std::exchange(anon.file_, FileHandle());
  const uint32_t id = anon.object_id_;
  table->remove(anon);
  anon_.erase(id);
  if (file) close(file);
}

// Others may come and go while one is being closed.
void Device::close_unclaimed(bool (*which)(const AnonFile&)) {
  for (auto next = anon_.begin(); next != anon_.end();) {
    AnonFile& anon = *next->second;
    const uint32_t id = next->first;
    if (!anon.claimed_ && which(anon)) close_anon(anon);
    next = anon_.upper_bound(id);
  }
}

FileHandle Device::opened(fuse_ino_t number) const {
  if (number == kDeviceInode) return file_;
  const auto found = anon_.find(static_cast<uint32_t>(number - kAnonInodes));
  return found != anon_.end() ? found->second->file_ : FileHandle();
}

AnonFile::AnonFile(Device& device, uint32_t object_id, FileHandle file)
    : device_(device), object_id_(object_id), file_(file) {}

Attributes AnonFile::attributes() {
  FileAttributes backing;
  if (file_) {
    const ObjectHandle object = file_->get_private<cachefiles_object>();
    if (object->file != 0 && device_.kernel_.store.getattr(object->file, &backing) < 0)
      backing.size = 0;
  }
  return {S_IFREG | 0200, backing.size, 0};
}

void AnonFile::open(Request& request) {
  if ((request.flags & O_ACCMODE) != O_WRONLY) {
    request.error(EACCES);
    return;
  }
  if (!file_) {
    request.error(ENOENT);
    return;
  }
  claimed_ = true;
  opens_++;
  if (!request.open({0, kAnonFlags}) && --opens_ == 0) device_.close_anon(*this);
}

void AnonFile::release(Request& request) {
  request.error(0);
  if (opens_ > 0 && --opens_ == 0) device_.close_anon(*this);
}

void AnonFile::write(Request& request) {
  if (!file_) {
    request.error(EBADF);
    return;
  }
  Kernel& k = device_.kernel_;
  const FileHandle file = file_;
  file->count.get();
  int64_t position = request.offset;
  const ssize_t result =
      file->ops->write_iter(k, file, {request.data.current().data(), request.size}, &position);
  fput(k, file);
  answer(request, result);
}

void AnonFile::lseek(Request& request) {
  if (!file_) {
    request.error(EBADF);
    return;
  }
  Kernel& k = device_.kernel_;
  const FileHandle file = file_;
  file->count.get();
  const int64_t result = file->ops->llseek(k, file, request.offset, request.whence);
  fput(k, file);
  if (result < 0)
    request.error(static_cast<int>(-result));
  else
    request.position(result);
}

void AnonFile::ioctl(Request& request) {
  uint32_t command = request.command;
  uint64_t argument = request.argument;
  if (command == kReadCompleteByValue) {
    command = CACHEFILES_IOC_READ_COMPLETE;
  } else if (const auto data = request.data.current(); data.size() >= sizeof(uint32_t)) {
    uint32_t id = 0;
    std::memcpy(&id, data.data(), sizeof(id));
    argument = id;
  }
  const int64_t result = device_.on_file(inode, [command, argument](Kernel& k, FileHandle file) {
    return file->ops->ioctl(k, file, command, argument);
  });
  if (result < 0)
    request.error(static_cast<int>(-result));
  else
    request.ioctl(static_cast<int>(result));
}

void AnonDirectory::lookup(Request& request) {
  uint32_t id = 0;
  const std::string& name = request.name;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  const bool number = error == std::errc() && end == name.data() + name.size();
  request.node = number ? device_.find(id) : nullptr;
  if (request.node != nullptr)
    table->reply_entry(request, *request.node);
  else
    request.error(ENOENT);
}

std::vector<DirectoryEntry> AnonDirectory::list() {
  std::vector<DirectoryEntry> result;
  for (const auto& [id, anon] : device_.anon_) {
    result.push_back({std::to_string(id), anon->inode, S_IFREG});
  }
  return result;
}

}  // namespace coldread::fuse
