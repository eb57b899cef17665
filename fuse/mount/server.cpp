// The tree, and requests on their way through it.
#include "fuse/mount/server.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "fuse/host/caller.h"
#include "fuse/mount/error_injection.h"
#include "fuse/mount/kmsg.h"
#include "fuse/mount/netfs_file.h"
#include "fuse/mount/request_record.h"
#include "fuse/mount/text_files.h"
#include "kernelmodel/fscache/proc.h"

namespace coldread::fuse {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Visits (request, message id, nobody has read it) for all that daemons have not answered.
template <typename Visit>
void for_each_message(Kernel& kernel, Visit visit) {
  kernel.cachefiles.cache_pool.for_each_live([&](CachefilesHandle cache) {
    XArray<cachefiles_req>::Cursor cursor(cache->reqs);
    for (cachefiles_req* req = cursor.find(UINT64_MAX); req != nullptr;
         req = cursor.next(UINT64_MAX))
      visit(*req, cursor.index(), cursor.get_mark(CACHEFILES_REQ_NEW));
  });
}

std::string path_of(ObjectHandle object) {
  const std::span<const std::byte> key = object->cookie->key_bytes();
  return fmt::format("volumes/{}/{}", object->volume->vcookie->key_text(),
                     std::string_view(reinterpret_cast<const char*>(key.data()), key.size()));
}

// The id of the message that has to be answered before the request goes on: the one it has sent
// itself, or the OPEN that a worker sent for its file; "-": none.
std::string message_of(Kernel& kernel, const Request& request) {
  std::string found = "-";
  const std::string path = request.node != nullptr ? request.node->path() : "";
  for_each_message(kernel, [&](const cachefiles_req& req, uint64_t id, bool) {
    const bool opens = req.msg.opcode == CACHEFILES_OP_OPEN && path_of(req.object) == path;
    if (opens || req.done.waited_for_by(*request.task)) found = std::to_string(id);
  });
  return found;
}

}  // namespace

Server::Server(Host& host, Kernel& kernel, KernelLog& log)
    : host_(host),
      kernel_(kernel),
      log_(log),
      nodes_(std::make_shared<NodeTable>(geteuid(), getegid())),
      session_(
          host, [this](std::unique_ptr<Request> request) { submit(std::move(request)); },
          [this](uint64_t serial) { interrupted(serial); }) {
  build_tree();
}

std::shared_ptr<Device> Server::make_device() {
  // A server that is not root's serves nobody but its user, who may use the device.
  const bool root = geteuid() == 0;
  return std::make_shared<Device>(kernel_, [this, root](const Request& request) {
    const uint32_t pid = request.pid;
    return host_.tape().ask(
        "administrates",
        [&] { return !root || offload(host_.errands(), [pid] { return may_administrate(pid); }); },
        pid);
  });
}

std::shared_ptr<FixedDirectory> Server::make_directory() {
  auto made = std::make_shared<FixedDirectory>();
  nodes_->add(made);
  return made;
}

std::shared_ptr<FixedDirectory> Server::make_fscache_directory() {
  auto fscache = make_directory();
  for (const char* name : {"caches", "cookies", "stats", "volumes", "requests"}) {
    if (name == std::string_view("requests") && !kernel_.profile.has(Change::proc_fscache_moved))
      continue;
    auto file = std::make_shared<TextFile>(
        [this, name](std::string* text) { return fscache_proc_read(kernel_, name, text); });
    nodes_->add(file);
    fscache->add(name, std::move(file));
  }
  return fscache;
}

// A recording names files by inode number, which is their order here: new ones get a number kept
// for them (kMountInode).
void Server::build_tree() {
  device_ = make_device();
  volumes_ = std::make_shared<Volumes>(kernel_, counts_);
  volumes_->on_new_size([this](fuse_ino_t inode) { session_.forget_attributes(inode); });
  auto top = std::make_shared<FixedDirectory>();
  top->inode = FUSE_ROOT_ID;
  nodes_->add(top);
  device_->inode = kDeviceInode;
  auto anon = std::make_shared<AnonDirectory>(*device_);
  auto netfs = std::make_shared<NetfsFile>(kernel_, host_.errands(), host_.tape());
  auto injection = std::make_shared<ErrorInjection>(kernel_);
  auto trace_pipe = std::make_shared<TracePipe>(kernel_.scheduler, log_);
  auto requests =
      std::make_shared<TextFile>([this](std::string* text) { return list_requests(text); });
  images_ = std::make_unique<ErofsMounts>(
      host_, kernel_, counts_,
      [this](std::unique_ptr<Request> request) { submit(std::move(request)); },
      [this](uint64_t serial) { interrupted(serial); });
  for (const std::shared_ptr<Node>& node : std::initializer_list<std::shared_ptr<Node>>{
           device_, anon, netfs, injection, volumes_, trace_pipe, requests})
    nodes_->add(node);

  const auto fscache = make_fscache_directory();
  auto mount = std::make_shared<MountFile>(*images_);
  auto kmsg = std::make_shared<Kmsg>(kernel_.scheduler, log_);
  const auto dev = make_directory(), proc = make_directory(), fs = make_directory();
  const auto sys = make_directory(), cachefiles = make_directory();
  cachefiles->add("error_injection", std::move(injection));
  sys->add("cachefiles", cachefiles);
  proc->add("sys", sys);
  fs->add("fscache", fscache);
  proc->add("fs", fs);
  dev->add("anon", std::move(anon));
  dev->add("cachefiles", device_);
  dev->add("coldread_netfs", std::move(netfs));
  kmsg->inode = kKmsgInode;
  nodes_->add(kmsg);
  dev->add("kmsg", std::move(kmsg));
  top->add("dev", dev);
  top->add("proc", proc);
  top->add("requests", std::move(requests));
  top->add("trace_pipe", std::move(trace_pipe));
  top->add("volumes", volumes_);
  mount->inode = kMountInode;
  nodes_->add(mount);
  top->add("mount", std::move(mount));
}

Status Server::start(const std::string& mountpoint, std::function<void()> on_end) {
  mountpoint_ = mountpoint;
  on_end_ = std::move(on_end);
  const auto end = [this] {
    if (on_end_) on_end_();
  };
  host_.on_broken([this, end](const sim::RunEnd& run_end) {
    broken_ = fmt::format("{}: {} (task {})", report_kind_name(run_end.report), run_end.text,
                          run_end.task);
    // No fiber runs any more, so nobody else would answer.
    disconnect();
    end();
  });
  Status mounted = session_.mount(mountpoint);
  if (!mounted) return mounted;
  session_.begin(end);
  started_ = true;
  host_.start();
  return Nothing{};
}

void Server::use_working_directories(std::function<InodeNumber(uint32_t pid)> of) {
  device_->use_working_directories([this, of = std::move(of)](uint32_t pid) {
    return host_.tape().ask(
        "working directory", [&] { return of(pid); }, pid);
  });
}

Job Server::serving_blobs(const std::string& cache_directory, const std::string& blobs,
                          std::shared_ptr<int> error) {
  Job job{[this, cache_directory, blobs, error = std::move(error)] {
    *error = serve_blobs(cache_directory, blobs);
  }};
  job.record = members_of(
      {{"in", "serve blobs"}, {"cache", name_json(cache_directory)}, {"blobs", name_json(blobs)}});
  return job;
}

Job Server::reporting(std::shared_ptr<std::string> text) {
  Job job{[this, text = std::move(text)] { *text = report(); }};
  job.record = members_of({{"in", "report"}});
  return job;
}

Job Server::shutting_down() {
  Job job{[this] { shut_down(); }};
  job.record = members_of({{"in", "stop"}});
  return job;
}

int Server::serve_blobs(const std::string& cache_directory, const std::string& blobs) {
  daemon_ = std::make_unique<BlobDaemon>(host_, kernel_, blobs);
  if (const int error = daemon_->start(cache_directory); error < 0) return error;
  daemon_->look_for_blobs();
  for (const auto& [volume, names] : daemon_->blobs()) {
    const std::shared_ptr<Volume> made = volumes_->make(volume);
    if (!made) continue;
    made->offer(names);
    host_.post([made] { made->acquire(); });
  }
  return 0;
}

// --- requests -----------------------------------------------------------------------------------

Request* Server::find(uint64_t serial) const {
  const auto found = requests_.find(serial);
  return found != requests_.end() ? found->second.get() : nullptr;
}

void Server::submit(std::unique_ptr<Request> request) {
  request->serial = last_serial_ + 1;
  Session::watch_signals(*request);
  const std::string caller = log_.enabled() ? command_of(request->pid) : "reader";
  submit(std::move(request), caller);
}

void Server::submit(std::unique_ptr<Request> request, const std::string& caller) {
  const uint64_t serial = ++last_serial_;
  request->serial = serial;
  request->since = kernel_.scheduler.now();
  request->tape = &host_.tape();
  if (request->nodes == nullptr) request->nodes = nodes_;
  if (request->poll_handle != nullptr) request->poll_handle->use(host_.tape());
  Job job{[this, serial] { serve(serial); }, caller, request->pid};
  if (host_.tape().on()) job.record = record_of(*request, caller);
  requests_[serial] = std::move(request);
  if (!host_.post(std::move(job))) requests_.erase(serial);  // which answers it
}

void Server::serve(uint64_t serial) {
  Request& request = *find(serial);
  request.task = kernel_.scheduler.current();
  request.node = request.nodes->find(request.ino);
  if (request.node != nullptr)
    (request.node.get()->*request.handler)(request);
  else if (request.handler == &Node::forget)
    request.nothing();
  else
    request.error(ENOENT);
  requests_.erase(serial);
}

// The job is posted behind the request's own, so that has begun.
void Server::interrupted(uint64_t serial) {
  Job job{[this, serial] { look_after_signals(serial); }};
  if (host_.tape().on()) job.record = members_of({{"in", "signal"}, {"call", serial}});
  host_.post(std::move(job));
}

// FUSE tells of the first signal alone: until the request is answered somebody looks for a fatal
// one.
void Server::look_after_signals(uint64_t serial) {
  Request* request = find(serial);
  if (request == nullptr || request->interrupted) return;
  request->interrupted = true;
  const uint32_t pid = request->pid;
  for (milliseconds pause(10);; pause = std::min(2 * pause, milliseconds(1000))) {
    const auto look = [&] {
      return offload(host_.errands(), [pid] { return fatal_signal_pending(pid); });
    };
    const bool fatal = host_.tape().ask("fatal signal", look, pid);
    request = find(serial);
    if (request == nullptr || request->task == nullptr) return;
    if (fatal) {
      kernel_.scheduler.kill(*request->task);
      return;
    }
    if (pause == milliseconds(10)) signal_wake_up(kernel_, *request->task);
    host_.sleep(pause);
    if (find(serial) == nullptr) return;
  }
}

int Server::list_requests(std::string* text) {
  *text += fmt::format("{:>7} {:<15} {:<9} {:>12} {:>9} {:>9} {:>8}  {:<32} {}\n", "PID", "COMMAND",
                       "CALL", "OFFSET", "LENGTH", "SECONDS", "MESSAGE", "WAITS FOR", "FILE");
  const TimeNs now = kernel_.scheduler.now();
  for (const auto& [serial, request] : requests_) {
    if (request->task == nullptr || request->task->state != TaskState::waiting) continue;
    const WaitReason& reason = request->task->waiting;
    const uint32_t pid = request->pid;
    *text +=
        fmt::format("{:>7} {:<15} {:<9} {:>12} {:>9} {:>9.3f} {:>8}  {:<32} {}\n", pid,
                    printable(host_.tape().ask(
                        "command", [pid] { return command_of(pid); }, pid)),
                    request->operation, request->offset, request->size,
                    static_cast<double>(now - request->since) / 1e9, message_of(kernel_, *request),
                    fmt::format("{} {}", reason.kind, reason.name),
                    request->node != nullptr ? printable(request->node->path()) : "");
  }
  *text += fmt::format("\n{:>10} {:<7} {:>10} {:<10} {:>12} {:>9}  {}\n", "ID", "MESSAGE", "OBJECT",
                       "STATE", "OFFSET", "LENGTH", "FILE");
  for_each_message(kernel_, [&](const cachefiles_req& req, uint64_t id, bool unread) {
    constexpr const char* kNames[] = {"OPEN", "CLOSE", "READ"};
    const bool read = req.msg.opcode == CACHEFILES_OP_READ;
    *text += fmt::format("{:>10} {:<7} {:>10} {:<10} {:>12} {:>9}  {}\n", id,
                         kNames[std::min<uint32_t>(req.msg.opcode, 2)],
                         req.object->ondemand->ondemand_id, unread ? "unread" : "delivered",
                         read ? req.msg.read.off : 0, read ? req.msg.read.len : 0,
                         printable(path_of(req.object)));
  });
  return 0;
}

std::vector<std::string> Server::waiting() const {
  std::map<uint64_t, std::string> lines;  // in order of arrival
  for (const auto& [serial, request] : requests_) {
    if (request->answered() || request->task == nullptr ||
        request->task->state != TaskState::waiting)
      continue;
    const WaitReason& reason = request->task->waiting;
    // These go on without anybody's help, or wait for news and not for an answer.
    if (reason.kind == kWaitsForHelper.kind || std::string_view(reason.kind) == "trace") continue;
    lines[serial] = fmt::format(
        "{}-{} waits: {} {}: {} of {}, offset {}, {} bytes, for {:.6f} s", request->task->name,
        request->pid, reason.kind, reason.name, request->operation,
        request->node != nullptr ? request->node->path() : "?", request->offset, request->size,
        static_cast<double>(kernel_.scheduler.now() - request->since) / 1e9);
  }
  std::vector<std::string> result;
  for (auto& [serial, line] : lines) result.push_back(std::move(line));
  return result;
}

std::string Server::report() const {
  std::string text = fmt::format("{:>10} {:>10} {:>10} {:>14} {:>14} {:>14}  {}\n", "hits",
                                 "misses", "holes", "read", "fetched", "of", "object");
  for (const auto& [name, counts] : counts_) {
    // What another daemon fetches it alone knows.
    const std::string fetched = daemon_ ? std::to_string(daemon_->fetched(name)) : "-";
    text += fmt::format("{:>10} {:>10} {:>10} {:>14} {:>14} {:>14}  {}{}\n", counts->hits,
                        counts->misses, counts->holes, counts->bytes, fetched, counts->size,
                        printable(name),
                        counts->errors != 0 ? fmt::format(" ({} errors)", counts->errors) : "");
  }
  return text;
}

// --- the end ------------------------------------------------------------------------------------

bool Server::wait_until_quiet(milliseconds at_most, const std::function<bool()>& quiet) {
  const TimeNs deadline = kernel_.scheduler.now() + static_cast<TimeNs>(at_most.count()) * kNsPerMs;
  while (!quiet()) {
    if (kernel_.scheduler.now() >= deadline) return false;
    host_.sleep(milliseconds(2));
  }
  return true;
}

void Server::shut_down() {
  session_.stop_reading();
  images_->stop_reading();
  if (daemon_) daemon_->stop();
  device_->close_all();
  for (const auto& [serial, request] : requests_)
    if (request->task != nullptr) kernel_.scheduler.kill(*request->task);
  // A reader that goes on must not find its cookie gone.
  if (!wait_until_quiet(seconds(3), [this] { return requests_.empty(); })) return;
  images_->unmount_all();
  volumes_->relinquish_all();
  wait_until_quiet(seconds(3), [this] {
    return kernel_.fscache.cookie_pool.live() == 0 && kernel_.fscache.volume_pool.live() == 0 &&
           kernel_.cachefiles.cache_pool.live() == 0;
  });
}

// Helpers may still be at work on requests, which therefore stay.
void Server::disconnect() {
  for (const auto& [serial, request] : requests_) request->error(ENOTCONN);
  session_.close();
  images_->disconnect();
}

void Server::stop() {
  if (!started_) return;
  started_ = false;
  host_.call(shutting_down(), seconds(10));
  host_.stop([this] { disconnect(); });
  requests_.clear();
}

}  // namespace coldread::fuse
