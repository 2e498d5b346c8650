// What durable sets are compared with: a server that takes them in on the shortest way that the
// same libraries allow. libuv, llhttp and simdjson on one thread; RocksDB on another, which writes
// all that waits as one WriteBatch with one sync; a heap of what is due.
//
// The bytes are about ours: the record and the entry of each timer, the headers of the answer. Left
// out is everything else: checks of request, target and limits, tenants, checksums, counters, the
// figures of the store, idempotency keys, looking for what is there already, caches, time-outs, any
// other route, and reading the timers back.

#include <llhttp.h>
#include <simdjson.h>
#include <uv.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/duration.h"
#include "base/id.h"
#include "bench/bare_store.h"
#include "bench/endpoint.h"
#include "bench/event_loop.h"
#include "storage/bytes.h"
#include "storage/keys.h"

namespace belfry {
namespace {

constexpr int kBacklog = 4096;
constexpr size_t kSliceSets = 16;  // handed over before the turn of the loop is done, as ours

class Connection;

struct SetRequest {
  Key key;
  WallMs created;
  std::string url;
  Connection* from = nullptr;
};

WallMs Now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

// As long as a record of storage/record.h.
std::string Record(const SetRequest& set) {
  std::string bytes;
  bytes.reserve(96);
  AppendU8(&bytes, 1);
  AppendU64(&bytes, 0);  // where the checksum is
  AppendU32(&bytes, kLocalTenant);
  AppendVarint(&bytes, set.key.id);
  AppendU32(&bytes, 0);  // state, reason, method, flags
  AppendU64(&bytes, static_cast<uint64_t>(set.key.at.ms));
  AppendZigzag(&bytes, 0);
  AppendZigzag(&bytes, set.created - set.key.at);
  bytes.append(3, '\0');  // finished, attempts, timeout
  AppendString(&bytes, set.url);
  bytes.append(3, '\0');  // headers, body, history
  return bytes;
}

rocksdb::Status Write(BareStore* store, const std::vector<SetRequest>& sets) {
  const std::string entry(22, '\1');  // as long as that of storage/entry.h
  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  for (const SetRequest& set : sets) {
    const ShortKey due = TimeKey(set.key);
    const ShortKey id = IdKey(kLocalTenant, set.key.id);
    if (status.ok()) status = batch.Put(store->due(), std::string_view(due), Record(set));
    if (status.ok()) status = batch.Put(store->ids(), std::string_view(id), entry);
  }
  return status.ok() ? store->Write(&batch) : status;
}

// Its own thread; `wake` is called on it after every group. Submit and Take: any thread.
class GroupCommit {
 public:
  GroupCommit(BareStore& store, std::function<void()> wake)
      : store_(store), wake_(std::move(wake)), thread_([this] { Run(); }) {}
  ~GroupCommit() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    woken_.notify_one();
    thread_.join();
  }

  void Submit(std::vector<SetRequest>* sets) {
    {
      const std::lock_guard lock(mutex_);
      Move(sets, &waiting_);
    }
    woken_.notify_one();
  }

  void Take(std::vector<SetRequest>* stored) {
    const std::lock_guard lock(mutex_);
    Move(&stored_, stored);
  }

 private:
  static void Move(std::vector<SetRequest>* from, std::vector<SetRequest>* to) {
    if (to->empty()) {
      to->swap(*from);
    } else {
      to->insert(to->end(), std::make_move_iterator(from->begin()),
                 std::make_move_iterator(from->end()));
    }
    from->clear();
  }

  void Run() {
    std::vector<SetRequest> group;
    while (true) {
      {
        std::unique_lock lock(mutex_);
        woken_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        group.swap(waiting_);
      }
      const rocksdb::Status status = Write(&store_, group);
      if (!status.ok()) {
        std::fprintf(stderr, "bare_accept: %s\n", status.ToString().c_str());
        std::_Exit(1);
      }
      {
        const std::lock_guard lock(mutex_);
        Move(&group, &stored_);
      }
      wake_();
    }
  }

  BareStore& store_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable woken_;
  std::vector<SetRequest> waiting_;
  std::vector<SetRequest> stored_;
  bool stopping_ = false;
  std::thread thread_;
};

class Server {
 public:
  Server(EventLoop& loop, BareStore& store);
  ~Server();

  [[nodiscard]] int Listen(const Endpoint& endpoint);

 private:
  friend class Connection;

  void Submit();
  void AnswerStored();
  void SetDate();

  EventLoop& loop_;
  UvPtr<uv_tcp_t> listener_{new uv_tcp_t};
  UvPtr<uv_async_t> stored_async_{new uv_async_t};
  UvPtr<uv_check_t> after_poll_{new uv_check_t};
  LoopTimer date_timer_;
  char date_[64] = {};
  simdjson::ondemand::parser json_;
  TimerId last_id_ = 0;
  std::vector<SetRequest> taken_;  // not handed over yet
  std::vector<SetRequest> stored_;
  std::priority_queue<Key, std::vector<Key>, std::greater<>> due_;
  std::unordered_set<Connection*> connections_;
  std::unique_ptr<GroupCommit> commit_;  // ends first
};

// Deletes itself once it is over and nothing of it is being stored.
class Connection {
 public:
  explicit Connection(Server& server) : server_(server) {
    CHECK(uv_tcp_init(server.loop_.get(), tcp_.get()) == 0);
    tcp_->data = this;
    llhttp_init(&parser_, HTTP_REQUEST, &Settings());
    parser_.data = this;
    server_.connections_.insert(this);
  }
  ~Connection() { server_.connections_.erase(this); }

  void Accept() {
    auto* listener = reinterpret_cast<uv_stream_t*>(server_.listener_.get());
    if (uv_accept(listener, stream()) != 0) return End();
    uv_tcp_nodelay(tcp_.get(), 1);
    const auto read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
      auto* self = static_cast<Connection*>(stream->data);
      if (self == nullptr || count == 0) return;
      const auto size = static_cast<size_t>(count);
      if (count < 0 || llhttp_execute(&self->parser_, buffer->base, size) != HPE_OK) self->End();
    };
    if (uv_read_start(stream(), &EventLoop::ReadBuffer, read) != 0) End();
  }

  void Answer(TimerId id) {
    --being_stored_;
    if (ended_) {
      if (being_stored_ == 0) delete this;
      return;
    }
    char body[32];
    const auto number = static_cast<unsigned long long>(id);
    const int body_bytes = std::snprintf(body, sizeof body, "{\"id\":%llu}", number);
    char answer[512];
    const int bytes =
        std::snprintf(answer, sizeof answer,
                      "HTTP/1.1 201 Created\r\nDate: %s\r\n"
                      "Content-Type: application/json\r\nContent-Length: %d\r\n"
                      "X-Request-Id: 00c0ffee-%llx\r\nLocation: /timers/%llu\r\n\r\n%s",
                      server_.date_, body_bytes, number, number, body);
    uv_buf_t buffer = uv_buf_init(answer, static_cast<unsigned>(bytes));
    // A client that does not read its answers is not served further.
    if (uv_try_write(stream(), &buffer, 1) != bytes) End();
  }

 private:
  static const llhttp_settings_t& Settings() {
    static const llhttp_settings_t settings = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_body = [](llhttp_t* parser, const char* at, size_t length) {
        static_cast<Connection*>(parser->data)->body_.append(at, length);
        return 0;
      };
      s.on_message_complete = [](llhttp_t* parser) {
        return static_cast<Connection*>(parser->data)->TakeRequest() ? 0 : 1;
      };
      return s;
    }();
    return settings;
  }

  bool TakeRequest() {
    SetRequest set;
    set.created = Now();
    body_.reserve(body_.size() + simdjson::SIMDJSON_PADDING);
    if (!ReadBody(&set)) return false;
    body_.clear();
    set.key.id = ++server_.last_id_;
    set.from = this;
    ++being_stored_;
    server_.taken_.push_back(std::move(set));
    if (server_.taken_.size() == kSliceSets) server_.Submit();
    return true;
  }

  bool ReadBody(SetRequest* set) {
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    if (server_.json_.iterate(body_.data(), body_.size(), body_.capacity()).get(document) ||
        document.get_object().get(object)) {
      return false;
    }
    int64_t delay_ms = 0;
    for (auto field : object) {
      std::string_view name;
      std::string_view text;
      int64_t count = 0;
      if (field.unescaped_key().get(name)) return false;
      const bool is_text = name == "url" || name == "delay";
      if (is_text ? field.value().get(text) : field.value().get(count)) return false;
      if (name == "url") set->url = text;
      if (name == "delay") delay_ms += ParseDuration(text).value_or(0);
      if (name == "hours") delay_ms += count * kHourMs;
      if (name == "minutes") delay_ms += count * kMinuteMs;
      if (name == "seconds") delay_ms += count * kSecondMs;
    }
    set->key.at = set->created + delay_ms;
    return true;
  }

  void End() {
    ended_ = true;
    tcp_.reset();
    if (being_stored_ == 0) delete this;
  }

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(tcp_.get()); }

  Server& server_;
  UvPtr<uv_tcp_t> tcp_{new uv_tcp_t};
  llhttp_t parser_;
  std::string body_;
  int being_stored_ = 0;
  bool ended_ = false;
};

Server::Server(EventLoop& loop, BareStore& store)
    : loop_(loop), date_timer_(loop, [this] { SetDate(); }) {
  CHECK(uv_tcp_init(loop.get(), listener_.get()) == 0);
  CHECK(uv_async_init(loop.get(), stored_async_.get(), [](uv_async_t* async) {
          if (async->data != nullptr) static_cast<Server*>(async->data)->AnswerStored();
        }) == 0);
  CHECK(uv_check_init(loop.get(), after_poll_.get()) == 0);
  listener_->data = stored_async_->data = after_poll_->data = this;
  uv_check_start(after_poll_.get(), [](uv_check_t* check) {
    if (check->data != nullptr) static_cast<Server*>(check->data)->Submit();
  });
  SetDate();
  date_timer_.Start(kSecondMs, kSecondMs);
  commit_ = std::make_unique<GroupCommit>(
      store, [async = stored_async_.get()] { CHECK(uv_async_send(async) == 0); });
}

Server::~Server() {
  commit_.reset();
  while (!connections_.empty()) delete *connections_.begin();
}

int Server::Listen(const Endpoint& endpoint) {
  const int error = uv_tcp_bind(listener_.get(), endpoint.get(), 0);
  if (error != 0) return error;
  return uv_listen(reinterpret_cast<uv_stream_t*>(listener_.get()), kBacklog,
                   [](uv_stream_t* listener, int status) {
                     auto* self = static_cast<Server*>(listener->data);
                     if (status == 0 && self != nullptr) (new Connection(*self))->Accept();
                   });
}

void Server::Submit() {
  if (!taken_.empty()) commit_->Submit(&taken_);
}

void Server::AnswerStored() {
  commit_->Take(&stored_);
  for (const SetRequest& set : stored_) {
    due_.push(set.key);
    set.from->Answer(set.key.id);
  }
  stored_.clear();
}

void Server::SetDate() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  std::strftime(date_, sizeof date_, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
}

int Serve(const std::string& listen, const std::string& data, BareStore::Log log) {
  const Result<Endpoint> endpoint = ParseEndpoint(listen);
  if (!endpoint.ok()) {
    std::fprintf(stderr, "bare_accept: %s\n", endpoint.status().message().c_str());
    return 2;
  }
  BareStore store;
  if (const rocksdb::Status s = store.Open(data, log); !s.ok()) {
    std::fprintf(stderr, "bare_accept: %s\n", s.ToString().c_str());
    return 1;
  }
  EventLoop loop;
  Server server(loop, store);
  StopSignals stop(loop, [&loop] { loop.Stop(); });
  if (const int error = server.Listen(*endpoint); error != 0) {
    std::fprintf(stderr, "bare_accept: %s: %s\n", listen.c_str(), uv_strerror(error));
    return 1;
  }
  std::fprintf(stderr, "listening on %s\n", listen.c_str());
  loop.Run();
  return 0;
}

}  // namespace
}  // namespace belfry

int main(int argc, char** argv) {
  CLI::App app("The bare path of a durable set: POST {\"delay\" or \"hours\" ..., \"url\"}");
  std::string listen = "127.0.0.1:8080";
  std::string data;
  bool zeroed_log = false;
  app.add_option("--listen", listen, "HOST:PORT")->capture_default_str();
  app.add_option("--data", data, "A directory that is not there yet")->required();
  app.add_flag("--zeroed-log", zeroed_log, "Write zeros ahead of the log, as Belfry does");
  CLI11_PARSE(app, argc, argv);
  using Log = belfry::BareStore::Log;
  return belfry::Serve(listen, data, zeroed_log ? Log::kZeroed : Log::kPlain);
}
