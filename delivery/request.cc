#include "delivery/request.h"

#include <algorithm>

#include "base/decimal.h"
#include "base/header.h"
#include "base/limits.h"
#include "base/rfc3339.h"

namespace belfry {
namespace {

bool EqualsIgnoringCase(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() &&
         std::equal(a.begin(), a.end(), lower.begin(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y; });
}

bool IsBlank(std::string_view value) {
  return value.find_first_not_of(" \t") == std::string_view::npos;
}

bool Has(const Timer& timer, std::string_view lower_name) {
  return std::any_of(timer.headers.begin(), timer.headers.end(), [&](const auto& header) {
    return EqualsIgnoringCase(header.first, lower_name);
  });
}

void AddSignature(const Delivery& delivery, WallMs now, std::string_view store_id,
                  const Signer& signer, HeaderList& out) {
  std::string id(store_id);
  id += '-';
  AppendDecimal(delivery.timer->id, &id);
  std::string timestamp;
  AppendDecimal(now.ms / kSecondMs, &timestamp);
  signer.AppendSignatures(id, timestamp, delivery.timer->body, out.Open("webhook-signature"));
  out.Close();
}

}  // namespace

void HeaderList::Clear() {
  bytes_.clear();
  starts_.clear();
}

void HeaderList::Add(std::string_view line) {
  starts_.push_back(bytes_.size());
  bytes_ += line;
  bytes_ += '\0';
}

void HeaderList::Add(std::string_view name, std::string_view value) {
  starts_.push_back(bytes_.size());
  bytes_ += name;
  // To curl "Name:" means "leave it out"; "Name;" sends it without a value.
  if (IsBlank(value)) {
    bytes_ += ';';
  } else {
    bytes_ += ": ";
    bytes_ += value;
  }
  bytes_ += '\0';
}

std::string* HeaderList::Open(std::string_view name) {
  starts_.push_back(bytes_.size());
  bytes_ += name;
  bytes_ += ": ";
  return &bytes_;
}

curl_slist* HeaderList::Link() {
  nodes_.resize(starts_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].data = bytes_.data() + starts_[i];
    nodes_[i].next = i + 1 < nodes_.size() ? &nodes_[i + 1] : nullptr;
  }
  return nodes_.empty() ? nullptr : nodes_.data();
}

Status BuildHeaders(const Delivery& delivery, WallMs now, std::string_view store_id,
                    std::string_view version, const Signer& signer, HeaderList& out) {
  const Timer& timer = *delivery.timer;
  out.Clear();
  if (!Has(timer, "accept")) out.Add("Accept:");
  if (!Has(timer, "content-type")) out.Add("Content-Type:");
  out.Add("Expect:");
  out.Open("User-Agent")->append("belfry/").append(version);
  out.Close();
  std::string* id = out.Open("webhook-id");
  id->append(store_id).push_back('-');
  AppendDecimal(timer.id, id);
  out.Close();
  AppendDecimal(now.ms / kSecondMs, out.Open("webhook-timestamp"));
  out.Close();
  AppendDecimal(delivery.attempt, out.Open("webhook-attempt"));
  out.Close();
  AppendRfc3339(timer.due, out.Open("webhook-due"));
  out.Close();
  if (!signer.empty()) AddSignature(delivery, now, store_id, signer, out);
  size_t bytes = 0;
  for (const auto& [name, value] : timer.headers) {
    if (Status s = CheckHeader(name, value); !s.ok()) return s;
    bytes += name.size() + value.size();
    out.Add(name, value);
  }
  if (timer.headers.size() > kHeadersMax || bytes > kHeaderBytesMax) {
    return Invalid("the headers are too many or too long");
  }
  return {};
}

}  // namespace belfry
