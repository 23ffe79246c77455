#include "corpus/loader.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/json.h"
#include "common/utf8.h"
#include "corpus/corpus_digest.h"
#include "corpus/corpus_files.h"
#include "corpus/record.h"
#include "corpus/text.h"

namespace scm::corpus {
namespace fs = std::filesystem;
namespace {

class Loader {
 public:
  explicit Loader(const std::string& directory) : directory_(directory) {}
  CorpusLoad Load();

 private:
  using LineReader = void (Loader::*)(const Json& object);

  void Error(absl::string_view field, absl::string_view message);
  void Warning(absl::string_view field, absl::string_view message);
  // Problems noted from here on belong to this place.
  void At(const std::string& file, int line) { file_ = file, line_ = line; }
  CorpusRecord Record(const Json& object);

  void ReadInfo();
  void ReadFolder(const std::string& folder, LineReader reader);
  void ReadLines(const std::string& file, LineReader reader);
  void ReadDocument(const Json& object);
  void ReadItem(const Json& object);
  // What can only be said once everything is read.
  void ConnectItems();
  void CheckTaskKinds();

  std::string directory_;
  CorpusLoad load_;
  std::string file_;
  int line_ = 0;
  std::map<std::string, std::string> item_places_;  // item id → "file:line"
  // Of what is read here, so that it cannot be the digest of anything else. The reading order is
  // that of CorpusFiles.
  Sha256 hash_;
};

void Note(CorpusProblem problem, std::vector<CorpusProblem>* list, int64_t* left_out) {
  if (static_cast<int64_t>(list->size()) < CorpusLoad::kMaxProblems) {
    list->push_back(std::move(problem));
  } else {
    ++*left_out;
  }
}

// corpus.json, documents/, items/: the names' order is the reading order.
void SortByPlace(std::vector<CorpusProblem>* problems) {
  std::stable_sort(problems->begin(), problems->end(),
                   [](const CorpusProblem& a, const CorpusProblem& b) {
                     return std::tie(a.file, a.line) < std::tie(b.file, b.line);
                   });
}

void Loader::Error(absl::string_view field, absl::string_view message) {
  Note({file_, line_, std::string(field), std::string(message)}, &load_.errors,
       &load_.errors_left_out);
}

void Loader::Warning(absl::string_view field, absl::string_view message) {
  Note({file_, line_, std::string(field), std::string(message)}, &load_.warnings,
       &load_.warnings_left_out);
}

CorpusRecord Loader::Record(const Json& object) {
  return CorpusRecord(
      object, [this](absl::string_view f, absl::string_view m) { Error(f, m); },
      [this](absl::string_view f, absl::string_view m) { Warning(f, m); });
}

void Loader::ReadInfo() {
  const std::string path = absl::StrCat(directory_, "/", kCorpusInfoFile);
  if (!FileExists(path)) return;
  At(kCorpusInfoFile, 0);
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return Error("", text.status().message());
  AddToCorpusDigest(kCorpusInfoFile, *text, hash_);
  const absl::StatusOr<Json> json = ParseJson(*text, kCorpusInfoFile);
  if (!json.ok()) return Error("", json.status().message());
  if (!json->is_object()) return Error("", "expected a JSON object");
  CorpusRecord record = Record(*json);
  CorpusInfo& info = load_.corpus.info;
  info.name = record.OptionalText("name");
  info.demonstration = record.OptionalBool("demonstration");
  info.note = record.OptionalText("note");
  info.as_of = record.OptionalDay("as_of");
  if (json->contains("accept")) {
    if (const auto accept = record.Texts("accept", 0)) {
      info.accept.insert(accept->begin(), accept->end());
    }
  }
  record.WarnOfUnknownKeys();
}

void Loader::ReadFolder(const std::string& folder, LineReader reader) {
  At("", 0);
  const std::string path = absl::StrCat(directory_, "/", folder);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    return Error(absl::StrCat(folder, "/"), "no such directory; expected *.jsonl files in it");
  }
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(path);
  if (!names.ok()) return Error(absl::StrCat(folder, "/"), names.status().message());
  for (const std::string& name : *names) {
    const std::string file = absl::StrCat(folder, "/", name);
    if (IsCorpusFileName(name)) {
      ReadLines(file, reader);
    } else if (!absl::StartsWith(name, ".")) {
      At(file, 0);
      Warning("", "ignored; only *.jsonl files directly in this folder are read");
    }
  }
}

void Loader::ReadLines(const std::string& file, LineReader reader) {
  At(file, 0);
  const absl::StatusOr<std::string> content = ReadFile(absl::StrCat(directory_, "/", file));
  if (!content.ok()) return Error("", content.status().message());
  AddToCorpusDigest(file, *content, hash_);
  absl::string_view rest = *content;
  if (absl::ConsumePrefix(&rest, "\xEF\xBB\xBF")) {
    Error("", "starts with a byte order mark; save it as UTF-8 without one");
  }
  for (int line = 1; !rest.empty(); ++line) {
    const size_t end = rest.find('\n');
    const absl::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (text.find_first_not_of(" \t\r") == text.npos) continue;
    At(file, line);
    if (const size_t bad = FirstInvalidUtf8(text); bad != text.npos) {
      Error("",
            absl::StrCat("not UTF-8 at byte ", bad + 1, " of the line; save the file as UTF-8"));
      continue;
    }
    const absl::StatusOr<Json> json = ParseJson(text, "line");
    if (!json.ok()) {
      Error("", json.status().message());
    } else if (!json->is_object()) {
      Error("", "expected one JSON object a line");
    } else {
      (this->*reader)(*json);
    }
  }
}

void Loader::ReadDocument(const Json& object) {
  CorpusRecord record = Record(object);
  const auto id = record.Identifier("id");
  const auto text = record.Text("text");
  Document document;
  document.jurisdiction = record.OptionalText("jurisdiction");
  document.domain = record.OptionalText("domain");
  document.language = record.OptionalText("language");
  document.source = record.OptionalText("source");
  document.as_of = record.OptionalDay("as_of");
  document.file = file_;
  document.line = line_;
  record.WarnOfUnknownKeys();
  if (!id || !text) return;
  document.id = *id;
  document.text = *text;
  Corpus& corpus = load_.corpus;
  const auto [it, first] = corpus.document_index.emplace(*id, corpus.documents.size());
  if (!first) {
    const Document& other = corpus.documents[it->second];
    return Error("id", absl::StrCat("\"", *id, "\" is doubled; it stands at ", other.file, ":",
                                    other.line, " already"));
  }
  corpus.documents.push_back(std::move(document));
}

bool ReadQuestion(CorpusRecord& record, Item* item) {
  const auto prompt = record.Text("prompt");
  const auto choices = record.Texts("choices", 2);
  const int64_t bound = choices ? static_cast<int64_t>(choices->size()) : INT64_MAX;
  const auto gold = record.Indices("gold", bound, &item->multi_label);
  if (!prompt || !choices || !gold) return false;
  item->prompt = *prompt;
  item->choices = *choices;
  item->gold = *gold;
  return true;
}

bool ReadConversation(CorpusRecord& record, Item* item) {
  const auto messages = record.Messages("messages");
  bool alone = true;
  for (const char* key : {"prompt", "choices", "gold"}) {
    if (!record.Has(key)) continue;
    record.Error(key, "stands beside messages; expected either a conversation or a question");
    alone = false;
  }
  if (!messages || !alone) return false;
  item->messages = *messages;
  return true;
}

void Loader::ReadItem(const Json& object) {
  CorpusRecord record = Record(object);
  const auto id = record.Identifier("id");
  const auto task = record.Identifier("task");
  const auto document = record.Identifier("document");
  Item item;
  const bool complete =
      record.Has("messages") ? ReadConversation(record, &item) : ReadQuestion(record, &item);
  item.cluster_id = record.OptionalText("cluster_id");
  item.jurisdiction = record.OptionalText("jurisdiction");
  item.as_of = record.OptionalDay("as_of");
  const std::string split = record.OptionalText("split");
  if (!split.empty()) {
    item.split = SplitFromName(split);
    if (!item.split) {
      record.Error("split",
                   absl::StrCat("\"", split, "\" is no split; expected train, validation or test"));
    }
  }
  record.WarnOfUnknownKeys();
  if (!id) return;
  const auto [place, first] = item_places_.emplace(*id, absl::StrCat(file_, ":", line_));
  if (!first) {
    return record.Error(
        "id", absl::StrCat("\"", *id, "\" is doubled; it stands at ", place->second, " already"));
  }
  if (!task || !document || !complete) return;
  item.id = *id;
  item.task = *task;
  item.document = *document;
  item.file = file_;
  item.line = line_;
  load_.corpus.items.push_back(std::move(item));
}

void Loader::ConnectItems() {
  for (Item& item : load_.corpus.items) {
    At(item.file, item.line);
    const Document* document = load_.corpus.FindDocument(item.document);
    if (document == nullptr) {
      Error("document", absl::StrCat("there is no document \"", item.document,
                                     "\"; expected the id of a line in documents/*.jsonl"));
      continue;
    }
    if (item.cluster_id.empty()) item.cluster_id = document->id;
    if (item.jurisdiction.empty()) item.jurisdiction = document->jurisdiction;
    if (item.as_of.empty()) item.as_of = document->as_of;
    if (!document->jurisdiction.empty() && item.jurisdiction != document->jurisdiction) {
      Warning("jurisdiction",
              absl::StrCat("\"", item.jurisdiction, "\" differs from \"", document->jurisdiction,
                           "\" of document ", document->id));
    }
  }
}

void Loader::CheckTaskKinds() {
  std::map<std::string, const Item*> first_of_task;
  for (const Item& item : load_.corpus.items) {
    const auto [it, first] = first_of_task.emplace(item.task, &item);
    if (first) continue;
    At(item.file, item.line);
    if (it->second->is_conversation() != item.is_conversation()) {
      Error("messages", absl::StrCat(item.is_conversation() ? "stand here and not at "
                                                            : "are not here and stand at ",
                                     it->second->file, ":", it->second->line,
                                     "; expected the same in all of task ", item.task));
    }
    if (it->second->multi_label == item.multi_label || item.is_conversation() ||
        it->second->is_conversation()) {
      continue;
    }
    Error("gold",
          absl::StrCat("is ", item.multi_label ? "a list" : "one index", " here and ",
                       item.multi_label ? "one index" : "a list", " at ", it->second->file, ":",
                       it->second->line, "; expected the same in all of task ", item.task));
  }
}

CorpusLoad Loader::Load() {
  std::error_code ignored;
  if (!fs::is_directory(directory_, ignored)) {
    Error("", absl::StrCat(directory_,
                           ": no such directory; expected a corpus with documents/ and items/"));
    return std::move(load_);
  }
  ReadInfo();
  ReadFolder("documents", &Loader::ReadDocument);
  ReadFolder("items", &Loader::ReadItem);
  ConnectItems();
  CheckTaskKinds();
  At("", 0);
  if (load_.corpus.documents.empty() && load_.ok()) {
    Error("documents/", "holds no document; expected at least one line in a *.jsonl file");
  }
  load_.corpus.digest = hash_.Finish();
  SortByPlace(&load_.errors);
  SortByPlace(&load_.warnings);
  return std::move(load_);
}

}  // namespace

std::string FormatCorpusProblem(const CorpusProblem& problem) {
  std::string out = problem.file;
  if (problem.line > 0) absl::StrAppend(&out, ":", problem.line);
  if (!problem.field.empty()) absl::StrAppend(&out, out.empty() ? "" : ": ", problem.field);
  absl::StrAppend(&out, out.empty() ? "" : ": ", problem.message);
  return out;
}

CorpusLoad LoadCorpus(const std::string& directory) { return Loader(directory).Load(); }

absl::StatusOr<Corpus> LoadCorpusOrError(const std::string& directory) {
  CorpusLoad load = LoadCorpus(directory);
  if (load.ok()) return std::move(load.corpus);
  constexpr size_t kShown = 20;
  std::vector<std::string> lines;
  for (const CorpusProblem& problem : load.errors) {
    if (lines.size() == kShown) break;
    lines.push_back(FormatCorpusProblem(problem));
  }
  const int64_t more =
      static_cast<int64_t>(load.errors.size() - lines.size()) + load.errors_left_out;
  if (more > 0) lines.push_back(absl::StrCat("and ", more, " more"));
  return absl::InvalidArgumentError(
      absl::StrCat("corpus ", directory, ":\n", absl::StrJoin(lines, "\n")));
}

}  // namespace scm::corpus
