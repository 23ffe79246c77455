#include "model/tokenize/tokenizer_json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/tokenize/byte_map.h"
#include "model/tokenize/pretokenizer.h"
#include "model/tokenize/tokenizer_agreement.h"

namespace scm::model {
namespace {

constexpr int64_t kMaxId = 1 << 24;

// Reads one tokenizer.json. Paths in messages are those of the keys ("model.merges").
class Reader {
 public:
  Reader(const SortedJson& json, const std::string& what) : json_(json), what_(what) {}

  absl::Status Run(const TokenizerSettings& settings) {
    const SortedJson& normalizer = At(json_, "normalizer");
    parts_.nfc = Type(normalizer) == "NFC";
    if (!normalizer.is_null() && !parts_.nfc) {
      return Refuse("normalizer", absl::StrCat("\"", Type(normalizer),
                                               "\" is not supported, "
                                               "expected null or NFC"));
    }
    SCM_RETURN_IF_ERROR(ReadModel(At(json_, "model")));
    SCM_RETURN_IF_ERROR(ReadAddedTokens(At(json_, "added_tokens")));
    const VocabularyView vocabulary = View();
    SCM_RETURN_IF_ERROR(CheckAddedTokenIds(vocabulary, parts_.added, what_));
    bool byte_level = false;
    SCM_RETURN_IF_ERROR(ReadPreTokenizer(At(json_, "pre_tokenizer"), 0, byte_level));
    if (!byte_level) return Refuse("pre_tokenizer", "holds no ByteLevel step");
    SCM_RETURN_IF_ERROR(ApplyTokenizerConfig(vocabulary, settings, what_, &parts_));
    return ReadStartAndEnd(settings);
  }
  TokenizerParts Take() { return std::move(parts_); }

 private:
  static const SortedJson& At(const SortedJson& object, const std::string& key) {
    static const auto* const null = new SortedJson;
    if (!object.is_object()) return *null;
    const auto it = object.find(key);
    return it == object.end() ? *null : *it;
  }
  static std::string Type(const SortedJson& object) {
    const SortedJson& type = At(object, "type");
    return type.is_string() ? type.get<std::string>() : "?";
  }
  static bool IsTrue(const SortedJson& object, const char* key) {
    const SortedJson& value = At(object, key);
    return value.is_boolean() && value.get<bool>();
  }
  // Absent, null, false, empty or 0: as if the option were not there.
  static bool IsOff(const SortedJson& value) {
    return value.is_null() || value == false || value == "" || value == 0;
  }
  // −1 for anything but a possible id.
  static int64_t Id(const SortedJson& value) {
    if (!value.is_number_unsigned()) return -1;
    const auto id = value.get<uint64_t>();
    return id < static_cast<uint64_t>(kMaxId) ? static_cast<int64_t>(id) : -1;
  }
  absl::Status Refuse(absl::string_view key, absl::string_view problem) const {
    return absl::InvalidArgumentError(absl::StrCat(what_, ": ", key, ": ", problem));
  }

  VocabularyView View() const {
    const SortedJson& vocabulary = At(At(json_, "model"), "vocab");
    return {vocabulary.size(),
            [&vocabulary](const std::string& text) { return Id(At(vocabulary, text)); },
            [this](int64_t id) {
              const auto& tokens = parts_.vocabulary.tokens;
              return static_cast<size_t>(id) < tokens.size() && !tokens[id].empty();
            }};
  }

  absl::Status ReadModel(const SortedJson& model) {
    const SortedJson& type = At(model, "type");
    if (!model.is_object() || (!type.is_null() && type != "BPE")) {
      return Refuse("model", absl::StrCat("type \"", Type(model),
                                          "\" is not supported, expected "
                                          "BPE"));
    }
    for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix",
                            "byte_fallback", "fuse_unk"}) {
      if (!IsOff(At(model, key))) {
        return Refuse(absl::StrCat("model.", key), "is not supported for byte-level BPE");
      }
    }
    parts_.vocabulary.ignore_merges = IsTrue(model, "ignore_merges");
    SCM_RETURN_IF_ERROR(ReadVocabulary(At(model, "vocab")));
    return ReadMerges(At(model, "merges"));
  }

  absl::Status ReadVocabulary(const SortedJson& vocabulary) {
    if (!vocabulary.is_object() || vocabulary.empty()) {
      return Refuse("model.vocab", "expected an object of tokens and ids");
    }
    // Ids may have gaps, but not so many that a small file would need much memory.
    const auto limit = static_cast<int64_t>(vocabulary.size()) * 2 + 65536;
    std::vector<std::string>& tokens = parts_.vocabulary.tokens;
    std::vector<bool> taken;
    for (const auto& [token, value] : vocabulary.items()) {
      const int64_t id = Id(value);
      if (id < 0 || id >= limit) {
        return Refuse("model.vocab", absl::StrCat("token \"", token, "\" has id ", DumpJson(value),
                                                  ", expected 0 to ", limit - 1));
      }
      if (static_cast<size_t>(id) >= tokens.size()) {
        tokens.resize(id + 1);
        taken.resize(id + 1);
      }
      if (taken[id]) return Refuse("model.vocab", absl::StrCat("id ", id, " is there twice"));
      taken[id] = true;
      // A token outside the byte map cannot come from text; added tokens are matched elsewhere.
      tokens[id] = BytesFromMapped(token).value_or("");
    }
    return absl::OkStatus();
  }

  absl::Status ReadMerges(const SortedJson& merges) {
    if (!merges.is_array()) return Refuse("model.merges", "expected a list");
    parts_.vocabulary.merges.reserve(merges.size());
    for (size_t i = 0; i < merges.size(); ++i) {
      absl::string_view left, right;
      if (merges[i].is_string()) {
        const absl::string_view both = merges[i].get_ref<const std::string&>();
        const size_t space = both.find(' ');
        left = both.substr(0, space);
        if (space != both.npos) right = both.substr(space + 1);
      } else if (merges[i].is_array() && merges[i].size() == 2 && merges[i][0].is_string() &&
                 merges[i][1].is_string()) {
        left = merges[i][0].get_ref<const std::string&>();
        right = merges[i][1].get_ref<const std::string&>();
      }
      std::optional<std::string> a = BytesFromMapped(left), b = BytesFromMapped(right);
      if (!a || !b || a->empty() || b->empty()) {
        return Refuse("model.merges", absl::StrCat("entry ", i, " (", DumpJson(merges[i]),
                                                   ") is not two byte-level tokens"));
      }
      parts_.vocabulary.merges.emplace_back(*std::move(a), *std::move(b));
    }
    return absl::OkStatus();
  }

  absl::Status ReadAddedTokens(const SortedJson& added) {
    if (added.is_null()) return absl::OkStatus();
    if (!added.is_array()) return Refuse("added_tokens", "expected a list");
    for (const SortedJson& value : added) {
      const SortedJson& content = At(value, "content");
      const int64_t id = Id(At(value, "id"));
      if (!content.is_string() || id < 0) {
        return Refuse("added_tokens", "every entry needs \"content\" and a non-negative \"id\"");
      }
      parts_.added.push_back({content.get<std::string>(), static_cast<int32_t>(id),
                              IsTrue(value, "special"), IsTrue(value, "normalized"),
                              IsTrue(value, "lstrip"), IsTrue(value, "rstrip"),
                              IsTrue(value, "single_word")});
    }
    return absl::OkStatus();
  }

  absl::Status ReadPreTokenizer(const SortedJson& step, int depth, bool& byte_level) {
    const std::string type = Type(step);
    if (type == "Sequence" && depth == 0) {
      const SortedJson& steps = At(step, "pretokenizers");
      if (!steps.is_array()) return Refuse("pre_tokenizer.pretokenizers", "expected a list");
      for (const SortedJson& child : steps) {
        SCM_RETURN_IF_ERROR(ReadPreTokenizer(child, depth + 1, byte_level));
      }
      return absl::OkStatus();
    }
    // ByteLevel turns the text into mapped characters, so nothing may follow it.
    if (byte_level) return Refuse("pre_tokenizer", "nothing may follow ByteLevel");
    if (type == "ByteLevel") {
      byte_level = true;
      if (IsTrue(step, "add_prefix_space")) {
        return Refuse("pre_tokenizer", "ByteLevel with add_prefix_space is not supported");
      }
      const SortedJson& use_regex = At(step, "use_regex");
      if (use_regex.is_null() || use_regex == true) parts_.patterns.push_back(kGpt2Pattern);
      return absl::OkStatus();
    }
    if (type == "Digits") {
      parts_.patterns.push_back(
          absl::StrCat(kDigitPattern, IsTrue(step, "individual_digits") ? "" : "+"));
      return absl::OkStatus();
    }
    if (type != "Split") {
      return Refuse("pre_tokenizer", absl::StrCat("type \"", type,
                                                  "\" is not supported, expected "
                                                  "Split, Digits or ByteLevel"));
    }
    const SortedJson& regex = At(At(step, "pattern"), "Regex");
    if (!regex.is_string()) return Refuse("pre_tokenizer", "Split needs a pattern of type Regex");
    if (At(step, "behavior") != "Isolated") {
      return Refuse("pre_tokenizer",
                    absl::StrCat("Split with behavior ", DumpJson(At(step, "behavior")),
                                 " is not supported, expected \"Isolated\""));
    }
    parts_.patterns.push_back(regex.get<std::string>());
    return absl::OkStatus();
  }

  // The id of a token given by its text, or −1.
  int32_t FindToken(const std::string& text) const {
    for (const AddedToken& token : parts_.added) {
      if (token.content == text) return token.id;
    }
    return static_cast<int32_t>(Id(At(At(At(json_, "model"), "vocab"), text)));
  }

  absl::Status ReadStartAndEnd(const TokenizerSettings& settings) {
    for (const bool start : {true, false}) {
      const std::optional<std::string>& text = start ? settings.bos : settings.eos;
      int32_t& id = start ? parts_.bos : parts_.eos;
      id = static_cast<int32_t>(
          std::clamp<int64_t>(start ? settings.bos_id : settings.eos_id, -1, kMaxId));
      if (!text) continue;
      id = FindToken(*text);
      if (id < 0) {
        return Refuse("tokenizer_config.json",
                      absl::StrCat(start ? "bos_token" : "eos_token", " \"", *text,
                                   "\" is not in the vocabulary"));
      }
    }
    return ReadStart(settings);
  }

  // The post-processor alone says whether a start token is put before every text, and which.
  absl::Status ReadStart(const TokenizerSettings& settings) {
    std::optional<std::string> prefix;
    SCM_RETURN_IF_ERROR(ReadPostProcessor(At(json_, "post_processor"), 0, prefix));
    parts_.adds_bos = prefix.has_value();
    if (settings.add_bos && *settings.add_bos != parts_.adds_bos) {
      parts_.warnings.push_back(absl::StrCat(
          "tokenizer_config.json says add_bos_token: ", *settings.add_bos ? "true" : "false",
          ", but the post_processor of tokenizer.json puts ", prefix ? "a" : "no",
          " start token before every text; as in transformers 5 the latter holds"));
    }
    if (!prefix) return absl::OkStatus();
    const int32_t id = FindToken(*prefix);
    if (id < 0) {
      return Refuse("post_processor", absl::StrCat("puts \"", *prefix,
                                                   "\" before every text, which is not in the "
                                                   "vocabulary"));
    }
    if (settings.bos && id != parts_.bos) {
      return Refuse("post_processor",
                    absl::StrCat("puts \"", *prefix,
                                 "\" before every text, but in tokenizer_config.json bos_token is "
                                 "\"",
                                 *settings.bos, "\"; make them the same"));
    }
    parts_.bos = id;
    return absl::OkStatus();
  }

  // `prefix` becomes the token that is put before every text.
  absl::Status ReadPostProcessor(const SortedJson& processor, int depth,
                                 std::optional<std::string>& prefix) {
    if (processor.is_null() || Type(processor) == "ByteLevel") return absl::OkStatus();
    if (Type(processor) == "Sequence" && depth == 0) {
      const SortedJson& steps = At(processor, "processors");
      if (!steps.is_array()) return Refuse("post_processor.processors", "expected a list");
      for (const SortedJson& child : steps) {
        SCM_RETURN_IF_ERROR(ReadPostProcessor(child, depth + 1, prefix));
      }
      return absl::OkStatus();
    }
    const SortedJson& single = At(processor, "single");
    if (Type(processor) != "TemplateProcessing" || !single.is_array()) {
      return Refuse("post_processor", absl::StrCat("type \"", Type(processor),
                                                   "\" is not supported, expected ByteLevel or "
                                                   "TemplateProcessing"));
    }
    for (const SortedJson& part : single) {
      if (!At(part, "Sequence").is_null()) break;
      const SortedJson& id = At(At(part, "SpecialToken"), "id");
      if (!id.is_string() || prefix) {
        return Refuse("post_processor.single",
                      "expected at most one special token before the text");
      }
      prefix = id.get<std::string>();
      SCM_RETURN_IF_ERROR(CheckTemplateIds(processor, *prefix));
    }
    return absl::OkStatus();
  }

  // The ids that the template puts for `token`, which tokenizers takes as they are.
  absl::Status CheckTemplateIds(const SortedJson& processor, const std::string& token) const {
    const SortedJson& ids = At(At(At(processor, "special_tokens"), token), "ids");
    if (ids.is_null() || (ids.is_array() && ids.size() == 1 && Id(ids[0]) == FindToken(token))) {
      return absl::OkStatus();
    }
    return Refuse("post_processor.special_tokens",
                  absl::StrCat("\"", token, "\" stands for the ids ", DumpJson(ids),
                               ", but the token's id is ", FindToken(token)));
  }

  const SortedJson& json_;
  const std::string& what_;
  TokenizerParts parts_;
};

}  // namespace

absl::StatusOr<TokenizerParts> TokenizerPartsFromJson(absl::string_view text,
                                                      const TokenizerSettings& settings,
                                                      const std::string& what) {
  SCM_ASSIGN_OR_RETURN(const SortedJson json, ParseSortedJson(text, what));
  Reader reader(json, what);
  SCM_RETURN_IF_ERROR(reader.Run(settings));
  return reader.Take();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromJson(absl::string_view text,
                                                             const TokenizerSettings& settings,
                                                             int64_t limit,
                                                             const std::string& what) {
  SCM_ASSIGN_OR_RETURN(TokenizerParts parts, TokenizerPartsFromJson(text, settings, what));
  return MakeBpeTokenizer(std::move(parts), limit, what);
}

}  // namespace scm::model
