#include "scmctl/input_digests.h"

#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "corpus/corpus_digest.h"
#include "corpus/loader.h"
#include "corpus/quality.h"
#include "corpus/split.h"
#include "trainer/model_source.h"

namespace scm {
namespace {

bool IsDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

constexpr size_t kListed = 20;  // problems of one corpus

void CheckModel(const NamedInput& input, ParsedExperiment& parsed) {
  if (const absl::Status status = ValidateModelHeader(input.path); !status.ok()) {
    parsed.errors.push_back({input.line, input.key, std::string(status.message())});
  }
}

// Every message at the line of the input, cut where a list would be longer than anyone reads.
void AddAll(const NamedInput& input, const std::vector<std::string>& messages,
            std::vector<Diagnostic>& list) {
  for (size_t i = 0; i < std::min(kListed, messages.size()); ++i) {
    list.push_back({input.line, input.key, messages[i]});
  }
  if (messages.size() <= kListed) return;
  list.push_back({input.line, input.key,
                  absl::StrCat("… and ", messages.size() - kListed, " more of the kind")});
}

std::vector<std::string> Formatted(const std::string& corpus,
                                   const std::vector<CorpusProblem>& problems) {
  std::vector<std::string> messages;
  for (const CorpusProblem& problem : problems) {
    const std::string prefix = problem.file.empty() ? "" : absl::StrCat(corpus, "/");
    messages.push_back(absl::StrCat(prefix, FormatCorpusProblem(problem)));
  }
  return messages;
}

// What the stage `check` would refuse, before anything is started.
void CheckCorpus(const NamedInput& input, ParsedExperiment& parsed) {
  const CorpusLoad load = LoadCorpus(input.path);
  AddAll(input, Formatted(input.path, load.errors), parsed.errors);
  AddAll(input, Formatted(input.path, load.warnings), parsed.warnings);
  if (!load.ok() || !parsed.spec) return;
  const SplitSpec& split = parsed.spec->data->split;
  const auto assignment =
      AssignSplits(load.corpus, {split.train, split.validation, split.test, split.seed});
  if (!assignment.ok()) {
    parsed.errors.push_back({input.line, input.key, std::string(assignment.status().message())});
    return;
  }
  QualityOptions options;
  if (parsed.spec->evaluation) options.tasks = parsed.spec->evaluation->tasks;
  const QualityReport quality = CheckQuality(load.corpus, *assignment, options);
  AddAll(input, quality.Messages(Severity::kError), parsed.errors);
  AddAll(input, quality.Messages(Severity::kWarning), parsed.warnings);
}

// The name and bytes of every file that makes up a model, in sorted order.
absl::StatusOr<std::string> ModelDigest(const std::string& path) {
  if (!IsDirectory(path)) return Sha256OfFile(path);
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(path);
  if (!names.ok()) return names.status();
  Sha256 all;
  for (const std::string& name : *names) {
    if (!absl::EndsWith(name, ".json") && !absl::EndsWith(name, ".safetensors")) continue;
    const absl::StatusOr<std::string> one = Sha256OfFile(absl::StrCat(path, "/", name));
    if (!one.ok()) return one;
    all.Update(absl::StrCat(name, " ", *one, "\n"));
  }
  return all.Finish();
}

}  // namespace

void CheckInputs(ParsedExperiment& parsed) {
  for (const NamedInput& input : parsed.inputs) {
    input.corpus ? CheckCorpus(input, parsed) : CheckModel(input, parsed);
  }
  for (std::vector<Diagnostic>* list : {&parsed.errors, &parsed.warnings}) {
    std::stable_sort(list->begin(), list->end(),
                     [](const Diagnostic& a, const Diagnostic& b) { return a.line < b.line; });
  }
}

Json InputDigests(const ExperimentSpec& spec) {
  Json digests = Json::object();
  if (spec.data) {
    if (const auto digest = CorpusDigest(spec.data->corpus); digest.ok())
      digests["corpus"] = *digest;
  }
  if (spec.model) {
    if (const auto digest = ModelDigest(spec.model->base); digest.ok()) digests["model"] = *digest;
  }
  return digests;
}

}  // namespace scm
