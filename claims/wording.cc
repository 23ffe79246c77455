#include "claims/wording.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "claims/words.h"

namespace scm::claims {
namespace {

// Two languages of one sentence side by side.
const char* In(Language language, const char* english, const char* spanish) {
  return language == Language::kEnglish ? english : spanish;
}

std::string Number(double value, int decimals, Language language) {
  std::string text = absl::StrFormat("%.*f", decimals, value);
  return language == Language::kEnglish ? text : absl::StrReplaceAll(text, {{".", ","}});
}
std::string Percent(double share, Language language) {
  return Number(100 * share, 1, language) + " %";
}
std::string Points(double share, Language language) { return Number(100 * share, 1, language); }

std::string P(double p, Language language) {
  if (p < 0.001) return In(language, "p < .001", "p < ,001");
  return "p = " + Number(p, 3, language);
}

// "95 % interval 57.1 to 71.0"; without a sentence around it.
std::string Interval(const std::string& low, const std::string& high, Language language) {
  return absl::StrCat(In(language, "95 % interval ", "intervalo del 95 % de "), low,
                      In(language, " to ", " a "), high);
}

std::string NotJudged(const std::string& what, const std::string& why, Language language) {
  return absl::StrCat(what, In(language, " cannot be judged: ", " no puede juzgarse: "), why);
}

}  // namespace

Language LanguageOf(absl::string_view sentence) {
  static const char* const kSpanish[] = {"el",      "la",  "los", "las", "del",   "que",  "en",
                                         "un",      "una", "es",  "con", "por",   "para", "modelo",
                                         "nuestro", "al",  "se",  "y",   "mejor", "su"};
  static const char* const kEnglish[] = {"the", "of", "and",   "is", "in", "with", "our", "than",
                                         "to",  "by", "model", "on", "we", "are",  "at",  "over"};
  int spanish = 0, english = 0;
  for (const Word& word : SplitWords(sentence)) {
    const auto is = [&word](const char* one) { return word.text == one; };
    spanish += std::any_of(std::begin(kSpanish), std::end(kSpanish), is) ? 1 : 0;
    english += std::any_of(std::begin(kEnglish), std::end(kEnglish), is) ? 1 : 0;
  }
  return spanish > english ? Language::kSpanish : Language::kEnglish;
}

std::string ComparisonSentence(const TaskFact& task, const ComparisonFact& one, Language l) {
  const std::string pair = absl::StrCat(task.name, In(l, " against ", " frente a "), one.baseline);
  if (!one.missing.empty()) {
    return absl::StrCat(In(l, "There is no result on ", "No hay resultado en "), pair, ": ",
                        one.missing);
  }
  const Bound& d = one.difference;
  if (!d.judged()) {
    return NotJudged(absl::StrCat(In(l, "The comparison on ", "La comparación en "), pair),
                     d.cannot_be_judged, l);
  }
  if (!one.Shown()) {
    return absl::StrCat(In(l, "On ", "En "), task.name,
                        In(l, " no difference from ", " no se mostró diferencia respecto a "),
                        one.baseline, In(l, " was shown (", " ("),
                        Interval(Points(d.low, l), Points(d.high, l), l),
                        In(l, " points, ", " puntos, "), P(one.p, l), ").");
  }
  const bool gains = d.value > 0;
  const double low = gains ? d.low : -d.high, high = gains ? d.high : -d.low;
  return absl::StrCat(In(l, "On ", "En "), task.name,
                      gains ? In(l, " the model gains ", " el modelo gana ")
                            : In(l, " the model loses ", " el modelo pierde "),
                      Points(std::fabs(d.value), l), In(l, " points against ", " puntos frente a "),
                      one.baseline, " (", Interval(Points(low, l), Points(high, l), l), ", ",
                      P(one.p, l), ").");
}

std::string LevelSentence(const TaskFact& task, bool f1, Language l) {
  const Bound& bound = f1 ? task.f1 : task.score;
  const std::string what = absl::StrCat(f1 ? "Macro F1" : In(l, "Accuracy", "La exactitud"),
                                        In(l, " on ", " en "), task.name);
  if (!bound.judged()) return NotJudged(what, bound.cannot_be_judged, l);
  return absl::StrCat(what, In(l, " is ", " es del "), Percent(bound.value, l), " (",
                      Interval(Points(bound.low, l), Points(bound.high, l), l), ").");
}

std::string BaselineSentence(const TaskFact& task, const ComparisonFact& one, Language l) {
  const std::string what = absl::StrCat(In(l, "The accuracy of ", "La exactitud de "), one.baseline,
                                        In(l, " on ", " en "), task.name);
  const Bound& bound = one.baseline_score;
  if (!bound.judged()) return NotJudged(what, bound.cannot_be_judged, l);
  return absl::StrCat(what, In(l, " is ", " es del "), Percent(bound.value, l), " (",
                      Interval(Points(bound.low, l), Points(bound.high, l), l), ").");
}

std::string ShareSentence(const TaskFact& task, const ComparisonFact& one, Language l) {
  const std::string what =
      absl::StrCat(In(l, "The share of the accuracy of ", "La proporción de la exactitud de "),
                   one.baseline, In(l, " on ", " en "), task.name);
  if (!one.share.judged()) return NotJudged(what, one.share.cannot_be_judged, l);
  return absl::StrCat(
      In(l, "On ", "En "), task.name, In(l, " the model reaches ", " el modelo alcanza el "),
      Percent(one.share.value, l), In(l, " of the accuracy of ", " de la exactitud de "),
      one.baseline, " (", Interval(Points(one.share.low, l), Points(one.share.high, l), l), ").");
}

std::string ChanceSentence(const TaskFact& task, Language l) {
  return absl::StrCat(LevelSentence(task, false, l), In(l, " Chance is ", " El azar da "),
                      Percent(task.chance, l), ".");
}

std::string LossSentence(const Facts& facts, bool from_guessing, Language l) {
  const Bound& bound = from_guessing ? facts.loss_from_guessing : facts.loss_before_training;
  const std::string what = from_guessing
                               ? In(l, "The loss reduction, counted from guessing,",
                                    "La reducción de la pérdida, contada desde el azar,")
                               : In(l, "The loss reduction from before training",
                                    "La reducción de la pérdida desde antes del entrenamiento");
  if (!bound.known()) {
    return absl::StrCat(what, In(l, " was not measured.", " no se midió."));
  }
  if (!bound.judged()) return NotJudged(what, bound.cannot_be_judged, l);
  return absl::StrCat(what, In(l, " is ", " es del "), Percent(bound.value, l), " (",
                      Interval(Points(bound.low, l), Points(bound.high, l), l), ").");
}

std::string LatencySentence(const LatencyFact& one, Language l) {
  if (std::isnan(one.p95_bound)) {
    return absl::StrCat(In(l, "The median latency is ", "La latencia mediana es de "),
                        Number(one.p50, 0, l),
                        In(l, " ms; no bound of its 95th percentile is certified.",
                           " ms; no hay cota certificada de su percentil 95."));
  }
  return absl::StrCat(
      In(l, "The median latency is ", "La latencia mediana es de "), Number(one.p50, 0, l),
      In(l, " ms, and its 95th percentile is below ", " ms, y su percentil 95 está por debajo de "),
      Number(std::ceil(one.p95_bound), 0, l),
      In(l, " ms with 99 % confidence.", " ms con una confianza del 99 %."));
}

std::string SizeSentence(const Facts& facts, bool peak, Language l) {
  const double bytes = peak ? facts.peak_bytes : facts.model_bytes;
  if (std::isnan(bytes)) {
    return In(l, "No such size was measured.", "No se midió ese tamaño.");
  }
  return absl::StrCat(peak ? In(l, "Peak memory is ", "La memoria máxima es de ")
                           : In(l, "The model takes ", "El modelo ocupa "),
                      Number(bytes / 1e6, 0, l), " MB.");
}

std::string CostSentence(const Facts& facts, Language l) {
  if (std::isnan(facts.cost)) return In(l, "No cost was recorded.", "No se registró ningún costo.");
  return absl::StrCat(In(l, "The experiment cost ", "El experimento costó "),
                      Number(facts.cost, 2, l), " ", facts.currency,
                      In(l, " of a budget of ", " de un presupuesto de "),
                      Number(facts.budget, 2, l), ".");
}

std::string CountSentence(const Facts& facts, Language l) {
  std::string text = absl::StrCat(facts.finished, In(l, " of ", " de "), facts.seeds,
                                  In(l, " seeds finished", " semillas terminaron"));
  if (facts.converged.has_value()) {
    absl::StrAppend(&text, ", ", *facts.converged,
                    In(l, " reached the loss reduction asked for",
                       " alcanzaron la reducción de pérdida pedida"));
  }
  absl::StrAppend(
      &text, ", ", facts.seeds_aborted,
      In(l, " were aborted; of all runs ", " fueron abortadas; de todas las corridas, "),
      facts.runs_aborted, ".");
  return text;
}

std::string GatesSentence(const Facts& facts, Language l) {
  std::vector<std::string> met, unmet;
  for (const GateFact& gate : facts.gates)
    (gate.result == "met" ? met : unmet).push_back(gate.name);
  if (facts.gates.empty()) {
    return In(l, "The experiment names no gates.", "El experimento no nombra puertas.");
  }
  const char* none = In(l, "none", "ninguna");
  return absl::StrCat(In(l, "Gates met: ", "Puertas cumplidas: "),
                      met.empty() ? none : absl::StrJoin(met, ", "),
                      In(l, "; not met: ", "; no cumplidas: "),
                      unmet.empty() ? none : absl::StrJoin(unmet, ", "), ".");
}

}  // namespace scm::claims
