// Every call to the file system fails once, and the process or the whole machine dies at every
// call: a blob is whole or not visible, and what Commit() acknowledged stays.
#include <gtest/gtest.h>

#include "common/rng.h"
#include "coordinator/checkpoint/local_store.h"
#include "tests/coordinator/checkpoint/blobs.h"
#include "tests/fakes/crash_filesystem.h"

namespace scm::checkpoint {
namespace {

using Fault = fake::CrashFilesystem::Fault;
using Loss = fake::CrashFilesystem::Loss;

constexpr const char* kId = "r-3/100";
constexpr const char* kOther = "r-3/50";  // committed before, in the same directory

std::unique_ptr<LocalStore> OpenOn(fake::CrashFilesystem& files) {
  auto store = LocalStore::Open({"/data"}, files);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

// The blob is whole, or there is none.
void ExpectWholeOrNothing(LocalStore& store, const std::string& id) {
  const auto found = store.Find(id);
  if (absl::IsNotFound(found.status())) return;
  EXPECT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(store.Verify(id).ok()) << store.Verify(id);
}

// What a scenario does between a start and the end of the process; true when it was acknowledged.
using Scenario = bool (*)(fake::CrashFilesystem&);

bool FirstUpload(fake::CrashFilesystem& files) {
  auto store = LocalStore::Open({"/data"}, files);
  return store.ok() && Upload(**store, Checkpoint(kId)).ok();
}

bool Replacement(fake::CrashFilesystem& files) {
  auto store = LocalStore::Open({"/data", 0, [](absl::string_view) { return true; }}, files);
  return store.ok() && Upload(**store, Checkpoint(kId, 9, 'z')).ok();
}

bool Mending(fake::CrashFilesystem& files) {
  auto store = LocalStore::Open({"/data"}, files);
  return store.ok() && Upload(**store, Checkpoint(kId, 9)).ok();
}

bool Removal(fake::CrashFilesystem& files) {
  auto store = LocalStore::Open({"/data"}, files);
  return store.ok() && (*store)->Remove(kId).ok();
}

bool Sweeping(fake::CrashFilesystem& files) {
  auto store = LocalStore::Open({"/data"}, files);
  return store.ok() && (*store)->Sweep({kOther}).ok();
}

struct Case {
  const char* name;
  Scenario scenario;
  bool with_old;         // kId is there, acknowledged, before
  bool with_other;       // kOther is
  bool makes_visible;    // when acknowledged: kId is there; else: it is not
  bool damaged = false;  // the old one is, and stays so until something is acknowledged
};

void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

class EveryCall : public testing::TestWithParam<Case> {
 protected:
  // Everything up to the scenario, durable.
  std::unique_ptr<fake::CrashFilesystem> Prepared() {
    auto files = std::make_unique<fake::CrashFilesystem>();
    for (const auto& [id, wanted] :
         {std::pair(kId, GetParam().with_old), std::pair(kOther, GetParam().with_other)}) {
      EXPECT_TRUE(!wanted || Upload(*OpenOn(*files), Checkpoint(id)).ok());
    }
    if (GetParam().damaged) files->Corrupt("/data/blobs/r-3/100/adapter_model.safetensors");
    Philox rng(1, "prepare");
    files->Restart(Loss::kAllPending, rng);
    return files;
  }

  int64_t Calls() {
    auto files = Prepared();
    EXPECT_TRUE(GetParam().scenario(*files));
    return files->calls();
  }

  void ExpectConsistent(fake::CrashFilesystem& files, bool acknowledged) {
    auto store = OpenOn(files);
    ASSERT_NE(store, nullptr);
    if (!GetParam().damaged || acknowledged) ExpectWholeOrNothing(*store, kId);
    if (acknowledged) {
      EXPECT_EQ(store->Find(kId).ok(), GetParam().makes_visible);
    }
    if (GetParam().with_other) {
      EXPECT_TRUE(store->Verify(kOther).ok()) << store->Verify(kOther);
    }
  }
};

TEST_P(EveryCall, DiesThere) {
  const int64_t calls = Calls();
  ASSERT_GT(calls, 5);
  for (Fault fault : {Fault::kCrashBefore, Fault::kCrashAfter}) {
    for (Loss loss : {Loss::kNothing, Loss::kAllPending, Loss::kRandom}) {
      const int rounds = loss == Loss::kRandom ? 10 : 1;
      for (int64_t call = 1; call <= calls + 1; ++call) {
        for (int round = 0; round < rounds; ++round) {
          SCOPED_TRACE(testing::Message() << "call " << call << " of " << calls << ", loss "
                                          << static_cast<int>(loss) << ", seed " << round);
          Philox rng(static_cast<uint64_t>(round), "crash_test", static_cast<uint64_t>(call));
          auto files = Prepared();
          files->FailCall(call, fault);
          const bool acknowledged = GetParam().scenario(*files);
          files->Restart(loss, rng);
          ExpectConsistent(*files, acknowledged);
          // The next start sweeps with the rows that were committed, and the work is done again.
          std::set<std::string> known;
          if (GetParam().with_other) known.insert(kOther);
          const auto missing = OpenOn(*files)->Sweep(known);
          ASSERT_TRUE(missing.ok()) << missing.status();
          EXPECT_TRUE(missing->empty());
          EXPECT_TRUE(absl::IsNotFound(OpenOn(*files)->Find(kId).status()));
          EXPECT_TRUE(FirstUpload(*files));
          files->Restart(Loss::kAllPending, rng);
          EXPECT_TRUE(OpenOn(*files)->Verify(kId).ok());
          if (HasFailure()) return;
        }
      }
    }
  }
}

// The process lives on after the error, as on a full or failing disk, and tries again.
TEST_P(EveryCall, FailsThere) {
  const int64_t calls = Calls();
  for (const absl::Status& error :
       {absl::ResourceExhaustedError("no room"), absl::UnknownError("input/output error")}) {
    for (int64_t call = 1; call <= calls; ++call) {
      SCOPED_TRACE(testing::Message() << "call " << call << " of " << calls << ": " << error);
      Philox rng(3, "crash_test", static_cast<uint64_t>(call));
      auto files = Prepared();
      files->FailCall(call, Fault::kError, error);
      const bool acknowledged = GetParam().scenario(*files);
      ExpectConsistent(*files, acknowledged);
      // Again in the same process; then the power goes, with everything that was not durable.
      EXPECT_TRUE(GetParam().scenario(*files));
      files->Restart(Loss::kAllPending, rng);
      ExpectConsistent(*files, true);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Scenarios, EveryCall,
    testing::Values(Case{"FirstUpload", FirstUpload, false, false, true},
                    Case{"UploadBesideAnother", FirstUpload, false, true, true},
                    Case{"EqualUpload", FirstUpload, true, true, true},
                    Case{"Replacement", Replacement, true, true, true},
                    Case{"MendingADamagedOne", Mending, true, true, true, true},
                    Case{"Removal", Removal, true, true, false},
                    Case{"RemovalOfTheOnlyOne", Removal, true, false, false},
                    Case{"Sweep", Sweeping, true, true, false}),
    [](const auto& info) { return std::string(info.param.name); });

// One store object that lives through the failure of each call, as in a running coordinator.
TEST(OneProcess, UploadsAgainAfterAnyError) {
  const TestBlob checkpoint = Checkpoint(kId);
  int64_t calls = 0;
  for (int64_t call = 0; call <= calls; ++call) {
    SCOPED_TRACE(testing::Message() << "call " << call);
    Philox rng(4, "crash_test", static_cast<uint64_t>(call));
    fake::CrashFilesystem files;
    auto store = OpenOn(files);
    files.FailCall(call, Fault::kError, absl::UnknownError("input/output error"));
    const bool first = Upload(*store, checkpoint).ok();
    if (call == 0) calls = files.calls();
    EXPECT_TRUE(!first || store->Find(kId).ok());
    ExpectWholeOrNothing(*store, kId);
    EXPECT_TRUE(Upload(*store, checkpoint).ok());
    files.Restart(Loss::kAllPending, rng);
    EXPECT_TRUE(OpenOn(files)->Verify(kId).ok());
  }
  EXPECT_GT(calls, 15);
}

TEST(OneProcess, DamageOnTheDiskIsFound) {
  fake::CrashFilesystem files;
  auto store = OpenOn(files);
  ASSERT_TRUE(Upload(*store, Checkpoint(kId)).ok());
  files.Corrupt("/data/blobs/r-3/100/adapter_model.safetensors");
  EXPECT_EQ(store->Verify(kId).code(), absl::StatusCode::kDataLoss);
}

TEST(OneProcess, RefusesWhatDoesNotFit) {
  fake::CrashFilesystem files;
  auto store = LocalStore::Open({"/data", /*min_free_bytes=*/1000}, files).value();
  const TestBlob checkpoint = Checkpoint(kId);  // 4001 bytes
  files.SetFreeBytes(5000);
  EXPECT_TRUE(absl::IsResourceExhausted(store->Begin(checkpoint.manifest).status()));
  files.SetDiskBytes(4000);
  const absl::Status never = store->Begin(checkpoint.manifest).status();
  EXPECT_TRUE(absl::IsOutOfRange(never)) << never;
  EXPECT_NE(never.message().find("can never be stored"), absl::string_view::npos) << never;
  files.SetDiskBytes(4001);
  EXPECT_TRUE(absl::IsResourceExhausted(store->Begin(checkpoint.manifest).status()));
  files.SetFreeBytes(5001);
  EXPECT_TRUE(store->Begin(checkpoint.manifest).ok());
}

}  // namespace
}  // namespace scm::checkpoint
