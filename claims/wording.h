// What is stored, as sentences that are true, in English and Spanish. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "claims/facts.h"

namespace scm::claims {

enum class Language { kEnglish, kSpanish };
Language LanguageOf(absl::string_view sentence);

// "On legal_reasoning the model gains 16.9 points over base-1b (95 % interval 10.1 to 23.7,
// p < .001)."
std::string ComparisonSentence(const TaskFact& task, const ComparisonFact& one, Language language);
std::string LevelSentence(const TaskFact& task, bool f1, Language language);
std::string BaselineSentence(const TaskFact& task, const ComparisonFact& one, Language language);
std::string ShareSentence(const TaskFact& task, const ComparisonFact& one, Language language);
std::string ChanceSentence(const TaskFact& task, Language language);
std::string LossSentence(const Facts& facts, bool from_guessing, Language language);
std::string LatencySentence(const LatencyFact& one, Language language);
std::string SizeSentence(const Facts& facts, bool peak, Language language);
std::string CostSentence(const Facts& facts, Language language);
std::string CountSentence(const Facts& facts, Language language);
std::string GatesSentence(const Facts& facts, Language language);

}  // namespace scm::claims
