// Answers as text for people. Pure: JSON of the contract in, lines out. A missing value is "–".
// What is given here went through CleanTexts: a coordinator that is older, or rows that are, may
// hold bytes that steer a terminal.
#pragma once

#include <string>

#include "common/json.h"
#include "scmctl/render/terminal.h"

namespace scm::ctl {

std::string RenderList(const Json& answer, const Terminal& terminal);
std::string RenderStatus(const Json& answer, const Terminal& terminal);
std::string RenderRuns(const Json& answer, const Terminal& terminal);
std::string RenderMetrics(const Json& answer, const Terminal& terminal);
std::string RenderEvents(const Json& answer, const Terminal& terminal);
std::string RenderWhy(const Json& answer, const Terminal& terminal);
std::string RenderCheckpoints(const Json& answer, const Terminal& terminal);
std::string RenderArtifacts(const Json& answer, const Terminal& terminal);
std::string RenderDoctor(const Json& answer, const Terminal& terminal);
std::string RenderVerifiedCheckpoints(const Json& answer, const Terminal& terminal);
std::string RenderWorkers(const Json& answer, const Terminal& terminal);

// The live view of `watch`: header, runs with bars, what else happens, the latest aborts. No line
// is wider and there are no more lines than the terminal has; what does not fit is counted.
std::string RenderLive(const Json& status, const Terminal& terminal);
// What a pipe gets instead: a line for every change between two answers ("" if nothing changed).
std::string RenderChanges(const Json& before, const Json& now);
// The end: decision or state, its sentences, seeds, aborts and what they saved, money. `why` is the
// answer of `why` for the experiment, or null.
std::string RenderOutcome(const Json& status, const Json& why, const Terminal& terminal);

// The artifacts of a status answer by name, with sizes, in lines of at most `width` columns; "" if
// there are none.
std::string ArtifactsText(const Json& status, int width);
// "$38.20 of $200", "$38.20", or "" without a budget.
std::string CostText(const Json& experiment);
// A cell: text, number or "–".
std::string Cell(const Json& value, int digits = 4);
// "RULE: REASON" of an aborted run; the rule alone is not said twice.
std::string AbortText(const Json& run);
// What a task does: "report", "evaluate seed 11".
std::string TaskText(const Json& task);
// RFC 3339 in UTC as local time with its zone.
std::string LocalTime(const std::string& rfc3339);

}  // namespace scm::ctl
