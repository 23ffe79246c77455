// The single data checks behind CheckQuality. Internal to corpus/.
#pragma once

#include <string>
#include <vector>

#include "common/json.h"
#include "corpus/corpus.h"
#include "corpus/quality.h"
#include "corpus/split.h"

namespace scm::corpus {

// What every check looks at; the references outlive it.
struct QualityInput {
  const Corpus& corpus;
  const SplitAssignment& assignment;
  const QualityOptions& options;
  std::vector<std::string> tasks;  // never empty when the corpus has items
};

// A finding about `subjects`, of which it lists the first few.
Finding MakeFinding(const QualityInput& input, Severity severity, const std::string& check,
                    const std::string& message, const std::vector<std::string>& subjects);

// Equal for items that ask the same: task, prompt and choices in any order, folded; for
// conversations that say the same.
std::string QuestionKey(const Item& item);

// Between splits (quality_leakage.cc).
void FindExactDuplicates(const QualityInput& input, std::vector<Finding>* findings);
void FindNearDuplicates(const QualityInput& input, std::vector<Finding>* findings);
void FindClusterLeakage(const QualityInput& input, std::vector<Finding>* findings);
void FindContainment(const QualityInput& input, std::vector<Finding>* findings);

// Within a task or the whole corpus (quality_balance.cc).
void FindConflictingLabels(const QualityInput& input, std::vector<Finding>* findings);
void FindEmptySplits(const QualityInput& input, std::vector<Finding>* findings);
void FindImbalance(const QualityInput& input, std::vector<Finding>* findings);
void FindMissingFields(const QualityInput& input, std::vector<Finding>* findings);

// The "summary" of the report (quality_summary.cc).
Json SummarizeCorpus(const QualityInput& input);

}  // namespace scm::corpus
