// The tables of records (coordinator/store/tables.def) as types: what is held a table, and how to
// walk over it. Also what a table asks of every record: its row's id, and its experiment.
#pragma once

#include <string>
#include <type_traits>

#include "coordinator/core/model.h"
#include "coordinator/store/state_store.h"

namespace scm::state {

// What goes with a row that cannot be used: itself alone, or its experiment, which cannot go on
// without it.
enum class Loss { kRow, kExperiment };

constexpr Loss LossOf(store::EntityTable table) {
  switch (table) {
#define SCM_ENTITIES(entity, name, since, loss) \
  case store::EntityTable::entity:              \
    return Loss::loss;
#include "coordinator/store/tables.def"
  }
  return Loss::kRow;
}

// A member for each table, by the table's name, e.g. `Held<TrialId, Trial> trials`.
template <template <typename Id, typename Record> class Held>
struct PerTable {
#define SCM_RECORDS(entity, name, since, Id, Record, loss) Held<Id, Record> name;
#include "coordinator/store/tables.def"
};

// visit(table, member...) for each, in the list's order; a member of each PerTable given.
template <typename Visit, typename... PerTables>
void ForEachTable(const Visit& visit, PerTables&... tables) {
#define SCM_RECORDS(entity, name, since, Id, Record, loss) \
  visit(store::EntityTable::entity, tables.name...);
#include "coordinator/store/tables.def"
}

inline const std::string& RowId(const std::string& id) { return id; }
template <char kPrefix>
const std::string& RowId(const Id<kPrefix>& id) {
  return id.str();
}

// The experiment that the record's row belongs to; empty where it names none.
template <typename Record>
ExperimentId ExperimentOf(const Record& record) {
  if constexpr (std::is_same_v<Record, Experiment>) {
    return record.id;
  } else if constexpr (requires { record.experiment; }) {
    return record.experiment;
  } else {
    return {};
  }
}

}  // namespace scm::state
