// users.h - the tokens of a running daemon: what the tokens file says becomes who is let in.
//
// Loop thread only. Tokens of a user who has no tenant id yet let nobody in; the id is asked for,
// and they do once it is durable. What was revoked ends at once.
#pragma once

#include <vector>

#include "base/log.h"
#include "daemon/tokens_file.h"
#include "http/authentication.h"
#include "scheduler/tenants.h"

namespace belfry {

class Users {
 public:
  // All outlive this.
  Users(Tenants& tenants, Authentication& authentication, LogSink& log)
      : tenants_(tenants), authentication_(authentication), log_(log) {}

  // From now on these let in, and no others.
  void Set(std::vector<TokenEntry> tokens);
  // After completions of the tenants' ops.
  void TenantsCompleted();

 private:
  void Install();

  Tenants& tenants_;
  Authentication& authentication_;
  LogSink& log_;
  std::vector<TokenEntry> tokens_;
  bool waiting_ = false;  // for ids
};

}  // namespace belfry
