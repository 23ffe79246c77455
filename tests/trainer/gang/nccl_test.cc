// What is around NCCL, without a GPU: its errors as sentences, the network it is given, and the end
// of waiting for it.
#include "trainer/gang/nccl.h"

#include <atomic>
#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/gang/deadline.h"
#include "trainer/gang/interface.h"
#include "trainer/gang/nccl_errors.h"

namespace scm::gang {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// As c10d words what NCCL found.
std::string OfC10d(const std::string& kind, const std::string& meaning, const std::string& last) {
  return "NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.cpp:93, " + kind +
         " (run with NCCL_DEBUG=INFO for details), NCCL version 2.30.7\n" + meaning +
         "\nLast error:\n" + last + "\n";
}

TEST(NcclErrors, EachKindSaysWhatToSet) {
  const std::string system =
      "ncclSystemError: System call (e.g. socket, malloc) or external library call failed or "
      "device error.";
  const std::string internal = "ncclInternalError: Internal check failed.";
  const std::string usage =
      "ncclInvalidUsage: This usually reflects invalid usage of NCCL library.";
  const std::string cuda = "ncclUnhandledCudaError: Call to CUDA function failed.";
  const std::string remote =
      "ncclRemoteError: A call failed possibly due to a network error or a "
      "remote process exiting prematurely.";
  const struct {
    std::string error;
    const char* says;
    const char* words;
  } kCases[] = {
      {OfC10d("internal error", internal, "Bootstrap : no socket interface found"),
       "NCCL_SOCKET_IFNAME=INTERFACE", "Bootstrap : no socket interface found"},
      {OfC10d("internal error", internal,
              "ncclSocketInit: connecting to address  with family 59936 is neither AF_INET(2) nor "
              "AF_INET6(10)"),
       "finds no network interface", "ncclSocketInit: connecting to address"},
      {OfC10d("unhandled system error", system,
              "socketPollConnect: connect to 10.0.0.7<41234> returned Connection refused, exceeded "
              "error retry count after 35 attempts"),
       "open all ports from 1024 on", "socketPollConnect: connect to 10.0.0.7<41234> returned"},
      {OfC10d("unhandled system error", system, "Call to connect returned Connection timed out"),
       "open all ports from 1024 on", "Call to connect returned Connection timed out"},
      {OfC10d("unhandled system error", system, "Call to connect returned No route to host"),
       "open all ports from 1024 on", "Call to connect returned No route to host"},
      {OfC10d("invalid usage", usage,
              "Duplicate GPU detected : rank 1 and rank 0 both on CUDA device e2000"),
       "two ranks compute on the same GPU", "Duplicate GPU detected"},
      {OfC10d("invalid usage", usage,
              "Mismatched NCCL version detected : rank 0 version 23007 rank 1 version 22809"),
       "the same torch wheel on all workers", "Mismatched NCCL version"},
      {OfC10d("unhandled cuda error", cuda,
              "Cuda failure 217 'peer access is not supported between these two devices'"),
       "NCCL_P2P_DISABLE=1", "Cuda failure 217"},
      {OfC10d("unhandled cuda error", cuda, "failed to peer with device 1: 217 not supported"),
       "NCCL_P2P_DISABLE=1", "failed to peer with device 1"},
      {OfC10d("unhandled cuda error", cuda,
              "Cuda failure 'CUDA driver version is insufficient for CUDA runtime version'"),
       "no driver, or one that is older", "Cuda failure"},
      {OfC10d("unhandled cuda error", cuda, "Cuda failure 2 'out of memory'"),
       "memory is full before training begins", "Cuda failure 2"},
      {OfC10d("unhandled system error", system,
              "Error while creating shared memory segment /dev/shm/nccl-a1b2c3 (size 9637888)"),
       "--shm-size=1g", "Error while creating shared memory segment"},
      {OfC10d("unhandled system error", system, "Call to ibv_create_qp failed with error EPERM"),
       "NCCL_IB_DISABLE=1", "Call to ibv_create_qp failed"},
      {OfC10d("remote process exited or there was a network error", remote, ""),
       "another rank has broken off", "ncclRemoteError: A call failed"},
      {"ProcessGroupNCCL is only supported with GPUs, no GPUs found!", "libtorch sees no GPU",
       "ProcessGroupNCCL is only supported with GPUs"},
      {"nothing, it timed out after 2m", "NCCL was not ready in time", "nothing, it timed out"},
      {OfC10d("unhandled cuda error", cuda, "Cuda failure 999 'unknown error'"),
       "NCCL fails for a reason of its own", "Cuda failure 999 'unknown error'"},
      {"", "NCCL fails for a reason of its own", "none"},
  };
  for (const auto& c : kCases) {
    const std::string sentence = ExplainNccl(c.error);
    EXPECT_THAT(sentence,
                AllOf(HasSubstr(c.says), HasSubstr(std::string("NCCL's words: ") + c.words),
                      HasSubstr("NCCL_DEBUG=INFO")))
        << c.error;
    EXPECT_EQ(sentence.find('\n'), std::string::npos);
  }
}

// What a network or file can put into these words changes nothing but the words.
TEST(NcclErrors, WhatIsNotTextIsShownAsSuch) {
  const std::string sentence = ExplainNccl("Last error: \x1b[2J\xff" + std::string(5000, 'x'));
  EXPECT_LT(sentence.size(), 1000u);
  EXPECT_EQ(sentence.find('\x1b'), std::string::npos);
}

TEST(Interface, IsFoundByItsAddress) {
  EXPECT_EQ(InterfaceWithAddress("127.0.0.1"), "lo");
  EXPECT_EQ(InterfaceWithAddress("192.0.2.1"), "");
  EXPECT_EQ(InterfaceWithAddress(""), "");
}

TEST(Deadline, CallsWhoeverIsLateAndNobodyElse) {
  std::promise<void> called;
  std::atomic<int> late = 0;
  {
    const Deadline in_time(absl::Hours(1), [&] { ++late; });
  }
  EXPECT_EQ(late, 0);
  {
    const Deadline deadline(absl::Milliseconds(1), [&] {
      ++late;
      called.set_value();
    });
    called.get_future().wait();
  }
  EXPECT_EQ(late, 1);
}

// A program without NCCL says so; one with it, on a host without a GPU, what that host lacks.
TEST(Nccl, CannotStartWithoutAGpu) {
  const Rendezvous rendezvous{"127.0.0.1", Listener::Open(0)->port()};
  const auto gang =
      JoinNccl(rendezvous, {.rank = 0, .world_size = 1, .gang = "e-1/k-1/1", .host = "host-0"});
  if (gang.ok()) GTEST_SKIP() << "there is a GPU";
  EXPECT_THAT(std::string(gang.status().message()),
              BuiltWithNccl() ? HasSubstr("NCCL cannot start (own address 127.0.0.1)")
                              : HasSubstr("built without NCCL"));
}

}  // namespace
}  // namespace scm::gang
