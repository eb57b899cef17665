// Messages, one after the other, and files behind them.
#include "fuse/mount/blob_daemon.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>

#include "fuse/cached_read.h"
#include "kernelmodel/cachefiles/internal.h"

namespace coldread::fuse {
namespace {

// More is copied on a helper thread, since the others wait meanwhile. Bytes.
constexpr size_t kReadAtOnce = 128 * 1024;

// A file name that leads nowhere else.
bool is_plain(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

// A regular file, for reading, and its size; or a negative errno.
int open_regular(const char* path, uint64_t* size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -errno;
  struct stat attributes = {};
  if (fstat(fd, &attributes) < 0 || !S_ISREG(attributes.st_mode)) {
    close(fd);
    return -ENOENT;
  }
  *size = static_cast<uint64_t>(attributes.st_size);
  return fd;
}

// All of it, with zeros behind the end; false: it could not be read.
bool read_all(int fd, std::span<std::byte> data, uint64_t offset) {
  while (!data.empty()) {
    const ssize_t got = pread(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    data = data.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  std::fill(data.begin(), data.end(), std::byte{0});
  return true;
}

}  // namespace

BlobDaemon::BlobDaemon(Host& host, Kernel& kernel, std::string blobs)
    : host_(host),
      kernel_(kernel),
      blobs_(std::move(blobs)),
      files_(kernel, 3, std::numeric_limits<int>::max()),
      ended_(kernel.scheduler, "the built-in daemon's end") {}

BlobDaemon::~BlobDaemon() {
  for (const auto& [id, object] : objects_)
    if (object.blob >= 0) close(object.blob);
}

int BlobDaemon::start(const std::string& directory) {
  kernel_.scheduler.current()->files = &files_;
  FileHandle file;
  if (const int busy = cachefiles_daemon_open(kernel_, O_RDWR, &file); busy < 0) return busy;
  device_ = get_unused_fd_flags(kernel_, 0);
  fd_install(kernel_, device_, file);
  Reader& first = readers_.emplace_back(Reader{*this, {}, {}, {}, nullptr});
  first.text = "dir " + directory;
  int error = say(&first.text);
  if (error == 0) {
    first.text = "bind ondemand";
    error = say(&first.text);
  }
  if (error < 0) {
    exit_files(kernel_, files_);
    device_ = -1;
    return error;
  }
  while (readers_.size() < kFibers) readers_.emplace_back(Reader{*this, {}, {}, {}, nullptr});
  for (Reader& reader : readers_) {
    serving_++;
    host_.post({[this, &reader] { serve(reader); }, "daemon", 0});
  }
  return 0;
}

void BlobDaemon::stop() {
  if (std::exchange(stopping_, true) || device_ < 0) return;
  for (const Reader& reader : readers_)
    if (reader.task != nullptr) kernel_.scheduler.kill(*reader.task);
  ended_.wait_event([this] { return serving_ == 0; });
  exit_files(kernel_, files_);
}

uint64_t BlobDaemon::fetched(const std::string& object) const {
  const auto found = fetched_.find(object);
  return found != fetched_.end() ? found->second : 0;
}

void BlobDaemon::look_for_blobs() {
  const auto look = [this] {
    offload(host_.disk(), [this] { find_blobs(); });
    return 0;
  };
  host_.tape().ask_for(found_, "blobs", look);
}

// On a helper thread.
void BlobDaemon::find_blobs() {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto files_of = [&](const fs::path& directory, const std::string& volume) {
    for (const fs::directory_entry& entry : fs::directory_iterator(directory, error))
      if (entry.is_regular_file(error)) found_[volume].push_back(entry.path().filename());
    if (found_.contains(volume)) std::sort(found_[volume].begin(), found_[volume].end());
  };
  for (const fs::directory_entry& entry : fs::directory_iterator(blobs_, error))
    if (entry.is_directory(error)) files_of(entry.path(), entry.path().filename());
  if (!found_.contains("blobs")) files_of(blobs_, "blobs");
}

// Writes a command to the device: 0 or a negative errno.
int BlobDaemon::say(std::string* text) {
  const ssize_t ret = sys_write(kernel_, device_, std::as_bytes(std::span(*text)));
  return static_cast<int>(std::min<ssize_t>(ret, 0));
}

void BlobDaemon::serve(Reader& reader) {
  reader.task = kernel_.scheduler.current();
  reader.task->files = &files_;
  while (!stopping_) {
    const std::span<std::byte> room = reader.buffer.get(kMessageBuffer);
    const ssize_t got = sys_read(kernel_, device_, {room.data(), room.size(), false});
    if (got == 0) {
      sys_poll(kernel_, device_, POLLIN, kForever);
    } else if (got > 0) {
      if (auto decoded = player::decode_message(room.first(static_cast<size_t>(got)))) {
        reader.message = std::move(*decoded);
        answer(reader);
      }
    } else if (got == -EIO) {
      break;  // the cache is dead
    }
  }
  reader.task = nullptr;
  serving_--;
  ended_.wake_up_all();
}

void BlobDaemon::answer(Reader& reader) {
  switch (reader.message.opcode) {
    case player::kOpOpen:
      return answer_open(reader);
    case player::kOpRead:
      return answer_read(reader);
    default:
      return answer_close(reader);
  }
}

// Opens the blob of an object: 0, or a negative errno.
int BlobDaemon::open_blob(Reader& reader, Object& object) {
  const auto open = [&] {
    const int fd = find_blob(reader, object);
    if (fd >= 0) object.blob = fd;
    return std::min(fd, 0);
  };
  return host_.tape().ask_for(object.size, "blob", open);
}

// Its descriptor, or a negative errno.
int BlobDaemon::find_blob(Reader& reader, Object& object) {
  const player::Message& message = reader.message;
  const std::string_view key(reinterpret_cast<const char*>(message.cookie_key.data()),
                             message.cookie_key.size());
  if (!is_plain(key)) return -ENOENT;
  uint64_t* const size = &object.size;
  int fd = -ENOENT;
  if (is_plain(message.volume_key)) {
    reader.text = fmt::format("{}/{}/{}", blobs_, message.volume_key, key);
    const char* const path = reader.text.c_str();
    fd = offload(host_.disk(), [path, size] { return open_regular(path, size); });
  }
  if (fd != -ENOENT && fd != -ENOTDIR) return fd;
  reader.text = fmt::format("{}/{}", blobs_, key);
  const char* const path = reader.text.c_str();
  return offload(host_.disk(), [path, size] { return open_regular(path, size); });
}

void BlobDaemon::answer_open(Reader& reader) {
  const player::Message& message = reader.message;
  Object& object = objects_[message.object_id];
  object.fd = message.fd;
  object.users = 1;
  object.name = message.volume_key + "/";
  object.name.append(reinterpret_cast<const char*>(message.cookie_key.data()),
                     message.cookie_key.size());
  const int error = open_blob(reader, object);
  const int64_t size = error < 0 ? error : static_cast<int64_t>(object.size);
  reader.text = fmt::format("copen {},{}", message.msg_id, size);
  if (say(&reader.text) < 0 || error < 0) object.closed = true;
  put(message.object_id);
}

// Writes the wanted range in whole blocks, as far as the blob has any, and completes the READ.
void BlobDaemon::answer_read(Reader& reader) {
  const player::Message& message = reader.message;
  const auto found = objects_.find(message.object_id);
  if (found == objects_.end()) return;
  Object& object = found->second;
  const bool in_order = message.off == std::exchange(object.last_end, message.off + message.length);
  if (leave_to_ahead(object, message)) return;
  object.users++;
  const uint64_t blob_end = round_up(object.size, kPageSize);
  const uint64_t start = std::min(round_down(message.off, kPageSize), blob_end);
  const uint64_t end = message.length < blob_end - start
                           ? std::min(blob_end, round_up(message.off + message.length, kPageSize))
                           : blob_end;
  fill(object, reader.buffer, start, end);
  // Whatever came of it: the reader looks for itself.
  complete(object, message.msg_id);
  if (in_order && end < blob_end) read_ahead(message.object_id, end);
  put(message.object_id);
}

void BlobDaemon::complete(const Object& object, uint32_t msg_id) {
  sys_ioctl(kernel_, object.fd, CACHEFILES_IOC_READ_COMPLETE, msg_id);
}

// From the blob to the cache; false: not all of it.
bool BlobDaemon::fill(Object& object, player::AlignedBuffer& buffer, uint64_t position,
                      uint64_t end) {
  uint64_t& fetched = fetched_[object.name];
  const int blob = object.blob;
  while (position < end) {
    const std::span<std::byte> data = buffer.get(std::min(end - position, kPiece));
    const auto fetch = [&] {
      if (data.size() <= kReadAtOnce && read_cached(blob, data, position)) return true;
      return offload(host_.disk(), [=] { return read_all(blob, data, position); });
    };
    if (!host_.tape().ask("read blob", fetch, position, data.size())) return false;
    const ssize_t written =
        sys_pwrite(kernel_, object.fd, UserData(data), static_cast<int64_t>(position));
    if (written <= 0) return false;
    position += static_cast<uint64_t>(written);
    fetched += static_cast<uint64_t>(written);
  }
  return true;
}

// --- ahead of readers ---------------------------------------------------------------------------

// Whether the READ is completed by who fills ahead, who then has further to go.
bool BlobDaemon::leave_to_ahead(Object& object, const player::Message& message) {
  Ahead& ahead = object.ahead;
  if (!ahead.running || message.off < ahead.position || message.off >= ahead.end) return false;
  const uint64_t end = message.off + message.length;
  const uint64_t blob_end = round_up(object.size, kPageSize);
  ahead.end = std::max(ahead.end, std::min(blob_end, end + kAhead));
  ahead.waiting.push_back({std::min(end, blob_end), message.msg_id});
  return true;
}

void BlobDaemon::complete_filled(Object& object) {
  Ahead& ahead = object.ahead;
  for (size_t i = 0; i < ahead.waiting.size();) {
    const Waiting waiting = ahead.waiting[i];
    if (waiting.end > ahead.position) {
      i++;
      continue;
    }
    ahead.waiting.erase(ahead.waiting.begin() + static_cast<ptrdiff_t>(i));
    complete(object, waiting.msg_id);
    i = 0;  // others may have come meanwhile
  }
}

void BlobDaemon::read_ahead(uint32_t id, uint64_t from) {
  Object& object = objects_.find(id)->second;
  Ahead& ahead = object.ahead;
  if (ahead.running || stopping_) return;
  ahead.running = true;
  ahead.position = from;
  ahead.end = std::min(round_up(object.size, kPageSize), from + kAhead);
  object.users++;
  serving_++;
  host_.post({[this, id] { fill_ahead(id); }, "daemon", 0});
}

// What is in the cache stays as it is.
void BlobDaemon::fill_ahead(uint32_t id) {
  kernel_.scheduler.current()->files = &files_;
  Object& object = objects_.find(id)->second;
  Ahead& ahead = object.ahead;
  while (ahead.position < ahead.end && !stopping_ && !object.closed) {
    const auto position = static_cast<int64_t>(ahead.position);
    const int64_t hole = sys_lseek(kernel_, object.fd, position, SEEK_HOLE);
    if (hole < 0) break;
    if (hole > position) {
      ahead.position = std::min(ahead.end, static_cast<uint64_t>(hole));
    } else {
      const int64_t data = sys_lseek(kernel_, object.fd, position, SEEK_DATA);
      const uint64_t hole_end = data < 0 ? ahead.end : static_cast<uint64_t>(data);
      const uint64_t end = std::min({ahead.end, hole_end, ahead.position + kPiece});
      if (!fill(object, ahead.buffer, ahead.position, end)) break;
      ahead.position = end;
    }
    complete_filled(object);
  }
  ahead.running = false;
  ahead.buffer = {};
  // After a failure: who still waits looks for themselves.
  ahead.position = ahead.end;
  complete_filled(object);
  put(id);
  serving_--;
  ended_.wake_up_all();
}

void BlobDaemon::answer_close(Reader& reader) {
  const auto found = objects_.find(reader.message.object_id);
  if (found == objects_.end()) return;
  found->second.users++;
  found->second.closed = true;
  put(reader.message.object_id);
}

// Ends a use of the object; the last one, once it is closed, closes its files.
void BlobDaemon::put(uint32_t id) {
  const auto found = objects_.find(id);
  Object& object = found->second;
  if (--object.users > 0 || !object.closed) return;
  const int fd = object.fd;
  const int blob = object.blob;
  objects_.erase(found);
  close_fd(kernel_, fd);
  const auto forget = [&] {
    if (blob >= 0) offload(host_.disk(), [blob] { close(blob); });
    return true;
  };
  host_.tape().ask("close blob", forget);
}

}  // namespace coldread::fuse
