// http_connection.h - one client: reads, feeds the parser, keeps the answers in the order of the
// requests, writes them in batches, and closes in time.
//
// Loop thread only. Owned by its ConnectionOwner from construction until ConnectionClosed; libuv
// holds pointers into it until then.
// Invariants: (1) Every request taken has a slot until its answer is rendered; slots are answered
// in order. (2) Behind an answer that closes nothing is sent. (3) At most kPipelinedRequestsMax
// slots, and nothing is read while they are full or more than kUnsentBytesMax wait to be sent. (4)
// At most one uv_write is under way. (5) A streamed answer is written in the front slot only, and
// its source has room while less than kStreamUnsentBytesMax wait.
//
// Life: open -> (last answer sent) -> half-closed, drained -> closed; or closed at once when the
// client is gone or lets a time-out pass.
#pragma once

#include <uv.h>

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "http/connection_owner.h"
#include "http/message.h"
#include "http/request_parser.h"

namespace belfry {

class HttpConnection {
 public:
  HttpConnection(ConnectionOwner& owner, uint64_t id, const Peer& peer);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Takes over the connected socket `fd`. False: it could not be used and is closed.
  [[nodiscard]] bool Open(uv_loop_t* loop, int fd);

  void Respond(uint64_t sequence, Response response);
  void HoldFurther(uint64_t sequence);
  // A streamed answer, as the Responder says; http_connection_stream.cc.
  [[nodiscard]] bool Begin(uint64_t sequence, Response head, StreamOptions options);
  [[nodiscard]] bool WriteStream(uint64_t sequence, std::string_view bytes);
  void EndStream(uint64_t sequence);
  void CutOff(uint64_t sequence);
  void GiveRoom();          // tells the source of the front slot
  void Flush();             // writes what is rendered
  void Resume();            // goes on with requests that were set aside
  void Tick(bool crowded);  // looks at the time-outs; crowded: the idle make room for others
  void StopTaking();        // takes no further request; closes when nothing is owed
  void Close();             // at once; ConnectionClosed follows from the loop

  [[nodiscard]] uint64_t id() const { return id_; }
  // Every answer was made and handed to the kernel.
  [[nodiscard]] bool settled() const {
    return closing_ || draining_ || (slots_.empty() && !Unsent());
  }

  bool flush_asked = false;  // the owner's marks, so that it asks once
  bool resume_asked = false;
  bool room_asked = false;

 private:
  struct Slot {
    bool safe = true;  // it changes nothing
    bool head_only = false;
    bool http_1_1 = true;
    bool close = false;
    bool holds_further = false;
    std::string request_id;  // "": ours is made when it is needed
    std::string headers;     // what every answer to this request carries
    std::optional<Response> response;
    bool streamed = false;
    StreamOptions stream;        // a source: it writes what follows the head
    bool head_rendered = false;  // and it does
    bool ended = false;          // nothing more follows; perhaps before its turn came
  };
  enum class Wait : uint8_t { kNothing, kIdle, kHead, kBody, kDrain };

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }
  [[nodiscard]] size_t stream_queue_bytes() const {
    return uv_stream_get_write_queue_size(reinterpret_cast<const uv_stream_t*>(&handle_));
  }
  void OnRead(ssize_t count, const uv_buf_t* buffer);
  void OnEnd(bool in_order);
  void Take(std::string_view input);
  void TakeRequest();
  void TakeError(ProblemKind kind, std::string_view detail);
  [[nodiscard]] Slot SlotFor(const Request& request);
  void Keep(Slot& slot, Response response);
  void SendContinue();
  void SetAside(std::string_view input);
  void AccountHeld();
  void RenderReady();
  void RenderFront();
  void PopFront();
  void EndFront();
  // The slot that streams now; null: none does.
  [[nodiscard]] Slot* Streaming();
  [[nodiscard]] size_t UnsentBytes() const;
  void OfferRoom();
  void TellStreamsGone();
  [[nodiscard]] bool StreamsEndlessly() const;
  [[nodiscard]] bool Unsent() const { return !out_.empty() || writing_; }
  // Before `next` is taken, which was read.
  [[nodiscard]] bool MustPause(std::string_view next) const;
  [[nodiscard]] bool Overtakes(std::string_view next) const;
  void SetReading(bool on);
  void Write();
  void OnWritten(int status);
  void BeginDrain();
  void Settle();  // after any event: resume, drain or close, and set the deadline
  void ArmDeadline();
  [[nodiscard]] MonoMs Deadline() const;

  ConnectionOwner& owner_;
  const uint64_t id_;
  const bool over_tcp_;
  union {
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_;
  uv_write_t write_;
  uv_shutdown_t shutdown_;

  RequestParser parser_;
  std::deque<Slot> slots_;
  uint64_t first_sequence_ = 0;  // of slots_.front()
  uint64_t continued_ = 0;       // the message that was sent 100 Continue
  std::string parked_;           // read, not yet parsed
  std::string out_;              // rendered, not yet handed to libuv
  std::string in_write_;         // handed to uv_write
  size_t waiting_bytes_ = 0;     // of answers that wait for their turn
  int64_t held_bytes_ = 0;       // as told to the owner

  bool reading_ = false;
  bool writing_ = false;
  bool taking_ = true;  // further requests are wanted
  bool busy_ = false;   // inside Take: what is rendered goes out at its end
  bool last_rendered_ = false;
  bool room_owed_ = false;   // the source of the front slot waits for room
  bool peer_ended_ = false;  // the client has sent its last byte
  bool draining_ = false;
  bool closing_ = false;
  size_t drained_bytes_ = 0;

  Wait wait_ = Wait::kNothing;
  uint64_t wait_message_ = 0;  // which message the deadline belongs to
  MonoMs deadline_;            // of a body: without what its bytes add
  size_t unsent_seen_ = 0;     // what was unsent when the write deadline was set; 0: no deadline
  MonoMs write_deadline_;
};

}  // namespace belfry
