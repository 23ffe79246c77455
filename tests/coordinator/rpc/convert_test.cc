#include "coordinator/rpc/convert.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/utf8.h"

namespace scm::rpc {
namespace {

constexpr char kSteers[] = "h\xc3\xb1\x1b]0;x\x07\nst";
constexpr char kShown[] = "hñ\uFFFD]0;x\uFFFD st";

TEST(Convert, WhatAWorkerSaysBecomesCleanText) {
  v1::Register hello;
  hello.set_instance(kSteers);
  hello.set_host(kSteers);
  hello.set_version(std::string(5000, 'v'));
  hello.set_cpus(-4);
  hello.add_gpus()->set_model(kSteers);
  hello.mutable_gpus(0)->set_memory_bytes(-1);
  hello.add_live()->set_lease_id(std::string(100000, 'l'));
  const controller::RegisterInput input = FromProto(hello, 7);
  EXPECT_EQ(input.instance, kShown);
  EXPECT_EQ(input.host, kShown);
  EXPECT_LE(input.version.size(), 256u);
  EXPECT_EQ(input.cpus, 0);
  EXPECT_EQ(input.gpus.at(0).model, kShown);
  EXPECT_EQ(input.gpus.at(0).memory_bytes, 0);
  EXPECT_LE(input.live.at(0).lease.str().size(), 256u);

  v1::ProcessEvent process;
  process.set_kind(v1::ProcessEvent::EXITED);
  process.set_message("two\nlines\x1b[2J");
  EXPECT_EQ(FromProto(process, WorkerId("w-1")).message, "two\nlines\uFFFD[2J");
  v1::Goodbye goodbye;
  goodbye.set_reason(std::string(100000, 'g'));
  EXPECT_LE(FromProto(goodbye, WorkerId("w-1")).reason.size(), 4096u);
}

TEST(Convert, NumbersThatAreNoneBecomeZero) {
  v1::Renew renew;
  for (const double value : {std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity(), -1.0, 7.0}) {
    renew.add_gpus()->set_utilization_ratio(value);
  }
  const controller::RenewInput input = FromProto(renew, WorkerId("w-1"));
  EXPECT_EQ(input.gpus.at(0).utilization, 0);
  EXPECT_EQ(input.gpus.at(1).utilization, 0);
  EXPECT_EQ(input.gpus.at(2).utilization, 0);
  EXPECT_EQ(input.gpus.at(3).utilization, 1);
}

TEST(Convert, ReportsAreReadHere) {
  v1::ReportBatch batch;
  batch.set_offset(100);
  batch.set_lines("{\"type\":\"started\"}\n{\"type\":\"progress\",\"step\":\"x\"}\nhalf");
  const controller::ReportsInput input = FromProto(batch, WorkerId("w-1"));
  ASSERT_EQ(input.lines.size(), 2u);
  EXPECT_EQ(input.offset, 100);
  EXPECT_EQ(input.lines[0].kind, core::ReportLine::Kind::kStarted);
  EXPECT_EQ(input.lines[1].kind, core::ReportLine::Kind::kBad);
}

}  // namespace
}  // namespace scm::rpc
