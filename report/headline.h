// The sentences that say what was found. Each is true whatever was found: a difference that was not
// shown is never called a gain, and chance stands beside every score. Pure.
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace scm::report {

// The primary score, the primary comparison, and the worst loss elsewhere where there is one that
// is significant. For findings of an evaluation.
std::string Headline(const Findings& findings);

// How far the seeds came and why nothing was evaluated.
std::string HeadlineWithoutEvaluation(const Findings& findings);

// "Against base it gains 3.1 points (95 % interval …, p = …)", without a full stop.
std::string ComparisonText(const TaskComparison& one);

// Every significant difference but the primary one, losses first and in words; then how many more
// comparisons showed none.
std::vector<std::string> OtherDifferences(const Findings& findings);

}  // namespace scm::report
