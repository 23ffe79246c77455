// Write access to tables, for this folder's reducer and restore and for tests that make a state;
// scripts/check_layers.py refuses it anywhere else. Everyone else changes records through
// Cluster::Apply.
#pragma once

#include <type_traits>
#include <utility>

#include "coordinator/state/cluster.h"

namespace scm::state {

class TableWriter {
 public:
  template <typename Id, typename T>
  static T& Mutate(Table<Id, T>& table, const std::type_identity_t<Id>& id) {
    return table.Mutate(id);
  }
  template <typename Id, typename T>
  static T& Insert(Table<Id, T>& table, const std::type_identity_t<Id>& id,
                   std::type_identity_t<T> record) {
    return table.Insert(id, std::move(record));
  }
  template <typename Id, typename T>
  static void Forget(Table<Id, T>& table, const std::type_identity_t<Id>& id) {
    table.Forget(id);
  }
};

}  // namespace scm::state
