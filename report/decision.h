// Go or no-go: gates on confidence bounds, and the two sentences that say so. Pure.
#pragma once

#include <string>

#include "report/findings.h"

namespace scm::report {

// Fills gates, decision, headline, reason, advice and limits from the numbers that are there.
void Decide(Findings& findings);

// "0.64, 95 % interval 0.57–0.71", or why there is none.
std::string EstimateText(const statistics::Estimate& estimate, int digits = 2);

// What a gate is called for people: "accuracy", "p-value", "latency p95, ms".
std::string GateTitle(const std::string& name);

}  // namespace scm::report
