#include "daemon/rlimit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/limits.h"

namespace belfry {
namespace {

FileShares Shared(uint64_t limit, uint64_t connections, uint64_t deliveries) {
  const auto shares = ShareFiles(limit, connections, deliveries);
  EXPECT_TRUE(shares.ok());
  const FileShares s = shares.value();
  EXPECT_LE(s.store + kFilesForOurselves + s.connections + 2 * s.deliveries + s.idle_targets,
            limit);
  EXPECT_GT(s.idle_targets, 0u);
  EXPECT_GT(s.connections, 0u);
  EXPECT_GT(s.deliveries, 0u);
  return s;
}

TEST(Rlimit, EnoughForAllGivesAllTheyAskFor) {
  const FileShares shares = Shared(65'536, 10'000, 1000);
  EXPECT_EQ(shares.store, 16'384u);
  EXPECT_EQ(shares.connections, 10'000u);
  EXPECT_EQ(shares.deliveries, 1000u);
  EXPECT_EQ(shares.idle_targets, 1000u);
}

TEST(Rlimit, TooLittleIsSharedInHalves) {
  const FileShares shares = Shared(1024, 10'000, 1000);
  EXPECT_EQ(shares.store, 256u);
  EXPECT_EQ(shares.connections, 353u);
  EXPECT_EQ(shares.deliveries, 117u);
  EXPECT_EQ(shares.idle_targets, 117u);
}

TEST(Rlimit, WhatOneSideDoesNotWantTheOtherGets) {
  EXPECT_EQ(Shared(1024, 10, 1000).deliveries, 231u);
  EXPECT_EQ(Shared(1024, 10'000, 10).connections, 674u);
}

TEST(Rlimit, ManyDeliveriesNeedNoMoreThanTheMostIdleConnections) {
  const FileShares shares = Shared(20'000, 10, 100'000);
  EXPECT_EQ(shares.idle_targets, kIdleConnectionsMax);
  EXPECT_EQ(shares.deliveries, (20'000 - 5000 - kFilesForOurselves - 10 - 1024) / 2);
}

TEST(Rlimit, TheStoreIsHeldToItsShareUnlessThereIsPlenty) {
  EXPECT_EQ(Shared(kFilesMin, 10, 10).store_tables, 96 - 32);
  EXPECT_EQ(Shared(1024, 10, 10).store_tables, 256 - 32);
  EXPECT_EQ(Shared(kFilesAmple - 1, 10, 10).store_tables, 16'383 - 32);
  EXPECT_EQ(Shared(kFilesAmple, 10, 10).store_tables, -1);
}

TEST(Rlimit, EveryLimitAndWishStaysWithinTheLimit) {
  for (uint64_t limit = kFilesMin; limit < 3000; limit += 7) {
    for (const uint64_t connections : {1, 10, 500, 10'000}) {
      for (const uint64_t deliveries : {1, 10, 500, 10'000}) {
        const FileShares shares = Shared(limit, connections, deliveries);
        EXPECT_LE(shares.connections, connections);
        EXPECT_LE(shares.deliveries, deliveries);
      }
    }
  }
}

TEST(Rlimit, TooFewFilesAreRefused) {
  const auto shares = ShareFiles(kFilesMin - 1, 1, 1);
  EXPECT_EQ(shares.status().code(), StatusCode::kRefused);
  EXPECT_NE(shares.status().message().find("LimitNOFILE"), std::string::npos);
}

TEST(Rlimit, TheLimitIsRaisedToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{std::min<rlim_t>(256, before.rlim_max), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const auto raised = RaiseFileLimit();
  ASSERT_TRUE(raised.ok());
  EXPECT_EQ(raised.value(), std::min<uint64_t>(before.rlim_max, kFilesMax));
  rlimit after{};
  getrlimit(RLIMIT_NOFILE, &after);
  EXPECT_EQ(after.rlim_cur, raised.value());
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace belfry
