// A source text of the corpus: what items are made from, and the unit that is split. Values only.
#pragma once

#include <string>

namespace scm::corpus {

struct Document {
  std::string id;            // [A-Za-z0-9._:-]+, unique among documents
  std::string text;          // UTF-8, not empty
  std::string jurisdiction;  // e.g. "AR"; "" when the file does not say
  std::string domain;        // e.g. "risk_management"; "" likewise, as for the rest
  std::string language;      // e.g. "es"
  std::string source;        // where the text comes from
  std::string as_of;         // the day for which the text was true, YYYY-MM-DD
  std::string file;          // "documents/x.jsonl", for messages
  int line = 0;              // 1-based
};

}  // namespace scm::corpus
