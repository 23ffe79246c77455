#include "model/tokenize/bpe_tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "model/tokenize/nfc.h"
#include "model/tokenize/pretokenizer.h"
#include "model/tokenize/word_characters.h"

namespace scm::model {
namespace {

class BpeTokenizer : public Tokenizer {
 public:
  BpeTokenizer(std::unique_ptr<Bpe> bpe, std::unique_ptr<PreTokenizer> pre_tokenizer,
               const TokenizerParts& parts)
      : bpe_(std::move(bpe)),
        pre_tokenizer_(std::move(pre_tokenizer)),
        bos_(parts.bos),
        eos_(parts.eos),
        adds_bos_(parts.adds_bos),
        nfc_(parts.nfc),
        warnings_(parts.warnings) {
    vocabulary_size_ = static_cast<int64_t>(bpe_->vocabulary().tokens.size());
    for (const AddedToken& token : parts.added) {
      AddedToken sought = token;
      if (nfc_ && token.normalized) sought.content = ToNfc(token.content);
      passes_[token.normalized ? 1 : 0].Add(sought);
      added_[token.id] = token.content;
      vocabulary_size_ = std::max<int64_t>(vocabulary_size_, token.id + 1);
    }
  }

  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                              bool parse_special) const override {
    const size_t invalid = FirstInvalidUtf8(text);
    if (invalid != text.npos) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the text is no valid UTF-8 at byte ", invalid, " (0x",
          absl::BytesToHexString(text.substr(invalid, 1)), "): convert it to UTF-8 first"));
    }
    std::vector<int32_t> ids;
    ids.reserve(text.size() / 4 + 4);
    SCM_RETURN_IF_ERROR(EncodePass(0, text, parse_special, ids));
    return ids;
  }

  std::string Decode(const std::vector<int32_t>& tokens) const override {
    std::string bytes;
    const std::vector<std::string>& vocabulary = bpe_->vocabulary().tokens;
    for (const int32_t id : tokens) {
      const auto it = added_.find(id);
      if (it != added_.end()) {
        bytes += it->second;
      } else if (id >= 0 && static_cast<size_t>(id) < vocabulary.size()) {
        bytes += vocabulary[id];
      }
    }
    return ReplaceInvalidUtf8(bytes);
  }

  int64_t vocabulary_size() const override { return vocabulary_size_; }
  int32_t bos_token() const override { return bos_; }
  int32_t eos_token() const override { return eos_; }
  bool adds_bos() const override { return adds_bos_; }
  std::vector<std::string> warnings() const override { return warnings_; }

  std::string FindSpecial(absl::string_view text) const override {
    for (const SpecialTokens& pass : passes_) {
      for (size_t from = 0; !pass.empty() && from < text.size();) {
        const SpecialTokens::Match match = pass.Find(text, from);
        if (match.token != nullptr && match.token->special) return match.token->content;
        from = match.end;
      }
    }
    return "";
  }

 private:
  // Takes the added tokens of this pass out of the text and gives what lies between them to the
  // next.
  absl::Status EncodePass(size_t pass, absl::string_view text, bool parse_special,
                          std::vector<int32_t>& ids) const {
    if (pass == passes_.size()) return EncodePlain(text, ids);
    if (pass == 1 && nfc_ && MayNeedNfc(text)) {
      const std::string normalised = ToNfc(text);
      return FindAndEncode(pass, normalised, parse_special, ids);
    }
    return FindAndEncode(pass, text, parse_special, ids);
  }

  absl::Status FindAndEncode(size_t pass, absl::string_view text, bool parse_special,
                             std::vector<int32_t>& ids) const {
    if (passes_[pass].empty()) return EncodePass(pass + 1, text, parse_special, ids);
    size_t done = 0, from = 0;
    while (from < text.size()) {
      const SpecialTokens::Match match = passes_[pass].Find(text, from);
      if (match.token == nullptr) break;
      from = match.end;
      if (match.token->special && !parse_special) continue;
      if (match.token->single_word && TouchesWord(text, match)) continue;
      size_t begin = match.begin, end = match.end;
      // White space that the token before has taken is not taken again.
      if (match.token->lstrip) begin = std::max(begin - TrailingSpace(text.substr(0, begin)), done);
      if (match.token->rstrip) end += LeadingSpace(text.substr(end));
      if (done < begin) {
        SCM_RETURN_IF_ERROR(
            EncodePass(pass + 1, text.substr(done, begin - done), parse_special, ids));
      }
      ids.push_back(match.token->id);
      done = end;
    }
    return EncodePass(pass + 1, text.substr(done), parse_special, ids);
  }

  static bool TouchesWord(absl::string_view text, const SpecialTokens::Match& match) {
    return EndsWithWord(text.substr(0, match.begin)) || BeginsWithWord(text.substr(match.end));
  }

  absl::Status EncodePlain(absl::string_view text, std::vector<int32_t>& ids) const {
    return pre_tokenizer_->Split(text, [&](absl::string_view piece) { bpe_->Encode(piece, ids); });
  }

  std::unique_ptr<Bpe> bpe_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  std::array<SpecialTokens, 2> passes_;  // tokens that are not normalized, then those that are
  absl::flat_hash_map<int32_t, std::string> added_;
  int64_t vocabulary_size_ = 0;
  int32_t bos_, eos_;
  bool adds_bos_, nfc_;
  std::vector<std::string> warnings_;
};

absl::Status RefuseTokenizer(absl::string_view what, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", problem));
}

absl::Status CheckAdded(const TokenizerParts& parts, int64_t limit, absl::string_view what) {
  absl::flat_hash_map<std::string, int32_t> seen;
  for (const AddedToken& token : parts.added) {
    const std::string name =
        absl::StrCat("added token \"", absl::Utf8SafeCHexEscape(token.content), "\"");
    if (token.content.empty()) return RefuseTokenizer(what, "an added token is empty");
    if (token.id < 0 || token.id >= limit) {
      return RefuseTokenizer(
          what, absl::StrCat(name, " has id ", token.id, ", but the model's vocabulary has ", limit,
                             " rows"));
    }
    if (!seen.emplace(token.content, token.id).second) {
      return RefuseTokenizer(what, absl::StrCat(name, " is there twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeBpeTokenizer(TokenizerParts parts, int64_t limit,
                                                            const std::string& what) {
  const auto size = static_cast<int64_t>(parts.vocabulary.tokens.size());
  if (size > limit) {
    return RefuseTokenizer(
        what, absl::StrCat("the tokenizer has ", size, " tokens, but the model's vocabulary only ",
                           limit, ": they do not belong together"));
  }
  for (const int32_t id : {parts.bos, parts.eos}) {
    if (id < -1 || id >= limit) {
      return RefuseTokenizer(
          what, absl::StrCat("start or end token ", id, " lies outside the vocabulary of ", limit));
    }
  }
  if (parts.adds_bos && parts.bos < 0) {
    return RefuseTokenizer(what,
                           "says that a start token is put before every text, but names none");
  }
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<Bpe> bpe, Bpe::Make(std::move(parts.vocabulary), what));
  SCM_RETURN_IF_ERROR(CheckAdded(parts, limit, what));
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<PreTokenizer> pre_tokenizer,
                       PreTokenizer::Make(parts.patterns, what));
  return std::make_unique<BpeTokenizer>(std::move(bpe), std::move(pre_tokenizer), parts);
}

}  // namespace scm::model
