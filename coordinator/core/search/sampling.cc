#include "coordinator/core/search/sampling.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/rng.h"

namespace scm::search {
namespace {

constexpr int kRedraws = 1000;  // before a discrete space counts as used up

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

double Rounded(double value, double low, double high) {
  double rounded = value;
  if (!absl::SimpleAtod(absl::StrFormat("%.5e", value), &rounded)) return value;
  return std::clamp(rounded, low, high);
}

// Values of one dimension in a grid of at most `k` points.
std::vector<Json> GridValues(const ParameterSpace& space, int64_t k) {
  const auto spread = [k](double low, double high, auto at) {
    std::vector<Json> values;
    for (int64_t i = 0; i < k; ++i) {
      const double fraction = k == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(k - 1);
      // The ends are the file's numbers, not what exp(log(x)) makes of them.
      const double value = fraction == 0 ? low : fraction == 1 ? high : at(fraction);
      values.push_back(Rounded(value, low, high));
    }
    return values;
  };
  return std::visit(
      Overloaded{
          [&](const LogUniform& range) {
            return spread(range.low, range.high, [&](double f) {
              return range.low * std::pow(range.high / range.low, f);
            });
          },
          [&](const Uniform& range) {
            return spread(range.low, range.high,
                          [&](double f) { return range.low + f * (range.high - range.low); });
          },
          [&](const IntUniform& range) {
            std::vector<Json> values;
            const int64_t points = std::min(k, range.high - range.low + 1);
            for (int64_t i = 0; i < points; ++i) {
              const double fraction =
                  points == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(points - 1);
              const double width = static_cast<double>(range.high - range.low);
              values.push_back(range.low + static_cast<int64_t>(std::llround(fraction * width)));
            }
            return values;
          },
          [](const Choice& choice) { return choice.values; },
      },
      space);
}

// Points of the grid with k points a range; saturates far beyond any max_trials.
int64_t GridSize(const SweepSpec& spec, int64_t k) {
  constexpr int64_t kMany = int64_t{1} << 40;
  int64_t size = 1;
  for (const auto& [key, space] : spec.space) {
    int64_t points = k;
    if (const auto* choice = std::get_if<Choice>(&space)) {
      points = static_cast<int64_t>(choice->values.size());
    } else if (const auto* range = std::get_if<IntUniform>(&space)) {
      points = std::min(k, range->high - range->low + 1);
    }
    size = size > kMany / std::max<int64_t>(points, 1) ? kMany : size * points;
  }
  return size;
}

std::vector<Json> GridPoints(const SweepSpec& spec) {
  int64_t k = 1;
  while (k < spec.max_trials && GridSize(spec, k + 1) <= spec.max_trials) ++k;
  std::vector<std::vector<Json>> values;
  for (const auto& [key, space] : spec.space) values.push_back(GridValues(space, k));

  std::vector<Json> points;
  std::set<std::string> seen;
  std::vector<size_t> at(values.size(), 0);
  while (static_cast<int64_t>(points.size()) < spec.max_trials) {
    Json point = Json::object();
    for (size_t d = 0; d < values.size(); ++d) point[spec.space[d].first] = values[d][at[d]];
    if (seen.insert(DumpJson(point)).second) points.push_back(std::move(point));
    size_t d = values.size();
    while (d > 0 && ++at[d - 1] == values[d - 1].size()) at[--d] = 0;
    if (d == 0) break;
  }
  return points;
}

Json Draw(const ParameterSpace& space, Philox& rng) {
  return std::visit(Overloaded{
                        [&](const LogUniform& range) -> Json {
                          const double value =
                              range.low * std::pow(range.high / range.low, rng.Uniform());
                          return Rounded(value, range.low, range.high);
                        },
                        [&](const Uniform& range) -> Json {
                          return Rounded(range.low + rng.Uniform() * (range.high - range.low),
                                         range.low, range.high);
                        },
                        [&](const IntUniform& range) -> Json {
                          const uint64_t width = static_cast<uint64_t>(range.high - range.low) + 1;
                          return range.low + static_cast<int64_t>(rng.Below(width));
                        },
                        [&](const Choice& choice) -> Json {
                          return choice.values[rng.Below(choice.values.size())];
                        },
                    },
                    space);
}

std::vector<Json> RandomPoints(const SweepSpec& spec) {
  std::vector<Json> points;
  std::set<std::string> seen;
  for (int64_t trial = 0; trial < spec.max_trials; ++trial) {
    Philox rng(static_cast<uint64_t>(spec.seed), "search", static_cast<uint64_t>(trial));
    bool found = false;
    for (int tries = 0; tries < kRedraws && !found; ++tries) {
      Json point = Json::object();
      for (const auto& [key, space] : spec.space) point[key] = Draw(space, rng);
      found = seen.insert(DumpJson(point)).second;
      if (found) points.push_back(std::move(point));
    }
    if (!found) break;
  }
  return points;
}

absl::Status BadRange(const std::string& key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("sweep.space.", key, ": ", what));
}

absl::Status CheckReals(const std::string& key, double low, double high) {
  if (std::isfinite(low) && std::isfinite(high) && low < high) return absl::OkStatus();
  return BadRange(
      key, absl::StrCat("expected [low, high] with low < high, found [", low, ", ", high, "]"));
}

}  // namespace

absl::Status CheckSpace(const SweepSpec& spec) {
  if (spec.space.empty()) {
    return absl::InvalidArgumentError("sweep.space: empty; name at least one parameter to search");
  }
  if (spec.max_trials < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("sweep.max_trials: expected at least 1, found ", spec.max_trials));
  }
  for (const auto& entry : spec.space) {
    const std::string& key = entry.first;
    const absl::Status status = std::visit(
        Overloaded{
            [&](const LogUniform& range) {
              if (!(range.low > 0)) return BadRange(key, "log_uniform needs low > 0");
              return CheckReals(key, range.low, range.high);
            },
            [&](const Uniform& range) { return CheckReals(key, range.low, range.high); },
            [&](const IntUniform& range) {
              if (range.low < range.high && range.high < (int64_t{1} << 53) &&
                  range.low > -(int64_t{1} << 53)) {
                return absl::OkStatus();
              }
              return BadRange(key, absl::StrCat("expected [low, high] with low < high, found [",
                                                range.low, ", ", range.high, "]"));
            },
            [&](const Choice& choice) {
              if (!choice.values.empty()) return absl::OkStatus();
              return BadRange(key, "choice needs at least one value");
            },
        },
        entry.second);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::vector<Json> SamplePoints(const SweepSpec& spec) {
  return spec.search == "grid" ? GridPoints(spec) : RandomPoints(spec);
}

}  // namespace scm::search
