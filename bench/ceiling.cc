#include "bench/ceiling.h"

#include <unistd.h>

#include <utility>

#include "bench/process_cpu.h"

namespace belfry {
namespace {

constexpr int64_t kLookMs = 100;
constexpr uint64_t kFailuresMax = 1000;
constexpr const char* kHeaders[] = {
    "Accept:",
    "Expect:",
    "User-Agent: belfry/0.1.0",
    "webhook-id: xyycjqilcn-1000000",
    "webhook-timestamp: 1795239560",
    "webhook-attempt: 1",
    "webhook-due: 2026-11-21T05:39:20.168Z",
    "Content-Type: application/json",
    "X-Source: billing",
    "X-Customer: c-12345678",
};

size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

}  // namespace

// Stays for as long as its connection: libuv makes every change of a poll two system calls.
struct Ceiling::Poll {
  UvPtr<uv_poll_t> handle{new uv_poll_t};
  Ceiling* owner = nullptr;
  curl_socket_t fd = CURL_SOCKET_BAD;
  int events = 0;
  bool idle = false;

  void Watch(int wanted) {
    if (wanted == events) return;
    events = wanted;
    if (wanted == 0) {
      uv_poll_stop(handle.get());
    } else {
      CHECK(uv_poll_start(handle.get(), wanted, &OnPoll) == 0);
    }
  }
};

Ceiling::Ceiling(EventLoop& loop, CeilingPlan plan)
    : loop_(loop),
      plan_(std::move(plan)),
      multi_((curl_global_init(CURL_GLOBAL_DEFAULT), curl_multi_init())),
      posts_(static_cast<size_t>(plan_.in_flight)),
      timer_(loop_, [this] { Act(CURL_SOCKET_TIMEOUT, 0); }),
      after_poll_(new uv_check_t),
      no_wait_(new uv_idle_t),
      look_timer_(loop_, [this] { Look(); }),
      stop_(loop_, [this] {
        failed_ = IoError("interrupted");
        loop_.Stop();
      }) {
  CHECK(multi_ != nullptr);
  CHECK(uv_check_init(loop_.get(), after_poll_.get()) == 0);
  CHECK(uv_idle_init(loop_.get(), no_wait_.get()) == 0);
  after_poll_->data = this;
  uv_check_start(after_poll_.get(), [](uv_check_t* check) {
    if (check->data != nullptr) static_cast<Ceiling*>(check->data)->ActAtOnce();
  });
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(plan_.in_flight));
  for (const char* header : kHeaders) headers_ = curl_slist_append(headers_, header);
  for (Post& post : posts_) Open(post);
}

Ceiling::~Ceiling() {
  for (Post& post : posts_) {
    curl_multi_remove_handle(multi_, post.easy);
    curl_easy_cleanup(post.easy);
  }
  curl_multi_cleanup(multi_);
  curl_slist_free_all(headers_);
}

void Ceiling::Open(Post& post) {
  post.easy = curl_easy_init();
  CHECK(post.easy != nullptr);
  curl_easy_setopt(post.easy, CURLOPT_PRIVATE, &post);
  curl_easy_setopt(post.easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(post.easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(post.easy, CURLOPT_POST, 1L);
  curl_easy_setopt(post.easy, CURLOPT_POSTFIELDSIZE, 0L);
  curl_easy_setopt(post.easy, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(post.easy, CURLOPT_WRITEFUNCTION, &Discard);
  curl_easy_setopt(post.easy, CURLOPT_CLOSESOCKETFUNCTION, &OnClose);
  curl_easy_setopt(post.easy, CURLOPT_CLOSESOCKETDATA, this);
}

Result<CeilingResult> Ceiling::Run() {
  result_.own_cpu_us = -OwnCpuMicros();
  begun_ns_ = look_ns_ = uv_hrtime();
  look_timer_.Start(kLookMs, kLookMs);
  for (Post& post : posts_) Send(post);
  ActAtOnce();
  if (failed_.ok() && done_ < plan_.count) loop_.Run();
  if (!failed_.ok()) return failed_;
  result_.seconds = static_cast<double>(uv_hrtime() - begun_ns_) / 1e9;
  result_.own_cpu_us += OwnCpuMicros();
  return std::move(result_);
}

void Ceiling::Send(Post& post) {
  if (sent_ == plan_.count) return;
  post.url = plan_.url + "/" + std::to_string(++sent_);
  curl_easy_setopt(post.easy, CURLOPT_URL, post.url.c_str());
  post.sent_ns = uv_hrtime();
  CHECK(curl_multi_add_handle(multi_, post.easy) == CURLM_OK);
}

int Ceiling::OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto* ceiling = static_cast<Ceiling*>(self);
  std::unique_ptr<Poll>& poll = ceiling->polls_[fd];
  if (poll == nullptr) {
    poll = std::make_unique<Poll>();
    poll->owner = ceiling;
    poll->fd = fd;
    CHECK(uv_poll_init(ceiling->loop_.get(), poll->handle.get(), fd) == 0);
    poll->handle->data = poll.get();
  }
  poll->idle = what == CURL_POLL_REMOVE;
  if (poll->idle) return 0;
  poll->Watch(((what & CURL_POLL_IN) ? UV_READABLE : 0) |
              ((what & CURL_POLL_OUT) ? UV_WRITABLE : 0));
  return 0;
}

int Ceiling::OnClose(void* self, curl_socket_t fd) {
  static_cast<Ceiling*>(self)->polls_.erase(fd);
  return close(fd);
}

void Ceiling::OnPoll(uv_poll_t* handle, int status, int events) {
  auto* poll = static_cast<Poll*>(handle->data);
  if (poll == nullptr) return;
  if (status < 0) poll->events = 0;  // libuv stopped it
  if (poll->idle) return poll->Watch(0);
  const int error = status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_ERR : 0;
  poll->owner->Act(poll->fd, ((events & UV_READABLE) ? CURL_CSELECT_IN : 0) |
                                 ((events & UV_WRITABLE) ? CURL_CSELECT_OUT : 0) | error);
}

int Ceiling::OnTimer(CURLM*, long timeout_ms, void* self) {
  auto* ceiling = static_cast<Ceiling*>(self);
  ceiling->at_once_ = timeout_ms == 0;
  if (timeout_ms > 0) {
    ceiling->timer_.Start(timeout_ms, 0);
  } else {
    ceiling->timer_.Stop();
  }
  return 0;
}

void Ceiling::Act(curl_socket_t fd, int flags) {
  int running = 0;
  CHECK(curl_multi_socket_action(multi_, fd, flags, &running) == CURLM_OK);
  Collect();
}

// After all sockets of this loop turn: one call serves every transfer that wants to go on at once.
void Ceiling::ActAtOnce() {
  if (!std::exchange(at_once_, false)) return;
  Act(CURL_SOCKET_TIMEOUT, 0);
  if (at_once_) {
    uv_idle_start(no_wait_.get(), [](uv_idle_t*) {});
  } else {
    uv_idle_stop(no_wait_.get());
  }
}

void Ceiling::Collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message is gone once its handle leaves the multi.
    Done(message->easy_handle, message->data.result);
  }
}

void Ceiling::Done(CURL* easy, CURLcode code) {
  char* mine = nullptr;
  CHECK(curl_easy_getinfo(easy, CURLINFO_PRIVATE, &mine) == CURLE_OK);
  auto* post = reinterpret_cast<Post*>(mine);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK && status >= 200 && status <= 299) {
    ++result_.answered;
    result_.latency_ns.Record(static_cast<int64_t>(uv_hrtime() - post->sent_ns));
  } else {
    const std::string why =
        code == CURLE_OK ? "status " + std::to_string(status) : curl_easy_strerror(code);
    if (++result_.failed[why] >= kFailuresMax && result_.answered == 0) {
      failed_ = IoError("no POST was answered: " + why);
    }
  }
  CHECK(curl_multi_remove_handle(multi_, easy) == CURLM_OK);
  if (++done_ == plan_.count || !failed_.ok()) return loop_.Stop();
  Send(*post);
}

void Ceiling::Look() {
  const uint64_t now_ns = uv_hrtime();
  const double per_second =
      static_cast<double>(done_ - look_count_) * 1e9 / static_cast<double>(now_ns - look_ns_);
  look_ns_ = now_ns;
  look_count_ = done_;
  const auto left = static_cast<double>(plan_.count - done_);
  const int64_t left_ms = per_second > 0 ? static_cast<int64_t>(left / per_second * 1e3) : -1;
  progress_.Show("posting", per_second, left_ms, done_ - result_.answered);
}

}  // namespace belfry
