// A whole corpus in memory. Immutable after loading, so safe to read from any thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "corpus/document.h"
#include "corpus/item.h"

namespace scm::corpus {

// The optional file corpus.json at the corpus root.
struct CorpusInfo {
  std::string name;
  bool demonstration = false;  // proves the machinery, not the subject; shown wherever results are
  std::string note;
  std::string as_of;
  std::set<std::string> accept;  // quality checks whose errors the owner accepts as warnings
};

struct Corpus {
  CorpusInfo info;
  std::vector<Document> documents;  // in file-name and line order
  std::vector<Item> items;          // likewise
  std::string digest;               // SHA-256, see corpus_digest.h

  // nullptr when there is none.
  const Document* FindDocument(const std::string& id) const;
  // Task names in order of first appearance.
  std::vector<std::string> TaskNames() const;
  // Those of them whose items have choices, so that they can be scored.
  std::vector<std::string> ChoiceTaskNames() const;

  std::map<std::string, size_t> document_index;  // id → position in `documents`
};

}  // namespace scm::corpus
