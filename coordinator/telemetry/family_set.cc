#include "coordinator/telemetry/family_set.h"

namespace scm::telemetry {

prometheus::ClientMetric& FamilySet::Add(const char* name, const char* help,
                                         prometheus::MetricType type, const Labels& labels) {
  prometheus::MetricFamily& family = families_[name];
  family.name = name;
  family.help = help;
  family.type = type;
  family.metric.emplace_back();
  for (const auto& [key, value] : labels) family.metric.back().label.push_back({key, value});
  return family.metric.back();
}

void FamilySet::Gauge(const char* name, const char* help, const Labels& labels, double value) {
  Add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void FamilySet::Counter(const char* name, const char* help, const Labels& labels, double value) {
  Add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

std::vector<prometheus::MetricFamily> FamilySet::Take() {
  std::vector<prometheus::MetricFamily> all;
  for (auto& [name, family] : families_) all.push_back(std::move(family));
  families_.clear();
  return all;
}

}  // namespace scm::telemetry
