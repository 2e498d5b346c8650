// The part of HttpConnection that writes answers bit by bit; http_connection.cc has the rest.
#include <array>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "http/http_connection.h"

namespace belfry {
namespace {

void AppendChunk(std::string& out, std::string_view bytes) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16);
  out.append(digits.data(), end.ptr).append("\r\n").append(bytes).append("\r\n");
}

}  // namespace

HttpConnection::Slot* HttpConnection::Streaming() {
  return !slots_.empty() && slots_.front().head_rendered ? &slots_.front() : nullptr;
}

bool HttpConnection::StreamsEndlessly() const {
  return !slots_.empty() && slots_.front().head_rendered && slots_.front().stream.endless;
}

bool HttpConnection::Begin(uint64_t sequence, Response head, StreamOptions options) {
  CHECK(head.body.empty() && options.source != nullptr);
  const uint64_t index = sequence - first_sequence_;
  if (closing_ || index >= slots_.size()) return false;
  Slot& slot = slots_[index];
  const bool head_only = slot.head_only;
  slot.streamed = true;
  if (!head_only) slot.stream = options;
  // Nothing of a further one could be answered before this one ends.
  slot.holds_further = true;
  Keep(slot, std::move(head));
  if (index == 0) RenderReady();
  if (!busy_) owner_.FlushSoon(*this);
  return !head_only;
}

bool HttpConnection::WriteStream(uint64_t sequence, std::string_view bytes) {
  Slot* const slot = Streaming();
  if (closing_ || slot == nullptr || sequence != first_sequence_) return false;
  if (slot->http_1_1) {
    AppendChunk(out_, bytes);
  } else {
    out_.append(bytes);
  }
  owner_.FlushSoon(*this);
  room_owed_ = UnsentBytes() >= kStreamUnsentBytesMax;
  return !room_owed_;
}

void HttpConnection::EndStream(uint64_t sequence) {
  const uint64_t index = sequence - first_sequence_;
  if (closing_ || index >= slots_.size() || slots_[index].stream.source == nullptr) return;
  Slot& slot = slots_[index];
  slot.stream = {};
  slot.ended = true;
  if (!slot.head_rendered) return;  // its turn has not come
  room_owed_ = false;
  EndFront();
  RenderReady();
  owner_.FlushSoon(*this);
}

void HttpConnection::EndFront() {
  if (slots_.front().ended && slots_.front().http_1_1) out_.append("0\r\n\r\n");
  PopFront();
}

void HttpConnection::CutOff(uint64_t sequence) {
  const uint64_t index = sequence - first_sequence_;
  if (closing_ || index >= slots_.size()) return;
  slots_[index].stream = {};
  Close();
}

void HttpConnection::OfferRoom() {
  if (Streaming() != nullptr && UnsentBytes() < kStreamUnsentBytesMax) owner_.RoomSoon(*this);
}

void HttpConnection::GiveRoom() {
  room_asked = false;
  Slot* const slot = Streaming();
  if (closing_ || slot == nullptr || !std::exchange(room_owed_, false)) return;
  slot->stream.source->HasRoom(slot->stream.stream);
}

void HttpConnection::TellStreamsGone() {
  for (Slot& slot : slots_) {
    const StreamOptions stream = std::exchange(slot.stream, {});
    if (stream.source != nullptr) stream.source->Gone(stream.stream);
  }
}

}  // namespace belfry
