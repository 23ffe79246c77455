#include "experiment/path_checks.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "experiment/reader.h"

namespace scm::experiment_file {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMostNeighbours = 200;  // looked at for a suggestion

enum class Kind { kMissing, kFile, kDirectory, kOther };

Kind KindOf(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error || status.type() == fs::file_type::not_found) return Kind::kMissing;
  if (status.type() == fs::file_type::regular) return Kind::kFile;
  return status.type() == fs::file_type::directory ? Kind::kDirectory : Kind::kOther;
}

// " Did you mean NAME?" if the directory has something of a similar name.
std::string Neighbour(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(parent);
  if (!names.ok() || names->size() > kMostNeighbours) return "";
  const std::string nearest = Nearest(fs::path(path).filename(), *names);
  return nearest.empty() ? "" : absl::StrCat(". Did you mean ", (parent / nearest).string(), "?");
}

std::string NotThere(const std::string& path) {
  return absl::StrCat(path, " does not exist", Neighbour(path));
}

void CheckModelPath(const std::string& key, const std::string& path, bool needed,
                    Findings& findings) {
  if (path.empty() || findings.Failed(key)) return;
  switch (KindOf(path)) {
    case Kind::kMissing:
      if (needed) {
        findings.ErrorAt(key, NotThere(path));
      } else {
        findings.WarningAt(key, absl::StrCat(NotThere(path), ". It is needed to submit"));
      }
      return;
    case Kind::kDirectory:
      if (KindOf(fs::path(path) / "config.json") != Kind::kFile) {
        findings.ErrorAt(key, absl::StrCat(path,
                                           " holds no config.json, so it is no Hugging Face "
                                           "model directory"));
      }
      return;
    case Kind::kFile:
      break;
    case Kind::kOther:
      findings.ErrorAt(key, absl::StrCat(path, " is neither a directory nor a file"));
      return;
  }
  if (!absl::EndsWith(path, ".gguf")) {
    findings.ErrorAt(key, absl::StrCat(path,
                                       " is a file that is not called *.gguf. Give a .gguf "
                                       "file, or the directory of a Hugging Face model"));
    return;
  }
  const absl::StatusOr<std::string> magic = ReadFileAt(path, 0, 4);
  if (!magic.ok()) {
    findings.ErrorAt(key, std::string(magic.status().message()));
  } else if (*magic != "GGUF") {
    findings.ErrorAt(key,
                     absl::StrCat(path, " is called .gguf but does not begin like a GGUF file"));
  }
}

void CheckCorpus(const std::string& corpus, Findings& findings) {
  if (corpus.empty() || findings.Failed("data.corpus")) return;
  const Kind kind = KindOf(corpus);
  if (kind == Kind::kMissing) {
    findings.ErrorAt("data.corpus", NotThere(corpus));
    return;
  }
  if (kind != Kind::kDirectory) {
    findings.ErrorAt("data.corpus", absl::StrCat(corpus,
                                                 " is no directory; a corpus is one that "
                                                 "holds documents/ and items/"));
    return;
  }
  for (const char* part : {"documents", "items"}) {
    if (KindOf(fs::path(corpus) / part) == Kind::kDirectory) continue;
    findings.ErrorAt("data.corpus", absl::StrCat(corpus, " holds no directory ", part,
                                                 "/; a corpus has documents/ and items/"));
  }
}

}  // namespace

std::vector<NamedInput> CheckPaths(const ExperimentSpec& spec, bool need_models,
                                   Findings& findings) {
  std::vector<NamedInput> inputs;
  const auto check_model = [&](const std::string& key, const std::string& path) {
    CheckModelPath(key, path, need_models, findings);
    if (KindOf(path) == Kind::kMissing || findings.Failed(key)) return;
    inputs.push_back({key, path, findings.LineOf(key), false});
  };
  if (spec.model) {
    check_model("model.base", spec.model->base);
    check_model("model.fallback", spec.model->fallback);
  }
  if (spec.data && !spec.data->corpus.empty()) {
    CheckCorpus(spec.data->corpus, findings);
    if (!findings.Failed("data.corpus")) {
      inputs.push_back({"data.corpus", spec.data->corpus, findings.LineOf("data.corpus"), true});
    }
  }
  const std::string& program = spec.trainer.command[0];
  if (absl::StartsWith(program, "/") && KindOf(program) != Kind::kFile) {
    findings.WarningAt("trainer.command",
                       absl::StrCat(NotThere(program), " on this machine; the workers need it"));
  }
  if (!spec.evaluation) return inputs;
  for (size_t i = 0; i < spec.evaluation->baselines.size(); ++i) {
    const BaselineSpec& baseline = spec.evaluation->baselines[i];
    const std::string key = absl::StrCat("evaluation.baselines[", i, "]");
    if (!spec.model ||
        (baseline.model != spec.model->base && baseline.model != spec.model->fallback)) {
      check_model(absl::StrCat(key, ".model"), baseline.model);
    }
    if (!baseline.predictions.empty() && KindOf(baseline.predictions) != Kind::kFile) {
      findings.WarningAt(absl::StrCat(key, ".predictions"),
                         absl::StrCat("baseline ", baseline.name, ": ", baseline.predictions,
                                      " not found; it will be reported as missing"));
    }
  }
  return inputs;
}

}  // namespace scm::experiment_file
