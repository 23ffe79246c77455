// tokenize-bench MODEL FILE: for every line on stdin, tokenises the texts of FILE (a JSON string a
// line) once on one thread and answers with the seconds that took and the number of tokens.
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/model_source.h"
#include "model/open_model.h"

namespace scm::model {
namespace {

absl::StatusOr<std::vector<std::string>> ReadTexts(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  std::vector<std::string> texts;
  for (const absl::string_view line : absl::StrSplit(content, '\n', absl::SkipEmpty())) {
    SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(line, path));
    texts.push_back(json.get<std::string>());
  }
  return texts;
}

absl::Status AnswerTurns(const std::string& path, const std::string& file) {
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<ModelSource> model, OpenModel(path));
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, model->MakeTokenizer());
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> texts, ReadTexts(file));
  for (std::string turn; std::getline(std::cin, turn);) {
    const auto begin = std::chrono::steady_clock::now();
    int64_t tokens = 0;
    for (const std::string& text : texts) {
      SCM_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, tokenizer->Encode(text));
      tokens += static_cast<int64_t>(ids.size());
    }
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    std::cout << DumpJson(Json{{"seconds", time.count()}, {"tokens", tokens}}) << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace scm::model

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tokenize-bench MODEL FILE\n";
    return 2;
  }
  const absl::Status status = scm::model::AnswerTurns(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::cerr << "tokenize-bench: " << status.message() << "\n";
  return 1;
}
