#include "http/http_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "base/limits.h"

namespace belfry {
namespace {

constexpr int kLockTries = 100;
constexpr int kLockRetryMs = 10;

// A socket address of either family, and how to name it to a person.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  std::string name;
};

Result<Address> TcpAddress(const std::string& host, uint16_t port) {
  Address address;
  address.name = host + ":" + std::to_string(port);
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  if (inet_pton(AF_INET, numeric.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.length = sizeof v4;
  } else if (inet_pton(AF_INET6, numeric.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.length = sizeof v6;
  } else {
    return Invalid("cannot listen on " + address.name + ": the host is not an IP address");
  }
  return address;
}

Result<Address> UnixAddress(const std::string& path) {
  Address address;
  address.name = "unix:" + path;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  if (path.empty() || path.size() >= sizeof local.sun_path) {
    return Invalid("cannot listen on " + address.name + ": the path is empty or too long");
  }
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.c_str(), path.size() + 1);
  address.length = sizeof local;
  return address;
}

Status Failed(const Address& address, const char* what) {
  const std::string reason = std::strerror(errno);
  return IoError("cannot listen on " + address.name + ": " + what + ": " + reason);
}

const sockaddr* Pointer(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

// A daemon that was killed leaves its socket behind. One that still listens keeps it.
Status RemoveStaleSocket(const Address& address, const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return Invalid("cannot listen on " + address.name + ": something else has that name");
  }
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return Failed(address, "socket");
  const bool refused =
      connect(probe, Pointer(address), address.length) != 0 && errno == ECONNREFUSED;
  close(probe);
  if (!refused) return IoError("cannot listen on " + address.name + ": it is in use");
  return unlink(path.c_str()) == 0 ? Status() : Failed(address, "unlink");
}

// While one process looks whether a socket is stale, removes it and listens itself, no other may:
// it would take the new socket, which nobody listens on for a moment, for a stale one.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& path) {
    std::string directory = std::filesystem::path(path).parent_path();
    if (directory.empty()) directory = ".";
    fd_ = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // Without it all else is as it would be: the directory may not be ours to read, and whoever
    // holds its lock for long is not one of us.
    for (int i = 0; fd_ >= 0 && i < kLockTries && flock(fd_, LOCK_EX | LOCK_NB) != 0; ++i) {
      poll(nullptr, 0, kLockRetryMs);
    }
  }
  ~DirectoryLock() {
    if (fd_ >= 0) close(fd_);
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_;
};

// `mode` is that of a Unix socket.
Result<int> BoundSocket(const Address& address, unsigned mode = 0) {
  const int family = address.storage.ss_family;
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Failed(address, "socket");
  const int one = 1;
  if (family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  const char* failed = nullptr;
  if (family == AF_UNIX && fchmod(fd, mode) != 0) {
    failed = "fchmod";
  } else if (bind(fd, Pointer(address), address.length) != 0) {
    failed = "bind";
  } else if (listen(fd, SOMAXCONN) != 0) {
    failed = "listen";
  }
  if (failed == nullptr) return fd;
  Status status = Failed(address, failed);
  close(fd);
  return status;
}

// At bind the umask takes bits off what the socket had; nothing was ever open that should not be.
Result<struct stat> SetMode(const Address& address, const std::string& path, unsigned mode) {
  struct stat info {};
  if (chmod(path.c_str(), mode) != 0) return Failed(address, "chmod");
  if (lstat(path.c_str(), &info) != 0) return Failed(address, "stat");
  return info;
}

Peer PeerOf(const sockaddr_storage& from) {
  Peer peer;
  if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from).sin6_addr;
    std::memcpy(peer.address.data(), &v6, sizeof v6);
  } else if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from).sin_addr;
    peer.address[10] = peer.address[11] = 0xff;
    std::memcpy(&peer.address[12], &v4, sizeof v4);
  } else {
    peer.over_tcp = false;
  }
  return peer;
}

uint16_t PortOf(int fd) {
  Address bound;
  bound.length = sizeof bound.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.length) != 0) return 0;
  // The port lies at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port);
}

}  // namespace

Result<std::unique_ptr<HttpListener>> HttpListener::Tcp(uv_loop_t* loop, const std::string& host,
                                                        uint16_t port, AcceptFn accept) {
  const Result<Address> address = TcpAddress(host, port);
  if (!address.ok()) return address.status();
  const Result<int> fd = BoundSocket(*address);
  if (!fd.ok()) return fd.status();
  std::unique_ptr<HttpListener> made(new HttpListener(loop, *fd, std::move(accept)));
  made->port_ = PortOf(*fd);
  made->Update();
  return made;
}

Result<std::unique_ptr<HttpListener>> HttpListener::Unix(uv_loop_t* loop, const std::string& path,
                                                         unsigned mode, AcceptFn accept) {
  const Result<Address> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  const DirectoryLock lock(path);
  if (Status stale = RemoveStaleSocket(*address, path); !stale.ok()) return stale;
  const Result<int> fd = BoundSocket(*address, mode);
  if (!fd.ok()) return fd.status();
  const Result<struct stat> bound = SetMode(*address, path, mode);
  if (!bound.ok()) {
    close(*fd);
    unlink(path.c_str());
    return bound.status();
  }
  std::unique_ptr<HttpListener> made(new HttpListener(loop, *fd, std::move(accept)));
  made->path_ = path;
  made->device_ = bound->st_dev;
  made->inode_ = bound->st_ino;
  made->Update();
  return made;
}

HttpListener::HttpListener(uv_loop_t* loop, int fd, AcceptFn accept)
    : accept_(std::move(accept)), fd_(fd) {
  CHECK(uv_poll_init(loop, &poll_, fd) == 0);
  CHECK(uv_timer_init(loop, &retry_) == 0);
  poll_.data = retry_.data = this;
}

HttpListener::~HttpListener() { CHECK(closed()); }

void HttpListener::Pause() {
  paused_ = true;
  Update();
}

void HttpListener::Resume() {
  paused_ = false;
  Update();
}

void HttpListener::Update() {
  if (closing_) return;
  if (paused_ || resting_) {
    uv_poll_stop(&poll_);
    return;
  }
  const int error = uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int status, int) {
    auto& self = *static_cast<HttpListener*>(poll->data);
    if (status == 0) {
      self.AcceptSome();
    } else {
      self.Rest();
    }
  });
  CHECK(error == 0);
}

void HttpListener::AcceptSome() {
  for (int i = 0; i < kAcceptsPerTurnMax && !paused_ && !closing_; ++i) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const int fd =
        accept4(fd_, reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      accept_(fd, PeerOf(from));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // What a client did wrong concerns only that client; what this machine lacks may take a while.
    const bool lacking = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (!lacking) continue;
    Rest();
    return;
  }
}

void HttpListener::Rest() {
  resting_ = true;
  Update();
  const auto rested = [](uv_timer_t* timer) {
    auto& self = *static_cast<HttpListener*>(timer->data);
    self.resting_ = false;
    self.Update();
  };
  CHECK(uv_timer_start(&retry_, rested, kAcceptRetryMs, 0) == 0);
}

void HttpListener::Close() {
  if (closing_) return;
  closing_ = true;
  const auto closed = [](uv_handle_t* handle) {
    auto& self = *static_cast<HttpListener*>(handle->data);
    if (handle == reinterpret_cast<uv_handle_t*>(&self.poll_)) close(self.fd_);
    --self.open_handles_;
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&retry_), closed);
  struct stat info {};
  if (path_.empty() || lstat(path_.c_str(), &info) != 0) return;
  if (info.st_dev == device_ && info.st_ino == inode_) unlink(path_.c_str());
}

}  // namespace belfry
