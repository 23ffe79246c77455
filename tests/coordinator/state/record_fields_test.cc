// Every member of every record is described, and what is described survives a restart. Neither test
// knows a field by name: a new one is tested as soon as it is described.
#include "coordinator/state/record_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/state/cluster.h"
#include "coordinator/state/table_writer.h"
#include "coordinator/store/memory_store.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/coordinator/state/record_walks.h"
#include "tests/fakes/temp_dir.h"

namespace scm::state {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// check(record, key) for every kind of record in the list of tables, and for those inside them.
template <typename Check>
void ForEveryKind(const Check& check) {
  Cluster cluster;
  int kinds = 0;
  ForEachTable(
      [&]<typename Id, typename T>(store::EntityTable entity, const Table<Id, T>&) {
        ForEachPart<T>(store::EntityTableName(entity), [&](const auto& record, const char* key) {
          SCOPED_TRACE(key);
          ++kinds;
          check(record);
        });
      },
      cluster);
  EXPECT_GE(kinds, 14);
}

TEST(EveryMember, IsDescribedUnderAKeyOfItsOwn) {
  ForEveryKind([]<typename T>(const T& record) {
    Inventory described;
    Describe(described, record);
    EXPECT_THAT(described.members, SizeIs(MemberCount<T>()))
        << "a member of the struct is missing in coordinator/state/record_fields.h";
    EXPECT_EQ(described.keys.size(), std::set(described.keys.begin(), described.keys.end()).size());
  });
}

TEST(EveryMember, IsFilledWithAnotherValueThanItsDefault) {
  ForEveryKind([]<typename T>(const T& record) {
    T filled{};
    Fill fill;
    Describe(fill, filled);
    Inventory described;
    Describe(described, filled);
    EXPECT_THAT(Differences(filled, record), SizeIs(described.keys.size()));
    EXPECT_THAT(Differences(filled, filled), IsEmpty());
  });
}

// All that a store keeps of this, in a coordinator that starts anew.
std::unique_ptr<Cluster> Restarted(Cluster& cluster, store::StateStore& store) {
  EXPECT_TRUE(store.Commit(cluster.TakeBatch({})).ok());
  auto after = std::make_unique<Cluster>();
  EXPECT_THAT(after->Restore(store.Load().value()), IsEmpty());
  return after;
}

void EveryFieldSurvives(store::StateStore& store) {
  Cluster before;
  ForEachTable(
      []<typename Id, typename T>(store::EntityTable, Table<Id, T>& table) {
        T record;
        Fill fill;
        Describe(fill, record);
        const Id id(record.id);
        state::TableWriter::Insert(table, id, std::move(record));
      },
      before);
  const std::unique_ptr<Cluster> after = Restarted(before, store);
  int tables = 0;
  ForEachTable(
      [&tables](store::EntityTable entity, const auto& was, const auto& is) {
        SCOPED_TRACE(store::EntityTableName(entity));
        ++tables;
        ASSERT_EQ(was.all().size(), 1u);
        ASSERT_EQ(is.all().size(), 1u);
        EXPECT_THAT(Differences(*was.all().begin()->second, *is.all().begin()->second), IsEmpty());
        EXPECT_THAT(is.dirty(), IsEmpty());
      },
      before, *after);
  EXPECT_GE(tables, 8);
}

TEST(ARestart, KeepsEveryFieldOfEveryRecordInMemory) {
  store::MemoryStore store;
  EveryFieldSurvives(store);
}

TEST(ARestart, KeepsEveryFieldOfEveryRecordInSqlite) {
  fake::TempDir directory;
  auto store = store::SqliteStore::Open({directory.path()});
  ASSERT_TRUE(store.ok()) << store.status();
  EveryFieldSurvives(**store);
}

// A row without an experiment is damaged, and what belongs to none is not.
TEST(ARestart, SetsNothingAsideWithARunThatNamesNoExperiment) {
  store::MemoryStore store;
  store::WriteBatch batch;
  batch.upserts = {
      {store::EntityTable::kRuns, "r-1", "", R"({"id":"r-1","stage":"sweep"})"},
      {store::EntityTable::kWorkers, "w-1", "", R"({"id":"w-1","state":"READY"})"},
  };
  ASSERT_TRUE(store.Commit(batch).ok());
  Cluster cluster;
  EXPECT_THAT(cluster.Restore(store.Load().value()), SizeIs(1));
  EXPECT_TRUE(cluster.runs.all().empty());
  EXPECT_EQ(cluster.workers.all().size(), 1u);
}

}  // namespace
}  // namespace scm::state
