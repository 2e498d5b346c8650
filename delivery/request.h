// request.h - the headers of one attempt, as the contract lists them. Loop thread only.
//
//   User-Agent: belfry/<version>
//   webhook-id: <store>-<id>       the same for every attempt
//   webhook-timestamp: <seconds>   Unix time of this attempt
//   webhook-attempt: <n>           from 1
//   webhook-due: <RFC 3339>        as asked for
//   webhook-signature: <list>      when there is a secret to sign with; see signer.h
//   the timer's own headers, names and values as given
// curl adds Host and Content-Length. What else curl would add by itself (Accept, Expect, a
// Content-Type for any POST) is switched off.
#pragma once

#include <curl/curl.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/delivery.h"
#include "base/status.h"
#include "delivery/signer.h"

namespace belfry {

// A curl_slist over storage that is used again for the next attempt.
class HeaderList {
 public:
  void Clear();
  void Add(std::string_view line);
  void Add(std::string_view name, std::string_view value);
  // The same for a value that is appended piece by piece to what Open gives, until Close.
  [[nodiscard]] std::string* Open(std::string_view name);
  void Close() { bytes_ += '\0'; }

  // Valid until the next Clear or Add. nullptr when empty. Owned by this object: never freed by
  // curl_slist_free_all.
  [[nodiscard]] curl_slist* Link();

 private:
  std::string bytes_;           // the lines, each ended by a NUL
  std::vector<size_t> starts_;  // of each line in bytes_
  std::vector<curl_slist> nodes_;
};

// Fills `out`. kInvalid when a header of the timer may not be sent; `out` is then unspecified.
[[nodiscard]] Status BuildHeaders(const Delivery& delivery, WallMs now, std::string_view store_id,
                                  std::string_view version, const Signer& signer, HeaderList& out);

}  // namespace belfry
