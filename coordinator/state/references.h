// What a record refers to must be there: what is wrong with it, or "". A restart asks for every
// record. Records of a kind that is not named here refer to nothing. Pure.
#pragma once

#include <string>

#include "coordinator/state/cluster.h"

namespace scm::state {

std::string Dangling(const Cluster& c, const Experiment& e);
std::string Dangling(const Cluster& c, const Run& run);
std::string Dangling(const Cluster& c, const Task& task);
std::string Dangling(const Cluster& c, const Trial& trial);
std::string Dangling(const Cluster& c, const CheckpointRecord& checkpoint);
std::string Dangling(const Cluster& c, const ArtifactRecord& artifact);
std::string Dangling(const Cluster& c, const CertificateRecord& certificate);
template <typename Record>
std::string Dangling(const Cluster&, const Record&) {
  return "";
}

}  // namespace scm::state
