// The Prometheus text format, version 0.0.4. Pure.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace scm::telemetry {

// As prometheus-cpp writes it, but for the value that it spells "Nan": the format's word is "NaN".
std::string Exposition(const std::vector<prometheus::MetricFamily>& families);

}  // namespace scm::telemetry
