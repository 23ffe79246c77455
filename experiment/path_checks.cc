#include "experiment/path_checks.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/lfs_pointer.h"
#include "experiment/command_checks.h"
#include "experiment/parse.h"
#include "experiment/words.h"

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

// A plan can do without, a submission cannot.
void Missing(const std::string& key, const std::string& path, bool needed, Findings& findings) {
  if (needed) {
    findings.ErrorAt(key, NotThere(path));
  } else {
    findings.WarningAt(key, absl::StrCat(NotThere(path), ". It is needed to submit"));
  }
}

void CheckModelPath(const std::string& key, const std::string& path, bool needed,
                    Findings& findings) {
  if (path.empty() || findings.Failed(key)) return;
  switch (KindOf(path)) {
    case Kind::kMissing:
      Missing(key, path, needed, findings);
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
  const absl::StatusOr<std::string> begin = ReadFileAt(path, 0, sizeof(kLfsPointerBegin));
  if (!begin.ok()) {
    findings.ErrorAt(key, std::string(begin.status().message()));
  } else if (IsLfsPointer(*begin)) {
    findings.ErrorAt(key, absl::StrCat(path, " ", kLfsPointerAdvice));
  } else if (!absl::StartsWith(*begin, "GGUF")) {
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

// Everything but the corpus goes through here: what is there and of the right kind is looked into.
class InputFinder {
 public:
  InputFinder(const PathOptions& options, Findings& findings)
      : options_(options), findings_(findings) {}

  void Model(const std::string& key, const std::string& path) {
    CheckModelPath(key, path, options_.need_models, findings_);
    if (KindOf(path) != Kind::kMissing) Add(key, path, NamedInput::Kind::kModel);
  }
  void Corpus(const std::string& path) {
    CheckCorpus(path, findings_);
    if (!path.empty()) Add("data.corpus", path, NamedInput::Kind::kCorpus);
  }
  void Adapter(const std::string& key, const std::string& path) {
    if (path.empty() || findings_.Failed(key)) return;
    if (KindOf(path) == Kind::kMissing) {
      return Missing(key, path, options_.need_models, findings_);
    }
    for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
      if (KindOf(fs::path(path) / name) == Kind::kFile) continue;
      return findings_.ErrorAt(key, absl::StrCat(path, " holds no ", name,
                                                 ", so it is no directory of an adapter as peft "
                                                 "saves it"));
    }
    Add(key, path, NamedInput::Kind::kAdapter);
  }
  void Predictions(const std::string& key, const std::string& path) {
    if (path.empty() || findings_.Failed(key)) return;
    const Kind kind = KindOf(path);
    if (kind == Kind::kMissing) {
      Missing(key, path, options_.need_models, findings_);
    } else if (kind != Kind::kFile) {
      findings_.ErrorAt(key, absl::StrCat(path,
                                          " is no file; expected JSON lines like {\"id\": "
                                          "ITEM, \"predicted\": INDEX}"));
    } else {
      Add(key, path, NamedInput::Kind::kPredictions);
    }
  }
  std::vector<NamedInput> Take() { return std::move(inputs_); }

 private:
  void Add(const std::string& key, const std::string& path, NamedInput::Kind kind) {
    if (!findings_.Failed(key)) inputs_.push_back({key, path, findings_.LineOf(key), kind});
  }

  const PathOptions& options_;
  Findings& findings_;
  std::vector<NamedInput> inputs_;
};

}  // namespace

std::vector<NamedInput> CheckPaths(const ExperimentSpec& spec, const PathOptions& options,
                                   Findings& findings) {
  InputFinder finder(options, findings);
  const std::optional<ModelSpec> model = ModelForBuiltIns(spec);
  const std::optional<DataSpec> data = DataForBuiltIns(spec);
  if (model) {
    finder.Model("model.base", model->base);
    finder.Model("model.fallback", model->fallback);
  }
  if (spec.trainer.built_in()) finder.Adapter("lora.init", spec.lora.init);
  if (data) finder.Corpus(data->corpus);
  CheckCommand(spec.trainer, options.base_directory, findings);
  if (!spec.evaluation) return finder.Take();
  for (size_t i = 0; i < spec.evaluation->baselines.size(); ++i) {
    const BaselineSpec& baseline = spec.evaluation->baselines[i];
    const std::string key = absl::StrCat("evaluation.baselines[", i, "]");
    if (!model || (baseline.model != model->base && baseline.model != model->fallback)) {
      finder.Model(absl::StrCat(key, ".model"), baseline.model);
    }
    finder.Predictions(absl::StrCat(key, ".predictions"), baseline.predictions);
  }
  return finder.Take();
}

}  // namespace scm::experiment_file
