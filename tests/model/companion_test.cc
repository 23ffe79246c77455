#include "common/json.h"
#include "gtest/gtest.h"
#include "model/formats/hf_export.h"
#include "model/open_model.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

// Config and tokenizer written for a GGUF file open as a Hugging Face directory of the same model.
TEST(CompanionFiles, OfAGgufFileMakeAHuggingFaceModel) {
  const TemporaryDirectory source, target;
  source.Write("m.gguf", TinyGguf().String("tokenizer.chat_template", "{{ x }}").Build());
  const auto files = CompanionFiles(**OpenModel(source.Path("m.gguf")), "bfloat16");
  ASSERT_TRUE(files.ok()) << files.status();
  WriteTinyModel(target);
  for (const CompanionFile& file : *files) target.Write(file.name, file.content);
  const auto from_gguf = OpenModel(source.Path("m.gguf")), written = OpenModel(target.path());
  ASSERT_TRUE(from_gguf.ok()) << from_gguf.status();
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ((*written)->config().rope_theta, (*from_gguf)->config().rope_theta);
  EXPECT_EQ((*written)->config().rms_norm_eps, (*from_gguf)->config().rms_norm_eps);
  const auto a = (*from_gguf)->MakeTokenizer(), b = (*written)->MakeTokenizer();
  ASSERT_TRUE(a.ok()) << a.status();
  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_EQ((*a)->bos_token(), (*b)->bos_token());
  EXPECT_EQ((*a)->eos_token(), (*b)->eos_token());
  EXPECT_EQ((*a)->adds_bos(), (*b)->adds_bos());
  for (const char* text : {"hola mundo 123", "<|a|>hola<|b|>", " \n\t ñandú 😀", ""}) {
    for (const bool special : {false, true}) {
      EXPECT_EQ(*(*a)->Encode(text, special), *(*b)->Encode(text, special)) << text;
    }
  }
}

TEST(CompanionFiles, StartTokenIsKept) {
  const TemporaryDirectory source;
  source.Write("m.gguf", TinyGguf().Bool("tokenizer.ggml.add_bos_token", true).Build());
  const auto files = CompanionFiles(**OpenModel(source.Path("m.gguf")), "float32");
  ASSERT_TRUE(files.ok()) << files.status();
  const TemporaryDirectory target;
  WriteTinyModel(target);
  for (const CompanionFile& file : *files) {
    if (file.name == "tokenizer.json") target.Write(file.name, file.content);
  }
  EXPECT_TRUE((*(*OpenModel(target.path()))->MakeTokenizer())->adds_bos());
}

TEST(CompanionFiles, OfADirectoryAreItsOwn) {
  const TemporaryDirectory source;
  WriteTinyModel(source);
  source.Write("generation_config.json", "{\"a\":1}");
  source.Write("README.md", "not copied");
  const auto files = CompanionFiles(**OpenModel(source.path()), "float32");
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 3u);
  EXPECT_EQ((*files)[0].name, "config.json");
  EXPECT_EQ((*files)[0].content, TinyConfigJson().dump());
  EXPECT_EQ((*files)[2].content, "{\"a\":1}");
}

// Where transformers would read a copied file otherwise, the copy says what was read.
TEST(CompanionFiles, OfADirectoryAgreeWithWhatWasRead) {
  const TemporaryDirectory source;
  WriteTinyModel(source, /*tied=*/false);
  Json config = TinyConfigJson(/*tied=*/true);
  config["tokenizer_class"] = "GPT2Tokenizer";
  source.Write("config.json", config.dump());
  source.Write("tokenizer_config.json",
               R"({"x": 1, "tokenizer_class": "GPT2Tokenizer", "add_bos_token": true})");
  const auto files = CompanionFiles(**OpenModel(source.path()), "float32");
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 3u);
  Json expected = TinyConfigJson(/*tied=*/false);
  EXPECT_EQ(ParseJson((*files)[0].content, "config.json")->dump(), expected.dump());
  EXPECT_EQ(ParseJson((*files)[2].content, "tokenizer_config.json")->dump(),
            R"({"x":1,"tokenizer_class":"PreTrainedTokenizerFast","add_bos_token":false})");
}

}  // namespace
}  // namespace scm::model
