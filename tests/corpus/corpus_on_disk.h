// A corpus in a temporary directory, and lines to fill it with.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"
#include "corpus/corpus.h"

namespace scm::corpus {

class CorpusOnDisk {
 public:
  // `files`: relative name → content. documents/ and items/ always exist.
  explicit CorpusOnDisk(std::initializer_list<std::pair<std::string, std::string>> files) {
    static int count = 0;
    path_ = absl::StrCat(::testing::TempDir(), "scm-corpus-", getpid(), "-", ++count);
    EXPECT_TRUE(MakeDirectories(absl::StrCat(path_, "/documents")).ok());
    EXPECT_TRUE(MakeDirectories(absl::StrCat(path_, "/items")).ok());
    for (const auto& [name, content] : files) {
      EXPECT_TRUE(WriteFileAtomically(absl::StrCat(path_, "/", name), content).ok()) << name;
    }
  }
  ~CorpusOnDisk() { RemoveRecursively(path_).IgnoreError(); }
  CorpusOnDisk(const CorpusOnDisk&) = delete;
  CorpusOnDisk& operator=(const CorpusOnDisk&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline Json DocumentJson(const std::string& id) {
  return {{"id", id},
          {"text", absl::StrCat("Texto de ", id)},
          {"jurisdiction", "ES"},
          {"domain", "d"},
          {"language", "es"},
          {"source", "own words"},
          {"as_of", "2026-01-31"}};
}

inline Json ItemJson(const std::string& id, const std::string& document) {
  return {{"id", id},
          {"task", "t"},
          {"document", document},
          {"prompt", absl::StrCat("Pregunta ", id, ":")},
          {"choices", {"sí", "no"}},
          {"gold", 0},
          {"cluster_id", document},
          {"jurisdiction", "ES"},
          {"as_of", "2026-01-31"}};
}

// `base` with a key set to another value; a null removes the key.
inline std::string With(Json base, const std::string& key, const Json& value) {
  if (value.is_null()) {
    base.erase(key);
  } else {
    base[key] = value;
  }
  return base.dump() + "\n";
}

// In-memory building blocks for the pure parts.
inline void AddDocument(Corpus* corpus, const std::string& id, const std::string& jurisdiction,
                        const std::string& text = "") {
  Document document;
  document.id = id;
  document.text = text.empty() ? absl::StrCat("Texto propio de ", id) : text;
  document.jurisdiction = jurisdiction;
  document.language = "es";
  document.as_of = "2026-01-31";
  corpus->document_index[id] = corpus->documents.size();
  corpus->documents.push_back(document);
}

inline Item& AddItem(Corpus* corpus, const std::string& id, const std::string& document) {
  Item item;
  item.id = id;
  item.task = "t";
  item.document = document;
  item.prompt = absl::StrCat("Pregunta ", id);
  item.choices = {"sí", "no"};
  item.gold = {0};
  item.cluster_id = document;
  corpus->items.push_back(item);
  return corpus->items.back();
}

}  // namespace scm::corpus
