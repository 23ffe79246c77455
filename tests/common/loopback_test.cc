#include "common/loopback.h"

#include "gtest/gtest.h"

namespace scm {
namespace {

TEST(LoopbackTest, IsFourNumbersOrOneOfTwoNames) {
  for (const char* address : {"127.0.0.1:0", "127.9.8.7:7070", "localhost:7070", "[::1]:7070"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"0.0.0.0:0", "10.0.0.1:1", "[::]:1", ":7070", "127.evil.example:1",
                              "127.0.0.1.example:1", "localhost.example:1", "host:1", "unix:x"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

}  // namespace
}  // namespace scm
