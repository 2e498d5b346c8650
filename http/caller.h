// caller.h - who calls, and what they may do.
//
// Loop thread only. A Caller is made by Authentication and by nothing else, so a handler that has
// one answers somebody who was let in, and the tenant it reads and writes for is theirs. No id of a
// tenant comes from a request.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/id.h"
#include "base/time.h"

namespace belfry {

// What a token may be used for.
enum class Scope : uint8_t {
  kTimersRead,   // timers:read
  kTimersWrite,  // timers:write
  kStopwatches,  // stopwatches
  kStreams,      // streams
  kAdmin,        // admin: what concerns all users, /targets
};
constexpr int kScopes = 5;

[[nodiscard]] std::string_view ScopeName(Scope scope);
[[nodiscard]] std::optional<Scope> ScopeNamed(std::string_view name);

class Scopes {
 public:
  [[nodiscard]] static Scopes All() { return Scopes((1u << kScopes) - 1); }
  constexpr Scopes() = default;

  void Add(Scope scope) { bits_ |= Bit(scope); }
  void Remove(Scope scope) { bits_ &= ~Bit(scope); }
  [[nodiscard]] bool Has(Scope scope) const { return (bits_ & Bit(scope)) != 0; }
  [[nodiscard]] bool empty() const { return bits_ == 0; }
  friend bool operator==(Scopes, Scopes) = default;

 private:
  explicit constexpr Scopes(unsigned bits) : bits_(bits) {}
  static constexpr unsigned Bit(Scope scope) { return 1u << static_cast<unsigned>(scope); }
  unsigned bits_ = 0;
};

// SHA-256 of a token.
using TokenHash = std::array<uint8_t, 32>;

// What an answer that goes on for long keeps, to ask Authentication whether its caller still may.
struct Ticket {
  std::optional<TokenHash> token = {};  // nullopt: none was needed
  TenantId tenant = 0;                  // whose data it carries
  std::optional<WallMs> expires = {};   // the token; from then on it is to be asked again
  Scope scope = Scope::kAdmin;
};

struct Grant;

class Caller {
 public:
  [[nodiscard]] TenantId tenant() const { return tenant_; }
  [[nodiscard]] Ticket ticket() const;

 private:
  friend class Authentication;
  Caller(TenantId tenant, const Grant* grant, Scope scope)
      : tenant_(tenant), grant_(grant), scope_(scope) {}

  TenantId tenant_;
  const Grant* grant_;  // null: no token was needed. Valid while the handler runs
  Scope scope_;
};

}  // namespace belfry
