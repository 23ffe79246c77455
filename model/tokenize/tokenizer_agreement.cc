#include "model/tokenize/tokenizer_agreement.h"

#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "model/tokenize/pretokenizer.h"

namespace scm::model {
namespace {

absl::Status Disagree(absl::string_view what, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", problem));
}

std::string TokenName(absl::string_view token) {
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(token), "\"");
}

// The added tokens by their text.
class AddedTokens {
 public:
  explicit AddedTokens(std::vector<AddedToken>* added) : added_(*added) {
    for (size_t i = 0; i < added_.size(); ++i) places_.emplace(added_[i].content, i);
  }
  AddedToken* Find(const std::string& content) {
    const auto it = places_.find(content);
    return it == places_.end() ? nullptr : &added_[it->second];
  }
  void Add(const AddedToken& token) {
    places_.emplace(token.content, added_.size());
    added_.push_back(token);
  }

 private:
  std::vector<AddedToken>& added_;
  absl::flat_hash_map<std::string, size_t> places_;
};

absl::Status ApplyDecoder(const VocabularyView& vocabulary, const AddedToken& said,
                          const std::string& what, AddedTokens* added, TokenizerParts* parts) {
  AddedToken* token = added->Find(said.content);
  const int64_t id = token != nullptr ? token->id : vocabulary.find(said.content);
  if (id < 0) {
    return Disagree(what,
                    absl::StrCat("lacks the token ", TokenName(said.content),
                                 ", which tokenizer_config.json (added_tokens_decoder) has "
                                 "with id ",
                                 said.id, "; save the tokenizer again so that both hold the same"));
  }
  if (id != said.id) {
    return Disagree(
        what, absl::StrCat("the token ", TokenName(said.content), " has id ", id,
                           ", but in tokenizer_config.json (added_tokens_decoder) id ", said.id,
                           "; save the tokenizer again so that both say the same"));
  }
  if (token == nullptr) {
    added->Add(said);
    return absl::OkStatus();
  }
  if (token->special != said.special) {
    parts->warnings.push_back(absl::StrCat(
        "tokenizer.json calls the token ", TokenName(said.content),
        token->special ? " special" : " not special", " and tokenizer_config.json the opposite; ",
        "as in transformers the latter holds"));
  }
  const int32_t id_of_file = token->id;
  *token = said;
  token->id = id_of_file;
  return absl::OkStatus();
}

// transformers makes a special token of every text that tokenizer_config.json calls one.
void ApplySpecial(const VocabularyView& vocabulary, const std::string& text, AddedTokens* added,
                  TokenizerParts* parts) {
  if (text.empty() || added->Find(text) != nullptr) return;
  const int64_t id = vocabulary.find(text);
  if (id >= 0) {
    added->Add({text, static_cast<int32_t>(id), true, false});
    return;
  }
  parts->warnings.push_back(
      absl::StrCat("tokenizer_config.json names the special token ", TokenName(text),
                   ", which tokenizer.json lacks: transformers adds it as a new token, here it "
                   "stays plain text"));
}

// Whether transformers 5 obeys tokenizer.json for a Llama with this class, or rebuilds the
// tokenizer by the class's own rules.
bool ObeysFile(const std::string& name) {
  static const auto* const names = new std::set<std::string>{"",
                                                             "LlamaTokenizer",
                                                             "LlamaTokenizerFast",
                                                             "PreTrainedTokenizer",
                                                             "PreTrainedTokenizerFast",
                                                             "TokenizersBackend"};
  return names->count(name) > 0;
}

void WarnOfClass(const std::string& name, TokenizerParts* parts) {
  if (ObeysFile(name)) return;
  const bool gpt2 = name == "GPT2Tokenizer" || name == "GPT2TokenizerFast";
  const bool qwen2 = name == "Qwen2Tokenizer" || name == "Qwen2TokenizerFast";
  const std::vector<std::string> steps = {qwen2 ? kQwen2Pattern : kGpt2Pattern};
  // The class's own steps are those of the file.
  if ((gpt2 || qwen2) && parts->patterns == steps && parts->nfc == qwen2 &&
      !parts->vocabulary.ignore_merges) {
    return;
  }
  parts->warnings.push_back(absl::StrCat(
      "tokenizer_class ", name, ": transformers 5 ",
      gpt2 ? "replaces the steps of tokenizer.json by GPT-2's own (ByteLevel alone)"
           : "may replace the steps of tokenizer.json by that class's own",
      ", so it gives other ids for some texts; here, as in transformers 4 and llama.cpp, "
      "tokenizer.json holds. Set tokenizer_class to PreTrainedTokenizerFast, as in exported "
      "models, and both agree"));
}

}  // namespace

absl::Status CheckAddedTokenIds(const VocabularyView& vocabulary,
                                const std::vector<AddedToken>& added, const std::string& what) {
  std::set<std::string> seen;
  int64_t next = static_cast<int64_t>(vocabulary.entries);
  for (const AddedToken& token : added) {
    if (token.content.empty()) return Disagree(what, "an added token is empty");
    if (!seen.insert(token.content).second) continue;  // refused later
    const int64_t in_vocabulary = vocabulary.find(token.content);
    const int64_t given = in_vocabulary >= 0 ? in_vocabulary : next++;
    if (in_vocabulary < 0 && vocabulary.taken(given)) {
      return Disagree(what,
                      absl::StrCat("added token ", TokenName(token.content), " gets id ", given,
                                   " from tokenizers and transformers (", vocabulary.entries,
                                   " entries of model.vocab come before "
                                   "it), which model.vocab gives to another token; the ids "
                                   "of model.vocab must have no gaps"));
    }
    if (token.id == given) continue;
    return Disagree(
        what,
        absl::StrCat("added token ", TokenName(token.content), " has id ", token.id,
                     ", but tokenizers and transformers give it ", given, ", ",
                     in_vocabulary >= 0 ? std::string("its id in model.vocab")
                                        : absl::StrCat("its place after the ", vocabulary.entries,
                                                       " entries of model.vocab"),
                     "; ids must follow each other without gaps: save the tokenizer again"));
  }
  return absl::OkStatus();
}

absl::Status ApplyTokenizerConfig(const VocabularyView& vocabulary,
                                  const TokenizerSettings& settings, const std::string& what,
                                  TokenizerParts* parts) {
  AddedTokens added(&parts->added);
  for (const AddedToken& said : settings.decoder) {
    SCM_RETURN_IF_ERROR(ApplyDecoder(vocabulary, said, what, &added, parts));
  }
  for (const std::string& text : settings.special) ApplySpecial(vocabulary, text, &added, parts);
  WarnOfClass(settings.tokenizer_class, parts);
  return absl::OkStatus();
}

}  // namespace scm::model
