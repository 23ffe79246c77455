// What every StateStore promises, run over each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "coordinator/store/memory_store.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/fakes/temp_dir.h"

namespace scm::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class StoreContract : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { Open(); }

  // Closes and opens again what can be; a memory store simply stays.
  void Open() {
    if (std::string(GetParam()) == "memory") {
      if (!store_) store_ = std::make_unique<MemoryStore>();
      return;
    }
    store_.reset();
    auto store = SqliteStore::Open({dir_.path()});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  std::vector<std::string> Entities() {
    std::vector<std::string> rows;
    const StoredState state = store_->Load().value();
    for (const EntityRow& row : state.entities) {
      rows.push_back(std::string(EntityTableName(row.table)) + " " + row.id + " " + row.experiment +
                     " " + row.body);
    }
    return rows;
  }

  std::vector<int64_t> Events(absl::string_view experiment, int64_t after, int64_t limit) {
    std::vector<int64_t> sequences;
    const std::vector<EventRow> events = store_->ReadEvents(experiment, after, limit).value();
    for (const EventRow& event : events) sequences.push_back(event.sequence);
    return sequences;
  }

  fake::TempDir dir_;
  std::unique_ptr<StateStore> store_;
};

EventRow Event(int64_t sequence, std::string experiment) {
  return {sequence, "2026-01-02T03:04:05.000Z", std::move(experiment), "r-1", "kind", "text", "{}"};
}

TEST_P(StoreContract, StartsEmpty) {
  const StoredState state = store_->Load().value();
  EXPECT_THAT(state.entities, IsEmpty());
  EXPECT_THAT(state.requests, IsEmpty());
  EXPECT_EQ(state.last_event, 0);
  EXPECT_THAT(store_->ReadMetrics("r-1", 0, 10).value(), IsEmpty());
  EXPECT_THAT(store_->ReadEvents("", 0, 10).value(), IsEmpty());
  EXPECT_TRUE(store_->Commit({}).ok());
}

TEST_P(StoreContract, KeepsEveryTable) {
  WriteBatch batch;
  for (EntityTable table : kEntityTables) batch.upserts.push_back({table, "x-1", "e-1", "{}"});
  ASSERT_TRUE(store_->Commit(batch).ok());
  Open();
  EXPECT_THAT(Entities(),
              ElementsAre("experiments x-1 e-1 {}", "trials x-1 e-1 {}", "runs x-1 e-1 {}",
                          "tasks x-1 e-1 {}", "workers x-1 e-1 {}", "checkpoints x-1 e-1 {}",
                          "artifacts x-1 e-1 {}", "certificates x-1 e-1 {}", "meta x-1 e-1 {}",
                          "validations x-1 e-1 {}"));
}

TEST_P(StoreContract, UpdatesKeepTheOrderOfInsertion) {
  WriteBatch batch;
  for (const char* id : {"r-10", "r-9", "r-2"}) {
    batch.upserts.push_back({EntityTable::kRuns, id, "e-1", "1"});
  }
  batch.upserts.push_back({EntityTable::kExperiments, "e-1", "", "1"});
  ASSERT_TRUE(store_->Commit(batch).ok());
  WriteBatch update;
  update.upserts = {{EntityTable::kRuns, "r-10", "e-2", "2"},
                    {EntityTable::kRuns, "r-9", "e-1", "3"}};
  ASSERT_TRUE(store_->Commit(update).ok());
  Open();
  EXPECT_THAT(Entities(), ElementsAre("experiments e-1  1", "runs r-10 e-2 2", "runs r-9 e-1 3",
                                      "runs r-2 e-1 1"));
}

TEST_P(StoreContract, RemovesAfterUpsertsOfTheSameBatch) {
  WriteBatch batch;
  for (const char* id : {"r-1", "r-2", "r-3"}) {
    batch.upserts.push_back({EntityTable::kRuns, id, "", "1"});
  }
  batch.removals = {{EntityTable::kRuns, "r-2"},   // made by this very batch
                    {EntityTable::kTasks, "r-1"},  // another table's id
                    {EntityTable::kRuns, "r-7"}};  // nobody's
  ASSERT_TRUE(store_->Commit(batch).ok());
  WriteBatch again;
  again.upserts = {{EntityTable::kRuns, "r-2", "", "2"}};
  ASSERT_TRUE(store_->Commit(again).ok());
  Open();
  EXPECT_THAT(Entities(), ElementsAre("runs r-1  1", "runs r-3  1", "runs r-2  2"));
}

TEST_P(StoreContract, KeepsTextByteForByte) {
  const std::string bytes("caf\xc3\xa9 '\"\\%_;-- \0 end\n", 21);
  WriteBatch batch;
  batch.upserts = {{EntityTable::kMeta, bytes, bytes, bytes}};
  batch.metrics = {{bytes, 1, 1, bytes, 1.0}};
  batch.events = {{1, bytes, bytes, bytes, bytes, bytes, bytes}};
  batch.requests = {{bytes, bytes}};
  ASSERT_TRUE(store_->Commit(batch).ok());
  Open();
  const StoredState state = store_->Load().value();
  ASSERT_EQ(state.entities.size(), 1u);
  EXPECT_EQ(state.entities[0].id, bytes);
  EXPECT_EQ(state.entities[0].experiment, bytes);
  EXPECT_EQ(state.entities[0].body, bytes);
  EXPECT_THAT(state.requests, ElementsAre(std::make_pair(bytes, bytes)));
  const std::vector<StoredMetric> metrics = store_->ReadMetrics(bytes, 0, 9).value();
  ASSERT_EQ(metrics.size(), 1u);
  EXPECT_EQ(metrics[0].metric.name, bytes);
  const std::vector<EventRow> events = store_->ReadEvents(bytes, 0, 9).value();
  ASSERT_EQ(events.size(), 1u);
  for (const std::string& field : {events[0].at, events[0].experiment, events[0].subject,
                                   events[0].kind, events[0].text, events[0].body}) {
    EXPECT_EQ(field, bytes);
  }
}

TEST_P(StoreContract, KeepsEveryDoubleBitForBit) {
  const double values[] = {0.0,
                           -0.0,
                           1.0,
                           -2.5,
                           0.1,
                           1e300,
                           5e-324,
                           123456789012345678.0,
                           std::numeric_limits<double>::max(),
                           std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()};
  WriteBatch batch;
  int64_t step = 0;
  for (double value : values) batch.metrics.push_back({"r-1", 1, ++step, "train_loss", value});
  batch.metrics.push_back(
      {"r-1", 1, ++step, "train_loss", std::numeric_limits<double>::quiet_NaN()});
  ASSERT_TRUE(store_->Commit(batch).ok());
  Open();
  const std::vector<StoredMetric> rows = store_->ReadMetrics("r-1", 0, 100).value();
  ASSERT_EQ(rows.size(), std::size(values) + 1);
  for (size_t i = 0; i < std::size(values); ++i) {
    EXPECT_EQ(std::memcmp(&rows[i].metric.value, &values[i], sizeof(double)), 0)
        << values[i] << " became " << rows[i].metric.value;
  }
  EXPECT_TRUE(std::isnan(rows.back().metric.value));
}

TEST_P(StoreContract, KeepsTheFirstOfRepeatedMetrics) {
  WriteBatch first, second;
  first.metrics = {{"r-1", 1, 10, "loss", 0.5}, {"r-1", 1, 10, "loss", 0.6}};
  second.metrics = {{"r-1", 1, 10, "loss", std::nan("")},
                    {"r-1", 1, 10, "accuracy", 0.25},
                    {"r-1", 2, 10, "loss", 0.75},
                    {"r-1", 1, 11, "loss", 0.4},
                    {"r-2", 1, 10, "loss", 0.125}};
  ASSERT_TRUE(store_->Commit(first).ok());
  ASSERT_TRUE(store_->Commit(second).ok());
  Open();
  std::vector<double> values;
  int64_t last = 0;
  const std::vector<StoredMetric> rows = store_->ReadMetrics("r-1", 0, 100).value();
  for (const StoredMetric& row : rows) {
    EXPECT_GT(row.row, last);
    EXPECT_EQ(row.metric.run, "r-1");
    last = row.row;
    values.push_back(row.metric.value);
  }
  EXPECT_THAT(values, ElementsAre(0.5, 0.25, 0.75, 0.4));
}

TEST_P(StoreContract, PagesMetricsOfOneRun) {
  WriteBatch batch;
  for (int64_t step = 1; step <= 10; ++step) {
    for (const char* run : {"r-1", "r-2"}) batch.metrics.push_back({run, 1, step, "loss", 1.0});
  }
  ASSERT_TRUE(store_->Commit(batch).ok());
  std::vector<int64_t> steps;
  int64_t after = 0;
  for (;;) {
    const std::vector<StoredMetric> page = store_->ReadMetrics("r-2", after, 4).value();
    if (page.empty()) break;
    EXPECT_LE(page.size(), 4u);
    for (const StoredMetric& row : page) steps.push_back(row.metric.step);
    after = page.back().row;
  }
  EXPECT_THAT(steps, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(store_->ReadMetrics("r-2", 0, 0).value(), IsEmpty());
}

TEST_P(StoreContract, PagesEvents) {
  WriteBatch batch;
  for (int64_t n = 1; n <= 6; ++n) batch.events.push_back(Event(n, n % 2 ? "e-1" : ""));
  batch.events.push_back(Event(90, "e-1"));
  ASSERT_TRUE(store_->Commit(batch).ok());
  Open();
  EXPECT_THAT(Events("", 0, 100), ElementsAre(1, 2, 3, 4, 5, 6, 90));
  EXPECT_THAT(Events("", 2, 3), ElementsAre(3, 4, 5));
  EXPECT_THAT(Events("e-1", 0, 2), ElementsAre(1, 3));
  EXPECT_THAT(Events("e-1", 3, 100), ElementsAre(5, 90));
  EXPECT_THAT(Events("e-2", 0, 100), IsEmpty());
  EXPECT_THAT(Events("", 0, 0), IsEmpty());
  EXPECT_EQ(store_->Load().value().last_event, 90);
  const EventRow event = store_->ReadEvents("e-1", 0, 1).value()[0];
  EXPECT_EQ(event.at, "2026-01-02T03:04:05.000Z");
  EXPECT_EQ(event.subject, "r-1");
  EXPECT_EQ(event.kind, "kind");
  EXPECT_EQ(event.text, "text");
  EXPECT_EQ(event.body, "{}");
}

TEST_P(StoreContract, KeepsTheFirstAnswerOfARequest) {
  WriteBatch first, second;
  first.requests = {{"id-b", "e-1"}, {"id-a", "e-2"}};
  second.requests = {{"id-b", "e-9"}, {"id-c", "e-3"}};
  ASSERT_TRUE(store_->Commit(first).ok());
  ASSERT_TRUE(store_->Commit(second).ok());
  Open();
  EXPECT_THAT(store_->Load().value().requests,
              ElementsAre(std::make_pair("id-b", "e-1"), std::make_pair("id-a", "e-2"),
                          std::make_pair("id-c", "e-3")));
}

struct BadBatch {
  const char* name;
  WriteBatch batch;
  const char* says;
};

std::vector<BadBatch> BadBatches() {
  WriteBatch equal, falling, no_id, no_run, no_request;
  equal.events = {Event(7, "")};
  falling.events = {Event(9, ""), Event(8, "")};
  no_id.upserts = {{EntityTable::kRuns, "", "e-1", "{}"}};
  no_run.metrics = {{"", 1, 1, "loss", 1.0}};
  no_request.requests = {{"", "e-1"}};
  return {{"a sequence twice", equal, "event 7"},
          {"falling sequences", falling, "event 8"},
          {"no id", no_id, "table runs has no id"},
          {"no run", no_run, "no run or no name"},
          {"no request id", no_request, "a request has no id"}};
}

// Each bad batch also holds a good row of every kind; none of them may arrive.
TEST_P(StoreContract, RefusesABadBatchAsAWhole) {
  WriteBatch good;
  good.events = {Event(7, "")};
  ASSERT_TRUE(store_->Commit(good).ok());
  for (BadBatch& bad : BadBatches()) {
    SCOPED_TRACE(bad.name);
    bad.batch.upserts.insert(bad.batch.upserts.begin(), {EntityTable::kRuns, "r-1", "", "{}"});
    bad.batch.metrics.insert(bad.batch.metrics.begin(), {"r-1", 1, 1, "loss", 1.0});
    bad.batch.requests.insert(bad.batch.requests.begin(), {"id", "e-1"});
    const absl::Status status = store_->Commit(bad.batch);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(status.message()).find(bad.says), std::string::npos) << status;
    const StoredState state = store_->Load().value();
    EXPECT_THAT(state.entities, IsEmpty());
    EXPECT_THAT(state.requests, IsEmpty());
    EXPECT_EQ(state.last_event, 7);
    EXPECT_THAT(store_->ReadMetrics("r-1", 0, 9).value(), IsEmpty());
  }
  WriteBatch next;
  next.events = {Event(8, "")};
  EXPECT_TRUE(store_->Commit(next).ok()) << "the store goes on";
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::Values("memory", "sqlite"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace scm::store
