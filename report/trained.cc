#include "report/trained.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/human.h"
#include "report/pages.h"

namespace scm::report {
namespace {

const Json& Spec(const Findings& findings) {
  return MemberAt(MemberAt(findings.data, "experiment"), "spec");
}

// What a dotted key of the file stands for in the runs that count: the winner's value, else the
// file's.
Json ValueOf(const Findings& findings, const std::string& key) {
  const Json& winner = MemberAt(MemberAt(findings.data, "experiment"), "winner");
  if (winner.is_object() && winner.contains(key)) return winner[key];
  const Json* at = &Spec(findings);
  for (const absl::string_view part : absl::StrSplit(key, '.')) at = &MemberAt(*at, part);
  return *at;
}

// Text as it is, a number as people write it, anything else as JSON; "" for null.
std::string TextOfValue(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_number_float()) return HumanNumber(value.get<double>(), 4);
  return value.is_string() ? value.get<std::string>() : DumpJson(value);
}

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool IsFallback(const Findings& findings) {
  for (const Json& run : MemberAt(findings.data, "runs")) {
    if (ModelIndexOf(run) > 0) return true;
  }
  return false;
}

bool IsBuiltIn(const Findings& findings) {
  const Json& command = MemberAt(MemberAt(Spec(findings), "trainer"), "command");
  return command.is_array() && command.size() == 1 && command[0] == "scm-trainer";
}

// Items of one split that count: of the trained tasks where the file names them.
std::optional<int64_t> ItemsOfSplit(const Findings& findings, const char* split) {
  const Json& summary = MemberAt(MemberAt(findings.data, "data_check"), "summary");
  const Json& tasks =
      MemberAt(MemberAt(MemberAt(Spec(findings), "trainer"), "parameters"), "train_tasks");
  if (std::string(split) != "test" && tasks.is_array() && !tasks.empty()) {
    int64_t items = 0;
    for (const Json& task : tasks) {
      if (!task.is_string()) return std::nullopt;
      const Json& of_task = MemberAt(MemberAt(summary, "tasks"), task.get<std::string>());
      if (!MemberAt(MemberAt(of_task, "items"), split).is_number_integer()) return std::nullopt;
      items += IntegerAt(MemberAt(of_task, "items"), split, 0);
    }
    return items;
  }
  const Json& items = MemberAt(MemberAt(summary, "splits"), "items");
  if (!MemberAt(items, split).is_number_integer()) return std::nullopt;
  return IntegerAt(items, split, 0);
}

std::optional<int64_t> DocumentsOfSplit(const Findings& findings, const char* split) {
  const Json& documents = MemberAt(
      MemberAt(MemberAt(MemberAt(findings.data, "data_check"), "summary"), "splits"), "documents");
  if (!MemberAt(documents, split).is_number_integer()) return std::nullopt;
  return IntegerAt(documents, split, 0);
}

Json OrNull(const std::optional<int64_t>& value) { return value ? Json(*value) : Json(nullptr); }

std::string ModelName(const Findings& findings) {
  const Json base = ValueOf(findings, IsFallback(findings) ? "model.fallback" : "model.base");
  return BaseName(TextOfValue(base));
}

// "LoRA adapters of rank 16 (alpha 32)"
std::string Adapters(const Findings& findings) {
  const bool rslora = ValueOf(findings, "lora.use_rslora") == Json(true);
  std::vector<std::string> patterns;
  for (const char* key : {"rank_pattern", "alpha_pattern"}) {
    const Json pattern = ValueOf(findings, absl::StrCat("lora.", key));
    if (pattern.is_object() && !pattern.empty()) patterns.emplace_back(key);
  }
  const std::string single =
      patterns.empty() ? ""
                       : absl::StrCat("; of single modules by ", absl::StrJoin(patterns, " and "));
  const std::string init = TextOfValue(ValueOf(findings, "lora.init"));
  return absl::StrCat(rslora ? "rsLoRA" : "LoRA", " adapters of rank ",
                      TextOfValue(ValueOf(findings, "lora.r")), " (alpha ",
                      TextOfValue(ValueOf(findings, "lora.alpha")), single,
                      init.empty() ? "" : absl::StrCat("; begun with ", BaseName(init)), ")");
}

std::string ModelSentence(const Findings& findings) {
  const std::string steps = TextOfValue(ValueOf(findings, "training.max_steps"));
  const std::string rate = TextOfValue(ValueOf(findings, "training.learning_rate"));
  const size_t seeds = findings.seeds.size();
  const std::string count = absl::StrCat(seeds, seeds == 1 ? " seed" : " seeds");
  std::string schedule = steps.empty() ? "" : absl::StrCat(" of at most ", steps, " steps");
  if (!IsBuiltIn(findings)) {
    const Json& command = MemberAt(MemberAt(Spec(findings), "trainer"), "command");
    std::vector<std::string> words;
    for (const Json& word : command) words.push_back(TextOfValue(word));
    const std::string model = ModelName(findings);
    return absl::StrCat(
        "Trained by a program of its own, ", absl::StrJoin(words, " "), ": ", count, schedule,
        model.empty() ? "" : absl::StrCat("; the experiment file names the model ", model), ".");
  }
  const Json targets = ValueOf(findings, "lora.target_modules");
  std::vector<std::string> names;
  for (const Json& target : targets) names.push_back(TextOfValue(target));
  const std::string held = TextOfValue(ValueOf(findings, "lora.quantize_base"));
  const std::string quantized = held.empty() || held == "none" ? "" : absl::StrCat(" in ", held);
  const std::string accumulation = TextOfValue(ValueOf(findings, "training.gradient_accumulation"));
  return absl::StrCat(
      "Trained: ", Adapters(findings), " on ", absl::StrJoin(names, ", "), " of the ",
      IsFallback(findings) ? "fallback model " : "model ", ModelName(findings), quantized, "; ",
      count, schedule, " with ", TextOfValue(ValueOf(findings, "training.batch_size")),
      accumulation == "1" ? "" : absl::StrCat(" × ", accumulation), " sequences, learning rate ",
      rate, ", ", TextOfValue(ValueOf(findings, "training.precision")), ".");
}

std::string DataSentence(const Findings& findings) {
  const auto train = ItemsOfSplit(findings, "train"),
             validation = ItemsOfSplit(findings, "validation"),
             test = ItemsOfSplit(findings, "test"), documents = DocumentsOfSplit(findings, "train");
  if (!train || !validation || !test) return "";
  std::string text = absl::StrCat(IsBuiltIn(findings) ? "Data: trained on " : "The corpus holds ",
                                  *train, IsBuiltIn(findings) ? " items" : " training items");
  if (documents) absl::StrAppend(&text, " (", *documents, " documents)");
  if (!IsBuiltIn(findings)) {
    return absl::StrCat(text, ", ", *validation, " for validation, ", *test, " for the test.");
  }
  const bool answers = TextOfValue(ValueOf(findings, "training.loss_on")) == "answer";
  return absl::StrCat(text, answers ? ", their answers only" : ", every token of both",
                      "; validated on ", *validation, ", ", *test, " kept for the test.");
}

// The parameters that the sweep chose, "learning_rate 0.0003"; the last word of a key says enough.
std::string WinnerText(const Json& winner) {
  std::vector<std::string> parts;
  for (auto it = winner.begin(); it != winner.end(); ++it) {
    parts.push_back(absl::StrCat(it.key(), " ", TextOfValue(it.value())));
  }
  return absl::StrJoin(parts, ", ");
}

std::string SweepSentence(const Findings& findings) {
  const Json& sweep = MemberAt(findings.data, "sweep");
  const Json& trials = MemberAt(sweep, "trials");
  if (!trials.is_array() || trials.empty()) return "";
  const std::string winner = StringAt(sweep, "winner");
  const std::string count = absl::StrCat(trials.size(), trials.size() == 1 ? " trial" : " trials");
  if (winner.empty()) {
    return absl::StrCat("Sweep: ", count, ", none of which was chosen; they are in the details.");
  }
  for (const Json& trial : trials) {
    if (StringAt(trial, "trial") != winner) continue;
    const std::optional<double> value = NumberFromJson(MemberAt(trial, "value"));
    return absl::StrCat(
        "Sweep: of ", count, " ", winner, " was chosen (",
        WinnerText(MemberAt(trial, "parameters")), ")",
        value ? absl::StrCat(" for its ", StringAt(sweep, "metric"), " ", HumanNumber(*value, 4),
                             " at step ", IntegerAt(trial, "value_step", 0))
              : "",
        "; every trial is in the details.");
  }
  return "";
}

// The fall of a run's validation loss, as a share of the untouched base's; nullopt where it is
// unknown.
std::optional<double> LossFall(const Json& run) {
  double base = NAN, lowest = INFINITY;
  for (const Json& point : MemberAt(run, "points")) {
    const auto value = NumberFromJson(MemberAt(point, "value"));
    if (StringAt(point, "name") != "validation_loss" || !value || !std::isfinite(*value)) continue;
    if (IntegerAt(point, "step", -1) == 0) {
      base = *value;
    } else {
      lowest = std::min(lowest, *value);
    }
  }
  if (!(base > 0) || !std::isfinite(lowest)) return std::nullopt;
  return 1 - lowest / base;
}

struct SeedCounts {
  int finished = 0, early = 0, known = 0, reached = 0;
};

SeedCounts CountSeeds(const Findings& findings, double asked) {
  SeedCounts counts;
  for (const Seed& seed : findings.seeds) {
    if (seed.state != "SUCCEEDED") continue;
    ++counts.finished;
    for (const Json& run : MemberAt(findings.data, "runs")) {
      if (StringAt(run, "id") != seed.run) continue;
      counts.early += IntegerAt(run, "step", 0) < IntegerAt(run, "stop_at_step", 0) ? 1 : 0;
      const std::optional<double> fall = LossFall(run);
      counts.known += fall ? 1 : 0;
      counts.reached += fall && *fall >= asked ? 1 : 0;
    }
  }
  return counts;
}

std::string SeedsSentence(const Findings& findings) {
  const Json& rule = MemberAt(MemberAt(Spec(findings), "abort"), "no_convergence");
  const double asked = NumberAt(rule, "min_loss_reduction", NAN);
  const SeedCounts counts = CountSeeds(findings, asked);
  if (counts.finished == 0) return "";
  std::string text =
      absl::StrCat("Seeds: ", counts.finished, " of ", findings.seeds.size(), " finished");
  if (counts.early > 0) {
    absl::StrAppend(&text, ", ", counts.early, " of them before the last step");
  }
  if (std::isfinite(asked) && counts.known > 0) {
    absl::StrAppend(&text, "; the validation loss of ", counts.reached, " fell by at least ",
                    absl::StrFormat("%.3g %%", 100 * asked),
                    " of the untouched base's (min_loss_reduction)");
    if (counts.known < counts.finished) {
      absl::StrAppend(&text, ", of ", counts.finished - counts.known, " it is unknown");
    }
  }
  return text + ".";
}

bool HasLoss(const Findings& findings, const std::string& id) {
  for (const Json& run : MemberAt(findings.data, "runs")) {
    if (StringAt(run, "id") == id) return LossFall(run).has_value();
  }
  return false;
}

std::string ArtifactText(const Findings& findings, const std::string& id) {
  for (const Json& artifact : MemberAt(findings.data, "artifacts")) {
    if (StringAt(artifact, "id") != id) continue;
    return absl::StrCat(id, ", ", HumanBytes(IntegerAt(artifact, "bytes", 0)));
  }
  return "";
}

// An adapter trained over a quantised base was merged into another one, and what that costs.
std::string MergedIntoText(const Json& merged) {
  if (!merged.is_object()) return "";
  const auto loss = [&merged](const char* key) {
    const std::optional<double> value = NumberFromJson(MemberAt(merged, key));
    return value ? absl::StrFormat("%.4f", *value) : std::string("not measured");
  };
  return absl::StrCat(" The merged model holds the base as it is (", StringAt(merged, "base"),
                      "), not in ", StringAt(merged, "trained_over"),
                      " as it was trained: validation loss ", loss("validation_loss_merged"),
                      ", over the ", StringAt(merged, "trained_over"), " base ",
                      loss("validation_loss_trained"), ".");
}

std::string ExportSentence(const Findings& findings) {
  const Json& exported = MemberAt(findings.data, "export");
  if (!exported.is_object()) return "";
  const std::string task = StringAt(exported, "task"), state = StringAt(exported, "state");
  std::vector<std::string> what;
  for (const auto& [name, word] :
       {std::pair("adapter", "the adapter"), std::pair("merged", "the merged model")}) {
    const std::string text = ArtifactText(findings, absl::StrCat(task, "/", name));
    if (!text.empty()) what.push_back(absl::StrCat(word, " (", text, ")"));
  }
  if (what.empty()) return absl::StrCat("Exported: nothing; ", task, " is ", state, ".");
  std::string which;
  if (MemberAt(exported, "seed").is_number()) {
    which = absl::StrCat("seed ", IntegerAt(exported, "seed", 0));
    if (!StringAt(exported, "run").empty()) {
      absl::StrAppend(&which, " (", StringAt(exported, "run"), ", step ",
                      IntegerAt(exported, "step", 0), ")");
    }
    absl::StrAppend(&which, HasLoss(findings, StringAt(exported, "run"))
                                ? ", the one with the lowest validation loss, as "
                                : " as ");
  }
  const std::string id = StringAt(MemberAt(findings.data, "experiment"), "id");
  return absl::StrCat("Exported: ", which, absl::StrJoin(what, " and "), "; scmctl report ", id,
                      " writes them beside this report.",
                      MergedIntoText(MemberAt(exported, "merged_into")));
}

Json LoraJson(const Findings& findings) {
  const Json& lora = MemberAt(Spec(findings), "lora");
  if (!lora.is_object()) return lora;
  Json trained = Json::object();
  for (auto it = lora.begin(); it != lora.end(); ++it) {
    trained[it.key()] = ValueOf(findings, absl::StrCat("lora.", it.key()));
  }
  return trained;
}

}  // namespace

std::vector<std::string> TrainedSentences(const Findings& findings) {
  std::vector<std::string> sentences;
  if (findings.seeds.empty()) {
    if (std::string sweep = SweepSentence(findings); !sweep.empty()) sentences.push_back(sweep);
    return sentences;
  }
  for (const std::string& one :
       {ModelSentence(findings), DataSentence(findings), SweepSentence(findings),
        SeedsSentence(findings), ExportSentence(findings)}) {
    if (!one.empty()) sentences.push_back(one);
  }
  return sentences;
}

Json TrainedJson(const Findings& findings) {
  if (findings.seeds.empty()) return nullptr;
  Json items = Json::object(), documents = Json::object();
  for (const char* split : {"train", "validation", "test"}) {
    items[split] = OrNull(ItemsOfSplit(findings, split));
    documents[split] = OrNull(DocumentsOfSplit(findings, split));
  }
  const double asked = NumberAt(MemberAt(MemberAt(Spec(findings), "abort"), "no_convergence"),
                                "min_loss_reduction", NAN);
  const SeedCounts counts = CountSeeds(findings, asked);
  const std::string model = ModelName(findings);
  return {{"model", model.empty() ? Json(nullptr) : Json(model)},
          {"fallback", IsFallback(findings)},
          {"built_in", IsBuiltIn(findings)},
          {"lora", LoraJson(findings)},
          {"parameters", MemberAt(MemberAt(findings.data, "experiment"), "winner")},
          {"max_steps", ValueOf(findings, "training.max_steps")},
          {"items", items},
          {"documents", documents},
          {"seeds", findings.seeds.size()},
          {"finished", counts.finished},
          {"reached_min_loss_reduction", std::isfinite(asked) && counts.known == counts.finished
                                             ? Json(counts.reached)
                                             : Json(nullptr)},
          {"sentences", TrainedSentences(findings)}};
}

}  // namespace scm::report
