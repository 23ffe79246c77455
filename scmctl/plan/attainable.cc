#include "scmctl/plan/attainable.h"

#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/core/policy/below_random.h"
#include "corpus/loader.h"
#include "corpus/split.h"
#include "corpus/task_statistics.h"
#include "statistics/detectable_effect.h"
#include "statistics/score_table.h"
#include "statistics/significance.h"

namespace scm::ctl {
namespace {

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::vector<double> ClusterSizes(const corpus::Corpus& corpus, const std::vector<size_t>& items) {
  std::map<std::string, double> sizes;
  for (const size_t item : items) ++sizes[corpus.items[item].cluster_id];
  std::vector<double> list;
  for (const auto& [cluster, size] : sizes) list.push_back(size);
  return list;
}

void WarnBelowRandom(const ExperimentSpec& spec, const corpus::Corpus& corpus,
                     const std::vector<size_t>& validation, Json& warnings) {
  if (!spec.abort.below_random) return;
  const corpus::ItemSetStatistics set = corpus::SingleLabelStatistics(corpus, validation);
  if (set.chance <= 0 || set.chance >= 1) return;
  const BelowRandomSpec& rule = *spec.abort.below_random;
  const int64_t looks =
      policy::LooksOfBelowRandom(rule, spec.training.max_steps, spec.training.eval_steps);
  const int64_t needed = policy::FewestItemsToFire(set.chance, rule.false_abort, looks);
  const auto effective = static_cast<int64_t>(static_cast<double>(set.items) / set.design_effect);
  if (effective >= needed) return;
  warnings.push_back(absl::StrCat("below_random cannot fire: it needs ", needed,
                                  " effective validation items, there are ", effective));
}

// The p gate: which p the report takes, and the gain from which it can be met.
void AddPValue(const ExperimentSpec& spec, const statistics::Design& design, Json& statistics,
               Json& warnings) {
  if (!spec.evaluation->gates.p_value) return;
  const double asked = *spec.evaluation->gates.p_value;
  statistics::DesignAssumptions assumptions;
  assumptions.alpha = asked;
  const statistics::DetectableEffect effect =
      statistics::SmallestDetectableEffect(design, assumptions);
  statistics["p_gate_effect"] = NumberOrNull(effect.effect);
  if (effect.nothing.empty()) return;
  warnings.push_back(
      absl::StrFormat("the gate p_value < %g cannot be met: %s", asked, effect.nothing));
}

void AddAccuracy(const ExperimentSpec& spec, const statistics::Design& design, Json& statistics,
                 Json& warnings) {
  if (!spec.evaluation->gates.accuracy) return;
  const double asked = *spec.evaluation->gates.accuracy;
  const double needed = statistics::AccuracyNeeded(asked, design);
  statistics["accuracy_needed"] = NumberOrNull(needed);
  if (std::isfinite(needed)) return;
  warnings.push_back(absl::StrFormat(
      "the gate accuracy > %g is out of reach: with these clusters and seeds no accuracy passes it "
      "four times in five",
      asked));
}

}  // namespace

Json AttainableStatistics(const ExperimentSpec& spec, Json& warnings) {
  const int seeds = static_cast<int>(spec.replicate.seeds.size());
  Json statistics = {
      {"seeds", seeds},
      {"min_p", seeds > 0 ? Json(statistics::SmallestSignFlipP(seeds, 1 << 20)) : Json(nullptr)},
      {"p_gate_effect", nullptr},
      {"detectable_effect", nullptr},
      {"nothing_detectable", nullptr},
      {"items", nullptr},
      {"clusters", nullptr},
      {"effective_clusters", nullptr},
      {"accuracy_needed", nullptr}};
  if (!spec.data || !spec.evaluation) return statistics;
  const corpus::CorpusLoad load = corpus::LoadCorpus(spec.data->corpus);
  const SplitSpec& split = spec.data->split;
  const auto assignment =
      corpus::AssignSplits(load.corpus, {split.train, split.validation, split.test, split.seed});
  if (!load.ok() || !assignment.ok()) {
    warnings.push_back(absl::StrCat("the corpus ", spec.data->corpus,
                                    " cannot be read, so nothing is said about effects; `scmctl "
                                    "validate` lists what is wrong"));
    return statistics;
  }
  std::vector<std::string> tasks;
  if (spec.evaluation->primary) tasks = {spec.evaluation->primary->task};
  std::vector<size_t> test = corpus::ItemsOf(load.corpus, *assignment, corpus::Split::kTest, tasks);
  std::erase_if(test, [&](size_t item) { return load.corpus.items[item].is_conversation(); });
  const std::vector<double> sizes = ClusterSizes(load.corpus, test);
  const statistics::Design design{sizes, seeds};
  const statistics::DetectableEffect effect = statistics::SmallestDetectableEffect(design);
  statistics["items"] = test.size();
  statistics["clusters"] = sizes.size();
  statistics["effective_clusters"] = NumberOrNull(statistics::EffectiveClusters(sizes));
  statistics["detectable_effect"] = NumberOrNull(effect.effect);
  if (!effect.nothing.empty()) statistics["nothing_detectable"] = effect.nothing;
  AddPValue(spec, design, statistics, warnings);
  AddAccuracy(spec, design, statistics, warnings);
  if (sizes.size() < 10) {
    warnings.push_back(absl::StrCat("the test set has ", sizes.size(),
                                    " clusters: with fewer than "
                                    "10 nothing can be judged"));
  }
  WarnBelowRandom(spec, load.corpus,
                  corpus::ItemsOf(load.corpus, *assignment, corpus::Split::kValidation), warnings);
  return statistics;
}

}  // namespace scm::ctl
