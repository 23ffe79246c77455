#include "scmctl/input_digests.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/match.h"
#include "common/digest.h"
#include "common/files.h"
#include "corpus/corpus_digest.h"
#include "corpus/loader.h"
#include "trainer/model_source.h"

namespace scm {
namespace {

bool IsDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

void CheckModel(const std::string& key, const std::string& path, ParsedExperiment& parsed) {
  const auto model = OpenModel(path);
  if (!model.ok()) {
    parsed.errors.push_back({0, key, std::string(model.status().message())});
  } else if (const auto tokenizer = (*model)->MakeTokenizer(); !tokenizer.ok()) {
    parsed.errors.push_back({0, key, std::string(tokenizer.status().message())});
  }
}

void CheckCorpus(const ExperimentSpec& spec, ParsedExperiment& parsed) {
  const CorpusLoad load = LoadCorpus(spec.data->corpus);
  for (const CorpusProblem& problem : load.errors) {
    parsed.errors.push_back({0, "data.corpus", FormatCorpusProblem(problem)});
  }
  for (const CorpusProblem& problem : load.warnings) {
    parsed.warnings.push_back({0, "data.corpus", FormatCorpusProblem(problem)});
  }
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

void CheckInputs(const ExperimentSpec& spec, ParsedExperiment& parsed) {
  if (spec.model) {
    CheckModel("model.base", spec.model->base, parsed);
    if (!spec.model->fallback.empty()) CheckModel("model.fallback", spec.model->fallback, parsed);
  }
  if (spec.data) CheckCorpus(spec, parsed);
}

Json InputDigests(const ExperimentSpec& spec) {
  Json digests = Json::object();
  if (spec.data) {
    if (const auto digest = CorpusDigest(spec.data->corpus); digest.ok()) digests["corpus"] = *digest;
  }
  if (spec.model) {
    if (const auto digest = ModelDigest(spec.model->base); digest.ok()) digests["model"] = *digest;
  }
  return digests;
}

}  // namespace scm
