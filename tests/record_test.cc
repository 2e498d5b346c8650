#include "storage/record.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "base/limits.h"
#include "storage/checksum.h"
#include "storage/entry.h"
#include "storage/keys.h"
#include "tests/support/store_files.h"

namespace belfry {
namespace {

// Every member differs from its default.
Timer FullTimer() {
  Timer t;
  t.id = 0x1234567890;
  t.tenant = 77;
  t.state = TimerState::kRetrying;
  t.due = {1'800'000'000'000};
  t.next_attempt = {1'800'000'005'000};
  t.created_at = {1'799'999'000'000};
  t.attempts = 2;
  t.method = Method::kPut;
  t.append_id = false;
  t.timeout_ms = 2500;
  t.url = "https://example.com/p?x=1";
  t.headers = {{"X-One", "1"}, {"x-empty", ""}};
  t.body = std::string("bytes\0with a zero", 17);
  t.retry = RetryPolicy{5, {1000, 2000}, 10, 100, 1.5, 0.25};
  t.history = {{{1'800'000'000'001}, 503, 12, ""}, {{1'800'000'002'000}, 0, 15'000, "timeout"}};
  return t;
}

Timer DeadTimer() {
  Timer t = FullTimer();
  t.state = TimerState::kDead;
  t.reason = DeadReason::kGone;
  t.finished = {1'800'000'006'000};
  return t;
}

// What version 2 knows and version 1 did not.
Timer WishfulTimer() {
  Timer t = FullTimer();
  t.attempts_base = 1;
  t.replayed_at = {1'800'000'004'000};
  t.max_lateness_ms = 90'000;
  t.on_late = OnLate::kDeadLetter;
  t.callbacks = {{CallbackOn::kFailure, "http://f/x"}, {CallbackOn::kSuccess, "https://s"}};
  return t;
}

Timer SmallTimer() {
  Timer t;
  t.id = 1;
  t.url = "http://h";
  return t;
}

Timer DroppedTimer() {
  Timer t = SmallTimer();
  t.state = TimerState::kCancelled;
  t.reason = DeadReason::kExpired;
  t.finished = {5};
  t.max_lateness_ms = 1;
  t.on_late = OnLate::kDrop;
  return t;
}

std::string MustEncode(std::string_view key, const Timer& timer) {
  std::string out;
  const Status s = EncodeTimer(key, timer, &out);
  EXPECT_TRUE(s.ok()) << s.message();
  return out;
}

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const unsigned char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", c);
    out += two;
  }
  return out;
}

std::string FromHex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

const std::string kKey(TimeKey({{1'800'000'005'000}, 0x1234567890}));

TEST(Record, ComesBackAsItWas) {
  for (const Timer& timer :
       {FullTimer(), DeadTimer(), SmallTimer(), WishfulTimer(), DroppedTimer()}) {
    const Result<TimerPtr> back = DecodeTimer(kKey, MustEncode(kKey, timer));
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(**back, timer);
  }
}

TEST(Record, TheGreatestTimerComesBack) {
  Timer t = FullTimer();
  t.id = ~TimerId{0};
  t.due = t.next_attempt = t.created_at = kWallMax;
  t.url.assign(kUrlBytesMax, 'u');
  t.body.assign(kBodyBytesMax, '\xff');
  t.headers.assign(kHeadersMax, {"n", "v"});
  t.retry->schedule_ms.assign(kScheduleMax, kRetryDelayMsMax);
  t.history.assign(kHistoryMax, {kWallMax, -1, -5, std::string(kErrorBytesMax, 'e')});
  t.attempts = ~uint32_t{0};
  t.attempts_base = t.attempts - kAttemptsMax;
  t.replayed_at = kWallMax;
  t.max_lateness_ms = kMaxLatenessMsMax;
  t.on_late = OnLate::kDrop;
  t.callbacks = {{CallbackOn::kSuccess, t.url}, {CallbackOn::kFailure, t.url}};
  EXPECT_EQ(**DecodeTimer(kKey, MustEncode(kKey, t)), t);
}

TEST(Record, EveryTruncationIsAnError) {
  const std::string record = MustEncode(kKey, WishfulTimer());
  for (size_t size = 0; size < record.size(); ++size) {
    const std::string_view cut = std::string_view(record).substr(0, size);
    EXPECT_EQ(DecodeTimer(kKey, cut).status().code(), StatusCode::kCorruption) << size;
    EXPECT_FALSE(RecordUrl(kKey, cut).ok());
    EXPECT_FALSE(RecordTenant(kKey, cut).ok()) << size;
  }
  EXPECT_FALSE(DecodeTimer(kKey, record + '\0').ok());
}

TEST(Record, EveryFlippedBitIsAnError) {
  const std::string record = MustEncode(kKey, WishfulTimer());
  for (size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string damaged = record;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(DecodeTimer(kKey, damaged).status().code(), StatusCode::kCorruption) << bit;
    EXPECT_FALSE(RecordUrl(kKey, damaged).ok());
    EXPECT_FALSE(RecordTenant(kKey, damaged).ok()) << bit;
  }
}

TEST(Record, EveryReplacedByteIsAnError) {
  const std::string record = MustEncode(kKey, SmallTimer());
  for (size_t i = 0; i < record.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string damaged = record;
      damaged[i] = static_cast<char>(value);
      if (damaged == record) continue;
      EXPECT_FALSE(DecodeTimer(kKey, damaged).ok()) << i << " = " << value;
    }
  }
}

TEST(Record, UnderAnotherKeyIsAnError) {
  const std::string record = MustEncode(kKey, FullTimer());
  EXPECT_FALSE(DecodeTimer(TimeKey({{1'800'000'005'001}, 0x1234567890}), record).ok());
  EXPECT_FALSE(DecodeTimer(kKey.substr(1), record).ok());
  EXPECT_FALSE(DecodeTimer("", record).ok());
}

TEST(Record, RandomBytesAreAnError) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (!bytes.empty()) bytes[0] = static_cast<char>(kRecordVersion);
    EXPECT_FALSE(DecodeTimer(kKey, bytes).ok());
  }
}

TEST(Record, ATimerThatIsNotValidIsNotEncoded) {
  Timer t = SmallTimer();
  t.url.clear();
  std::string out;
  EXPECT_EQ(EncodeTimer(kKey, t, &out).code(), StatusCode::kInvalid);
  t = SmallTimer();
  t.method = static_cast<Method>(9);
  EXPECT_EQ(EncodeTimer(kKey, t, &out).code(), StatusCode::kInvalid);
}

TEST(Record, TheTenantAndTheUrlCanBeReadAlone) {
  EXPECT_EQ(*RecordTenant(kKey, MustEncode(kKey, FullTimer())), 77u);
  EXPECT_EQ(*RecordUrl(kKey, MustEncode(kKey, FullTimer())), FullTimer().url);
}

// Bytes that a store on disk holds: they must stay readable, and this version writes the newest
// ones. BELFRY_REWRITE=1 makes files that are missing.
std::string Golden(const std::string& name, const Timer& timer) {
  const std::string path = std::string(BELFRY_GOLDEN) + "/record_" + name + ".hex";
  if (std::getenv("BELFRY_REWRITE") != nullptr && !std::filesystem::exists(path)) {
    WriteBytes(path, Hex(MustEncode(kKey, timer)) + "\n");
  }
  std::string hex = ReadBytes(path);
  hex.erase(hex.find_last_not_of('\n') + 1);
  return hex;
}

TEST(Record, GoldenBytesOfVersion1AreRead) {
  const std::pair<const char*, Timer> golden[] = {
      {"v1_full", FullTimer()}, {"v1_dead", DeadTimer()}, {"v1_small", SmallTimer()}};
  for (const auto& [name, timer] : golden) {
    const Result<TimerPtr> read = DecodeTimer(kKey, FromHex(Golden(name, timer)));
    ASSERT_TRUE(read.ok()) << name << ": " << read.status().message();
    EXPECT_EQ(**read, timer) << name;
  }
}

TEST(Record, GoldenBytesOfVersion2AreReadAndWritten) {
  const std::pair<const char*, Timer> golden[] = {{"v2_full", FullTimer()},
                                                  {"v2_dead", DeadTimer()},
                                                  {"v2_small", SmallTimer()},
                                                  {"v2_wishful", WishfulTimer()},
                                                  {"v2_dropped", DroppedTimer()}};
  for (const auto& [name, timer] : golden) {
    const std::string hex = Golden(name, timer);
    const Result<TimerPtr> read = DecodeTimer(kKey, FromHex(hex));
    ASSERT_TRUE(read.ok()) << name << ": " << read.status().message();
    EXPECT_EQ(**read, timer) << name;
    EXPECT_EQ(Hex(MustEncode(kKey, timer)), hex) << name;
  }
}

Timer LeaseDeadline() {
  Timer t;
  t.id = 0x1234567890;
  t.tenant = kLeaseTenant;
  t.kind = TimerKind::kLease;
  t.due = t.next_attempt = {1'800'000'005'000};
  t.created_at = {1'799'999'000'000};
  t.body = "the key of a lease";
  return t;
}

TEST(Record, GoldenBytesOfVersion3AreThoseOfDeadlines) {
  const std::string hex = Golden("v3_deadline", LeaseDeadline());
  const Result<TimerPtr> read = DecodeTimer(kKey, FromHex(hex));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(**read, LeaseDeadline());
  EXPECT_EQ(Hex(MustEncode(kKey, LeaseDeadline())), hex);
  EXPECT_EQ(*RecordTenant(kKey, FromHex(hex)), kLeaseTenant);
  EXPECT_EQ(*RecordUrl(kKey, FromHex(hex)), "");
}

TEST(Record, EveryDamageOfADeadlineIsAnError) {
  const std::string record = MustEncode(kKey, LeaseDeadline());
  for (size_t i = 0; i < record.size(); ++i) {
    EXPECT_FALSE(DecodeTimer(kKey, std::string_view(record).substr(0, i)).ok()) << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = record;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(DecodeTimer(kKey, damaged).ok()) << i;
    }
  }
}

// With a checksum that is right: a flag of version 2 means nothing in version 1.
TEST(Record, AVersion1RecordWithWhatOnlyVersion2KnowsIsAnError) {
  std::string record = MustEncode(kKey, WishfulTimer());
  record[0] = 1;
  const uint64_t checksum = ChecksumOf(1, kKey, std::string_view(record).substr(9));
  StoreU64(record.data() + 1, checksum);
  EXPECT_EQ(DecodeTimer(kKey, record).status().message(), "record does not parse");
}

const IdEntry kDeadEntry{TimerState::kDead, {123'456}, {123'000}, 0};
const IdEntry kParkedEntry{TimerState::kRetrying, {123'456}, {123'000}, 0x01020304};

TEST(IdEntry, ComesBackAndEveryDamageIsAnError) {
  const ShortKey key = IdKey(3, 9);
  for (const IdEntry& entry : {kDeadEntry, kParkedEntry}) {
    const std::string bytes = EncodeIdEntry(key, entry);
    EXPECT_EQ(*DecodeIdEntry(key, bytes), entry);
    EXPECT_FALSE(DecodeIdEntry(IdKey(3, 8), bytes).ok());
    EXPECT_FALSE(DecodeIdEntry(key, bytes + '\0').ok());
    for (size_t i = 0; i < bytes.size(); ++i) {
      EXPECT_FALSE(DecodeIdEntry(key, std::string_view(bytes).substr(0, i)).ok());
      for (int bit = 0; bit < 8; ++bit) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
        EXPECT_FALSE(DecodeIdEntry(key, damaged).ok()) << i;
      }
    }
  }
}

// Only what is parked is written as version 2: nothing else changes when a store is raised.
TEST(IdEntry, GoldenBytesOfEachVersionAreReadAndWritten) {
  const std::pair<const char*, IdEntry> golden[] = {{"v1", kDeadEntry}, {"v2", kParkedEntry}};
  const ShortKey key = IdKey(3, 9);
  for (const auto& [name, entry] : golden) {
    std::string hex = ReadBytes(std::string(BELFRY_GOLDEN) + "/id_entry_" + name + ".hex");
    hex.erase(hex.find_last_not_of('\n') + 1);
    const Result<IdEntry> read = DecodeIdEntry(key, FromHex(hex));
    ASSERT_TRUE(read.ok()) << name << ": " << read.status().message();
    EXPECT_EQ(*read, entry) << name;
    EXPECT_EQ(Hex(EncodeIdEntry(key, entry)), hex) << name;
  }
}

TEST(IdEntry, OfAParkedTimerNamesItsTargetWhileItIsAlive) {
  EXPECT_EQ(EntryOf(FullTimer(), 7).parked, 7u);
  EXPECT_EQ(EntryOf(DeadTimer(), 7).parked, 0u);
  const auto place = [](const Timer& timer, TargetNumber parked) {
    return PlaceOf(timer.tenant, timer.id, EntryOf(timer, parked));
  };
  EXPECT_EQ(place(FullTimer(), 0), (Place{Cf::kDue, TimeKey(KeyOf(FullTimer()))}));
  EXPECT_EQ(place(FullTimer(), 7), (Place{Cf::kParked, ParkedKey(7, KeyOf(FullTimer()))}));
  EXPECT_EQ(place(DeadTimer(), 7).cf, Cf::kDead);
}

TEST(IdEntry, PointsToWhereTheRecordIs) {
  EXPECT_EQ(EntryOf(FullTimer()).at.ms, 1'800'000'005'000);
  EXPECT_EQ(EntryOf(DeadTimer()).at.ms, 1'800'000'006'000);
  EXPECT_EQ(EntryOf(DeadTimer()).due.ms, 1'800'000'000'000);
}

TEST(OnceEntry, ComesBackAndEveryDamageIsAnError) {
  const std::string key = OnceKey(3, "key");
  const OnceEntry entry{7, {55}, FingerprintOf("body")};
  const std::string bytes = EncodeOnceEntry(key, entry);
  EXPECT_EQ(*DecodeOnceEntry(key, bytes), entry);
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodeOnceEntry(key, std::string_view(bytes).substr(0, i)).ok());
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x80);
    EXPECT_FALSE(DecodeOnceEntry(key, damaged).ok()) << i;
  }
}

}  // namespace
}  // namespace belfry
