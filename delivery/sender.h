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
  // Called for a delivery that began with kLookingUp when its name has addresses, never from within
  // Start: may it hold a connection from now on? If not, it ends as a local fault of its target.
  using FoundFn = std::function<bool(TimerId)>;

  enum class Begun {
    kSending,    // it may hold a connection
    kLookingUp,  // it waits for the addresses of a name and holds none
  };

  virtual ~Sender() = default;

  // Starts one attempt. The timer is borrowed until DoneFn has run for it.
  virtual Begun Start(const Delivery& delivery) = 0;

  // Cuts off everything under way; each gets an Outcome of kInterrupted.
  virtual void InterruptAll() = 0;

  [[nodiscard]] virtual size_t in_flight() const = 0;
};

}  // namespace belfry
