#include "coordinator/telemetry/exposition.h"

#include <prometheus/text_serializer.h>

#include "absl/strings/str_replace.h"

namespace scm::telemetry {

std::string Exposition(const std::vector<prometheus::MetricFamily>& families) {
  // Only a sample's value can stand before a line's end: line breaks in labels are escaped, and no
  // help text ends so.
  return absl::StrReplaceAll(prometheus::TextSerializer().Serialize(families),
                             {{" Nan\n", " NaN\n"}});
}

}  // namespace scm::telemetry
