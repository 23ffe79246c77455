#include <algorithm>
#include <string>

#include "common/json.h"
#include "model/tokenize/byte_map.h"
#include "model/tokenize/tokenizer_json.h"

namespace scm::model {
namespace {

std::string ContentOf(const TokenizerParts& parts, int32_t id) {
  for (const AddedToken& token : parts.added) {
    if (token.id == id) return token.content;
  }
  return MappedFromBytes(parts.vocabulary.tokens[id]);
}

SortedJson PreTokenizerJson(const TokenizerParts& parts) {
  SortedJson steps = SortedJson::array();
  for (const std::string& pattern : parts.patterns) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back({{"type", "ByteLevel"},
                   {"add_prefix_space", false},
                   {"trim_offsets", true},
                   {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

SortedJson PostProcessorJson(const TokenizerParts& parts) {
  if (!parts.adds_bos)
    return {{"type", "ByteLevel"},
            {"add_prefix_space", true},
            {"trim_offsets", false},
            {"use_regex", true}};
  const std::string bos = ContentOf(parts, parts.bos);
  const auto special = [&](int type) -> SortedJson {
    return {{"SpecialToken", {{"id", bos}, {"type_id", type}}}};
  };
  const auto sequence = [](const char* id, int type) -> SortedJson {
    return {{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  return {{"type", "TemplateProcessing"},
          {"single", {special(0), sequence("A", 0)}},
          {"pair", {special(0), sequence("A", 0), special(1), sequence("B", 1)}},
          {"special_tokens", {{bos, {{"id", bos}, {"ids", {parts.bos}}, {"tokens", {bos}}}}}}};
}

SortedJson ModelJson(const TokenizerParts& parts) {
  SortedJson vocab = SortedJson::object(), merges = SortedJson::array();
  const std::vector<std::string>& tokens = parts.vocabulary.tokens;
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) vocab[MappedFromBytes(tokens[id])] = id;
  }
  // By their place among the added tokens, those that are no bytes could get another id.
  for (const AddedToken& token : parts.added) {
    const auto id = static_cast<size_t>(token.id);
    if (id < tokens.size() && tokens[id].empty()) vocab[token.content] = token.id;
  }
  for (const auto& [left, right] :
       parts.vocabulary.merges_by_id ? MergesById(tokens) : parts.vocabulary.merges) {
    merges.push_back({MappedFromBytes(left), MappedFromBytes(right)});
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", parts.vocabulary.ignore_merges},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

}  // namespace

std::string TokenizerJsonText(const TokenizerParts& parts) {
  SortedJson added = SortedJson::array();
  for (const AddedToken& token : parts.added) {
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  std::sort(added.begin(), added.end(),
            [](const SortedJson& a, const SortedJson& b) { return a["id"] < b["id"]; });
  const SortedJson json = {{"version", "1.0"},
                           {"truncation", nullptr},
                           {"padding", nullptr},
                           {"added_tokens", std::move(added)},
                           {"normalizer", parts.nfc ? SortedJson{{"type", "NFC"}} : SortedJson()},
                           {"pre_tokenizer", PreTokenizerJson(parts)},
                           {"post_processor", PostProcessorJson(parts)},
                           {"decoder",
                            {{"type", "ByteLevel"},
                             {"add_prefix_space", true},
                             {"trim_offsets", true},
                             {"use_regex", true}}},
                           {"model", ModelJson(parts)}};
  return DumpJson(json, 1);
}

}  // namespace scm::model
