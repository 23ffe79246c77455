// scm-make-samples FACTS OUT: writes the demonstration corpus made from the fact table FACTS
// (samples/generator/facts.jsonl) into the directory OUT (samples/corpus).
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "samples/generator/fact_table.h"
#include "samples/generator/make_corpus.h"

namespace {

absl::Status WriteCorpus(const std::string& table, const std::string& out) {
  SCM_ASSIGN_OR_RETURN(const std::string text, scm::ReadFile(table));
  SCM_ASSIGN_OR_RETURN(const std::vector<scm::samples::Fact> facts,
                       scm::samples::ParseFactTable(text));
  for (const char* folder : {"documents", "items"}) {
    SCM_RETURN_IF_ERROR(scm::MakeDirectories(absl::StrCat(out, "/", folder)));
  }
  for (const auto& [name, content] : scm::samples::MakeSampleCorpus(facts)) {
    SCM_RETURN_IF_ERROR(scm::WriteFileAtomically(absl::StrCat(out, "/", name), content));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr,
                 "usage: scm-make-samples FACTS OUT\n"
                 "  FACTS  samples/generator/facts.jsonl\n"
                 "  OUT    directory of the corpus, e.g. samples/corpus\n");
    return 2;
  }
  const absl::Status status = WriteCorpus(argv[1], argv[2]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
