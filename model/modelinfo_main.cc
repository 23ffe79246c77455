// scm-modelinfo: what scm sees in a model. Opens a Hugging Face directory or a GGUF file the way
// the trainer does and prints its configuration and tensors, the ids of a text, or one tensor's
// values.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/formats/hf_export.h"
#include "model/formats/hf_family.h"
#include "model/formats/llama_tensors.h"
#include "model/model_source.h"
#include "model/open_model.h"

namespace scm::model {
namespace {

struct Flags {
  std::string path, tokenize, tensor, out, companions, chat;
  bool special = false, json_lines = false, start = false;
};

Json Summary(const ModelSource& model) {
  const LlamaConfig& c = model.config();
  Json json = {{"path", model.path()},
               {"config",
                {{"family", ModelType(c.family)},
                 {"vocabulary", c.vocabulary},
                 {"hidden", c.hidden},
                 {"intermediate", c.intermediate},
                 {"layers", c.layers},
                 {"heads", c.heads},
                 {"kv_heads", c.kv_heads},
                 {"head_dim", c.head_dim},
                 {"rms_norm_eps", c.rms_norm_eps},
                 {"rope_theta", c.rope_theta},
                 {"rope_scaling", nullptr},
                 {"tied_embeddings", c.tied_embeddings},
                 {"max_position", c.max_position},
                 {"window", c.window},
                 {"bos_token", c.bos_token},
                 {"eos_token", c.eos_token}}}};
  if (c.rope_scaling) {
    json["config"]["rope_scaling"] = {
        {"factor", c.rope_scaling->factor},
        {"low_freq_factor", c.rope_scaling->low_freq_factor},
        {"high_freq_factor", c.rope_scaling->high_freq_factor},
        {"original_max_position", c.rope_scaling->original_max_position}};
  }
  json["tensors"] = Json::array();
  for (const TensorInfo& tensor : model.tensors()) {
    json["tensors"].push_back(
        {{"name", tensor.name}, {"dtype", DTypeName(tensor.dtype)}, {"shape", tensor.shape}});
  }
  return json;
}

void PrintWarnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) std::cerr << "warning: " << warning << "\n";
}

// One line of ids for each text of the file: its lines, or with --json-lines the strings they hold.
absl::Status TokenizeFile(const ModelSource& model, const Flags& flags) {
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, model.MakeTokenizer());
  PrintWarnings(tokenizer->warnings());
  SCM_ASSIGN_OR_RETURN(const std::string content, ReadFile(flags.tokenize));
  std::vector<absl::string_view> lines = absl::StrSplit(content, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string text(lines[i]);
    if (flags.json_lines) {
      SCM_ASSIGN_OR_RETURN(const Json json,
                           ParseJson(lines[i], absl::StrCat(flags.tokenize, " line ", i + 1)));
      if (!json.is_string()) return absl::InvalidArgumentError("expected one JSON string a line");
      text = json.get<std::string>();
    }
    SCM_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer->Encode(text, flags.special));
    if (flags.start && tokenizer->adds_bos()) ids.insert(ids.begin(), tokenizer->bos_token());
    std::cout << absl::StrJoin(ids, " ") << "\n";
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ChatMessage>> MessagesOf(const Json& json) {
  std::vector<ChatMessage> messages;
  for (const Json& message : json) {
    messages.push_back({StringAt(message, "role"), StringAt(message, "content")});
    if (messages.back().role.empty()) {
      return absl::InvalidArgumentError("expected a list of {\"role\", \"content\"} a line");
    }
  }
  if (messages.empty()) return absl::InvalidArgumentError("a conversation without messages");
  return messages;
}

// The rendered text of each conversation, as a JSON string a line.
absl::Status RenderFile(const ModelSource& model, const Flags& flags) {
  SCM_ASSIGN_OR_RETURN(const ChatTemplate chat, model.MakeChatTemplate());
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, model.MakeTokenizer());
  const std::string start = tokenizer->Decode({tokenizer->bos_token()});
  SCM_ASSIGN_OR_RETURN(const std::string content, ReadFile(flags.chat));
  for (const absl::string_view line : absl::StrSplit(content, '\n', absl::SkipEmpty())) {
    SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(line, flags.chat));
    SCM_ASSIGN_OR_RETURN(const std::vector<ChatMessage> messages, MessagesOf(json));
    std::string text;
    for (const ChatPiece& piece : chat.Render(messages, start)) text += piece.text;
    std::cout << DumpJson(Json(text)) << "\n";
  }
  return absl::OkStatus();
}

absl::Status DumpTensor(const ModelSource& model, const Flags& flags) {
  for (const TensorInfo& tensor : model.tensors()) {
    if (tensor.name != flags.tensor) continue;
    std::vector<float> values(ElementCount(tensor.shape));
    SCM_RETURN_IF_ERROR(model.ReadFloat32(tensor.name, values.data()));
    std::ofstream out(flags.out, std::ios::binary);
    out.write(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    out.close();
    return out.fail() ? absl::InternalError(absl::StrCat("cannot write ", flags.out))
                      : absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat(flags.path, ": there is no tensor ", flags.tensor));
}

absl::Status WriteCompanions(const ModelSource& model, const Flags& flags) {
  SCM_ASSIGN_OR_RETURN(const std::vector<CompanionFile> files, CompanionFiles(model, "float32"));
  SCM_RETURN_IF_ERROR(MakeDirectories(flags.companions));
  for (const CompanionFile& file : files) {
    SCM_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(flags.companions, "/", file.name), file.content));
  }
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags) {
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<ModelSource> model, OpenModel(flags.path));
  PrintWarnings(model->warnings());
  if (!flags.tokenize.empty()) return TokenizeFile(*model, flags);
  if (!flags.chat.empty()) return RenderFile(*model, flags);
  if (!flags.tensor.empty()) return DumpTensor(*model, flags);
  if (!flags.companions.empty()) return WriteCompanions(*model, flags);
  std::cout << DumpJson(Summary(*model), 2) << "\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace scm::model

int main(int argc, char** argv) {
  scm::model::Flags flags;
  CLI::App app("Prints what scm sees in a model: configuration and tensors as JSON, or as asked.");
  app.add_option("PATH", flags.path, "Hugging Face model directory or .gguf file")->required();
  app.add_option("--tokenize", flags.tokenize, "print the token ids of each line of this file");
  app.add_flag("--json-lines", flags.json_lines, "the file holds one JSON string a line");
  app.add_flag("--special", flags.special, "recognise special tokens in the text");
  app.add_flag("--start", flags.start, "put the start token in front, where the model has it so");
  app.add_option("--chat", flags.chat,
                 "render each conversation (a JSON list of messages a line) of this file");
  auto* tensor = app.add_option("--tensor", flags.tensor, "write this tensor's values as fp32");
  auto* out = app.add_option("--out", flags.out, "file for --tensor");
  tensor->needs(out);
  app.add_option("--companions", flags.companions,
                 "write config.json and the tokenizer files of a Hugging Face model here");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const absl::Status status = scm::model::Run(flags);
  if (status.ok()) return 0;
  std::cerr << "scm-modelinfo: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ? 2 : 1;
}
