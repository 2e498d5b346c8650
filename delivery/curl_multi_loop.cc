#include "delivery/curl_multi_loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace belfry {
namespace {

// Takes what the peer sent out of the kernel, so that curl's look at the connection sees its end.
void ShutDownIdle(curl_socket_t fd) {
  char bytes[4096];
  for (size_t taken = 0; taken < kResponseHeadBytesMax;) {
    const ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n <= 0) break;
    taken += static_cast<size_t>(n);
  }
  shutdown(fd, SHUT_RDWR);
}

bool IsSocket(curl_socket_t fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

}  // namespace

struct CurlMultiLoop::Poll {
  uv_poll_t handle{};
  CurlMultiLoop* owner = nullptr;
  curl_socket_t fd = CURL_SOCKET_BAD;
  uint64_t generation = 0;
  int events = 0;
  bool idle = false;
  bool lasting = false;  // it was open after a request: CloseSocket will tell of its end

  // libuv makes every uv_poll_start two system calls, hence only for a change.
  void Watch(int wanted) {
    if (wanted == events) return;
    events = wanted;
    if (wanted == 0) {
      uv_poll_stop(&handle);
    } else {
      CHECK(uv_poll_start(&handle, wanted, OnPoll) == 0);
    }
  }

  void ShutDown() {
    Watch(0);
    ShutDownIdle(fd);
  }
};

CurlMultiLoop::CurlMultiLoop(uv_loop_t* loop, size_t connections_max, DoneFn done)
    : loop_(loop),
      connections_max_(static_cast<long>(std::max<size_t>(connections_max, 1))),
      done_(std::move(done)),
      timer_(
          loop,
          [](void* self) {
            static_cast<CurlMultiLoop*>(self)->timed_out_ = true;
            static_cast<CurlMultiLoop*>(self)->RunNow();
          },
          this),
      immediate_(
          loop, [](void* self) { static_cast<CurlMultiLoop*>(self)->RunNow(); }, this) {
  OpenMulti();
}

CurlMultiLoop::~CurlMultiLoop() { CloseMulti(); }

void CurlMultiLoop::OpenMulti() {
  multi_ = curl_multi_init();
  CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  // Beyond this an idle connection is closed for a new one; only if there is none, the new one
  // waits.
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max_);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections_max_);
}

void CurlMultiLoop::CloseMulti() {
  closing_ = true;
  curl_multi_cleanup(multi_);
  while (!polls_.empty()) ClosePoll(polls_.begin()->first);
  timer_.Stop();
  timed_out_ = false;
  closing_ = false;
}

void CurlMultiLoop::DropIdle() {
  if (in_flight_ == 0) {
    CloseMulti();
    OpenMulti();
    return;
  }
  // curl has no call for this. It closes what is dead when it next looks for a connection.
  for (const auto& [fd, poll] : polls_) {
    if (poll->idle) poll->ShutDown();
  }
}

bool CurlMultiLoop::Add(CURL* easy) {
  if (curl_multi_add_handle(multi_, easy) != CURLM_OK) return false;
  ++in_flight_;
  return true;
}

void CurlMultiLoop::Remove(CURL* easy) {
  std::erase(broken_, easy);
  CHECK(curl_multi_remove_handle(multi_, easy) == CURLM_OK);
  --in_flight_;
}

int CurlMultiLoop::OnSocket(CURL* easy, curl_socket_t fd, int what, void* self, void* data) {
  return static_cast<CurlMultiLoop*>(self)->WatchSocket(easy, fd, what, data);
}

int CurlMultiLoop::WatchSocket(CURL* easy, curl_socket_t fd, int what, void* socket_data) {
  if (closing_) return 0;
  const auto found = polls_.find(fd);
  Poll* poll = found == polls_.end() ? nullptr : found->second;
  if (what == CURL_POLL_REMOVE) {
    if (poll != nullptr && reinterpret_cast<uintptr_t>(socket_data) == poll->generation) {
      Rest(poll);
    }
    return 0;
  }
  if (poll == nullptr) poll = OpenPoll(fd);
  if (poll == nullptr) {
    // An error returned here would fail every transfer of the multi.
    broken_.push_back(easy);
    immediate_.Request();
    return 0;
  }
  if (socket_data == nullptr) {
    curl_multi_assign(multi_, fd, reinterpret_cast<void*>(uintptr_t{poll->generation}));
  }
  poll->idle = false;
  poll->Watch(((what & CURL_POLL_IN) ? UV_READABLE : 0) |
              ((what & CURL_POLL_OUT) ? UV_WRITABLE : 0));
  return 0;
}

// curl is done with the socket for now, or for good: one whose connection (TLS included) did not
// come about it closes without CloseSocket (7.88, cf_socket_close), before it says this.
void CurlMultiLoop::Rest(Poll* poll) {
  if (!poll->lasting && !IsSocket(poll->fd)) return ClosePoll(poll->fd);
  poll->lasting = true;
  poll->idle = true;
  poll->Watch(UV_READABLE);
}

CurlMultiLoop::Poll* CurlMultiLoop::OpenPoll(curl_socket_t fd) {
  auto* poll = new Poll;
  if (uv_poll_init(loop_, &poll->handle, fd) != 0) {
    delete poll;
    return nullptr;
  }
  poll->handle.data = poll;
  poll->owner = this;
  poll->fd = fd;
  poll->generation = ++last_generation_;
  polls_[fd] = poll;
  return poll;
}

void CurlMultiLoop::ClosePoll(curl_socket_t fd) {
  const auto found = polls_.find(fd);
  if (found == polls_.end()) return;
  Poll* poll = found->second;
  polls_.erase(found);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll->handle),
           [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
}

int CurlMultiLoop::CloseSocket(void* self, curl_socket_t fd) {
  static_cast<CurlMultiLoop*>(self)->ClosePoll(fd);
  return close(fd);
}

void CurlMultiLoop::OnPoll(uv_poll_t* handle, int status, int events) {
  auto* poll = static_cast<Poll*>(handle->data);
  if (poll->idle) {
    poll->ShutDown();
    return;
  }
  CurlMultiLoop* self = poll->owner;
  const curl_socket_t fd = poll->fd;
  if (status >= 0) {
    self->Act(fd, ((events & UV_READABLE) ? CURL_CSELECT_IN : 0) |
                      ((events & UV_WRITABLE) ? CURL_CSELECT_OUT : 0));
    return;
  }
  // libuv stops a handle on a socket error. An answer may still wait in front of the error, so
  // curl reads; if it wants to go on with this socket, so does the poll.
  const int wanted = std::exchange(poll->events, 0);
  self->Act(fd, CURL_CSELECT_IN | CURL_CSELECT_OUT | CURL_CSELECT_ERR);
  const auto found = self->polls_.find(fd);
  if (found != self->polls_.end() && found->second == poll && !poll->idle && poll->events == 0) {
    poll->Watch(wanted);
  }
}

int CurlMultiLoop::OnTimer(CURLM* /*multi*/, long timeout_ms, void* self) {
  auto* loop = static_cast<CurlMultiLoop*>(self);
  if (loop->closing_) return 0;
  if (timeout_ms < 0) {
    loop->timed_out_ = false;
    loop->timer_.Stop();
  } else if (timeout_ms == 0) {
    loop->timed_out_ = true;
    loop->immediate_.Request();
  } else {
    loop->timed_out_ = false;
    loop->timer_.StartOnce(timeout_ms);
  }
  return 0;
}

void CurlMultiLoop::Act(curl_socket_t fd, int flags) {
  int running = 0;
  CHECK(curl_multi_socket_action(multi_, fd, flags, &running) == CURLM_OK);
  Drain();
}

void CurlMultiLoop::RunNow() {
  FailBroken();
  if (!timed_out_) return;
  timed_out_ = false;
  timer_.Stop();
  Act(CURL_SOCKET_TIMEOUT, 0);
}

void CurlMultiLoop::Drain() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message is gone once its handle leaves the multi.
    CURL* easy = message->easy_handle;
    const CURLcode result = message->data.result;
    Remove(easy);
    done_(easy, result);
  }
}

void CurlMultiLoop::FailBroken() {
  while (!broken_.empty()) {
    CURL* easy = broken_.back();
    Remove(easy);
    done_(easy, CURLE_OUT_OF_MEMORY);
  }
}

}  // namespace belfry
