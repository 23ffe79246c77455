#include "coordinator/store/state_store.h"

namespace scm::store {

const char* EntityTableName(EntityTable table) {
  switch (table) {
#define SCM_ENTITIES(entity, name, since, loss) \
  case EntityTable::entity:                     \
    return #name;
#include "coordinator/store/tables.def"
  }
  return "?";
}

}  // namespace scm::store
