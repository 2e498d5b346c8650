// sender.h - the seam between deciding that a timer is due and sending it.
//
// Loop thread only. Implementations: delivery/curl_sender; a fake in tests/support.
#pragma once

#include <functional>

#include "base/delivery.h"

namespace belfry {

class Sender {
 public:
  // Called exactly once for each started delivery, never from within Start.
  using DoneFn = std::function<void(Outcome)>;

  virtual ~Sender() = default;

  // Starts one attempt. The timer is borrowed until DoneFn has run for it.
  virtual void Start(const Delivery& delivery) = 0;

  // Cuts off everything under way; each gets an Outcome of kInterrupted.
  virtual void InterruptAll() = 0;

  [[nodiscard]] virtual size_t in_flight() const = 0;
};

}  // namespace belfry
