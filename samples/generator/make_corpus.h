// Turns the fact table into the demonstration corpus. Pure and deterministic: the same table gives
// the same bytes on every machine.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "samples/generator/fact_table.h"

namespace scm::samples {

// File name relative to the corpus root → content: documents/*.jsonl, items/*.jsonl, corpus.json.
// Items are open-book: the statement they are about stands in the prompt. cluster_id is the
// document.
std::map<std::string, std::string> MakeSampleCorpus(const std::vector<Fact>& facts);

}  // namespace scm::samples
