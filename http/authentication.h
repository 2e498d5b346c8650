// authentication.h - from a request to its Caller, or to the answer that refuses it.
//
// Loop thread only. The one place that makes a Caller.
//
//   auth.mode none   everybody is the user `local`, with every scope
//   auth.mode token  `Authorization: Bearer <token>`, and nothing else: no query, no cookie.
//                    401, WWW-Authenticate: Bearer: no token, or not (or no longer) a good one
//                    403: it has not the scope that the route asks for
//                    429, Retry-After: it is not a good one, and more than kWrongTokensMax such
//                    came from this address in kWrongTokensSeconds. No token at all is not counted
//
// A good token is let in wherever it comes from: behind one address are many, and one who is wrong
// must not lock out the others. So guessing goes on at the rate of requests, and is hopeless by the
// size of a token: 10^7 guesses a second for a century hit one of kTokensMax of 2^256 with a chance
// below 10^-55. The limit tells a broken client to wait; what it asks for meanwhile costs a hash,
// which is less than reading its request.
//
// Wrong, unknown and expired tokens get the same answer, wrong and unknown ones at the same cost,
// and no answer and no log repeats any part of a token.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "http/caller.h"
#include "http/failure_limit.h"
#include "http/message.h"
#include "http/token_cache.h"
#include "http/token_hash.h"
#include "http/token_table.h"

namespace belfry {

class Authentication {
 public:
  enum class Mode { kNone, kToken };
  // `clock` outlives this.
  Authentication(Mode mode, const Clock& clock) : mode_(mode), clock_(clock) {}
  Authentication(const Authentication&) = delete;
  Authentication& operator=(const Authentication&) = delete;

  // From now on these let in, and no other.
  void SetTokens(TokenTable tokens);
  // `call` after each SetTokens: who keeps a Ticket asks StillGood then.
  void WhenTokensChange(std::function<void()> call) { changed_.push_back(std::move(call)); }

  [[nodiscard]] bool needs_token() const { return mode_ == Mode::kToken; }
  // nullopt: *refusal is the answer.
  [[nodiscard]] std::optional<Caller> Admit(const Request& request, Scope scope, Response* refusal);
  // Its token is known, not expired, has the scope, and is the same user's.
  [[nodiscard]] bool StillGood(const Ticket& ticket) const;

 private:
  [[nodiscard]] bool IsOver(const Grant& grant) const;
  // Null: it lets nobody in.
  [[nodiscard]] const Grant* Find(std::string_view token);
  // The answer to one more wrong token.
  [[nodiscard]] Response Wrong(const Peer& peer);

  const Mode mode_;
  const Clock& clock_;
  TokenHasher hasher_;
  TokenTable tokens_;
  TokenCache cache_;  // points into tokens_
  std::vector<std::function<void()>> changed_;
  FailureLimit failures_;
};

}  // namespace belfry
