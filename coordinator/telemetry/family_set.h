// Gathers samples into Prometheus metric families. Not thread-safe; one scrape each.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace scm::telemetry {

class FamilySet {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  void Gauge(const char* name, const char* help, const Labels& labels, double value);
  void Counter(const char* name, const char* help, const Labels& labels, double value);
  // `counts` are per bucket, `bounds` the buckets' upper bounds; +Inf is added.
  template <typename Bounds, typename Counts>
  void Histogram(const char* name, const char* help, const Labels& labels, const Bounds& bounds,
                 const Counts& counts, uint64_t total, double sum) {
    prometheus::ClientMetric& metric = Add(name, help, prometheus::MetricType::Histogram, labels);
    uint64_t cumulative = 0;
    for (size_t i = 0; i < bounds.size(); ++i) {
      cumulative += counts[i];
      metric.histogram.bucket.push_back({cumulative, bounds[i]});
    }
    metric.histogram.bucket.push_back({total, std::numeric_limits<double>::infinity()});
    metric.histogram.sample_count = total;
    metric.histogram.sample_sum = sum;
  }

  std::vector<prometheus::MetricFamily> Take();

 private:
  prometheus::ClientMetric& Add(const char* name, const char* help, prometheus::MetricType type,
                                const Labels& labels);

  std::map<std::string, prometheus::MetricFamily> families_;
};

}  // namespace scm::telemetry
