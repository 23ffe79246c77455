// Checks that look at the file system, and files that cannot be read at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/files.h"
#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Paths : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = AbsolutePath(absl::StrCat("paths_test.", getpid()), testing::TempDir());
    for (const char* made : {"corpus/documents", "corpus/items", "half/items", "hf", "nothing"}) {
      ASSERT_TRUE(MakeDirectories(Path(made)).ok());
    }
    Write("model.gguf", "GGUF....");
    Write("fake.gguf", "PK..");
    Write("short.gguf", "GG");
    Write("weights.bin", "....");
    Write("hf/config.json", "{}");
    Write("predictions.jsonl", "");
  }
  void TearDown() override { ASSERT_TRUE(RemoveRecursively(directory_).ok()); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(WriteFileAtomically(Path(name), content).ok());
  }
  ParsedExperiment ParseFile(const std::string& text) {
    Write("experiment.yaml", text);
    return ParseExperimentFile(Path("experiment.yaml"));
  }
  ParsedExperiment ParseWith(const std::string& model, const std::string& corpus,
                             const std::string& more = "") {
    return ParseFile(absl::StrCat("name: t\nmodel: {base: ", model, "}\ndata: {corpus: ", corpus,
                                  "}\nreplicate: {seeds: [1]}\n", more));
  }

  std::string directory_;
};

TEST_F(Paths, StartAtTheDirectoryOfTheFile) {
  const ParsedExperiment parsed = ParseWith("model.gguf", "./corpus/");
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(parsed.spec->model->base, Path("model.gguf"));
  EXPECT_EQ(parsed.spec->data->corpus, Path("corpus"));
  EXPECT_EQ(ParseWith(Path("hf"), "corpus").spec->model->base, Path("hf"));
}

TEST_F(Paths, ModelsAreOfAKnownKind) {
  const auto error_of = [this](const std::string& model) {
    const ParsedExperiment parsed = ParseWith(model, "corpus");
    return parsed.errors.empty() ? "" : Lines(parsed.errors)[0];
  };
  EXPECT_EQ(error_of("hf"), "");
  EXPECT_EQ(error_of("model.gguf"), "");
  EXPECT_EQ(error_of("modle.gguf"),
            absl::StrCat("f:2: model.base: ", Path("modle.gguf"), " does not exist. Did you mean ",
                         Path("model.gguf"), "?"));
  EXPECT_THAT(error_of("nothing"), HasSubstr("holds no config.json"));
  EXPECT_THAT(error_of("weights.bin"), HasSubstr("is a file that is not called *.gguf"));
  EXPECT_THAT(error_of("fake.gguf"), HasSubstr("does not begin like a GGUF file"));
  EXPECT_THAT(error_of("short.gguf"), HasSubstr("does not begin like a GGUF file"));
  EXPECT_THAT(error_of("~/model.gguf"), HasSubstr("~ is not expanded here"));
  EXPECT_THAT(error_of("hf, fallback: no"), HasSubstr("model.fallback"));
  ASSERT_EQ(mkfifo(Path("pipe.gguf").c_str(), 0600), 0);
  EXPECT_THAT(error_of("pipe.gguf"), HasSubstr("neither a directory nor a file"));
}

TEST_F(Paths, ACorpusHasItsTwoDirectories) {
  EXPECT_THAT(Lines(ParseWith("hf", "missing").errors),
              ElementsAre(HasSubstr("f:3: data.corpus: ")));
  EXPECT_THAT(Lines(ParseWith("hf", "half").errors),
              ElementsAre(HasSubstr("holds no directory documents/")));
  EXPECT_THAT(Lines(ParseWith("hf", "nothing").errors),
              ElementsAre(HasSubstr("documents/"), HasSubstr("items/")));
  EXPECT_THAT(Lines(ParseWith("hf", "weights.bin").errors), ElementsAre(HasSubstr("no directory")));
}

TEST_F(Paths, MissingPredictionsAndAMissingBaselineModelAreErrors) {
  const ParsedExperiment parsed =
      ParseWith("hf", "corpus",
                "evaluation:\n  tasks: [a]\n  baselines:\n    - {name: here, predictions: "
                "predictions.jsonl}\n"
                "    - {name: gpt, predictions: gpt.jsonl}\n    - {name: same, model: hf}\n");
  EXPECT_THAT(Lines(parsed.errors),
              ElementsAre(absl::StrCat("f:9: evaluation.baselines[1].predictions: ",
                                       Path("gpt.jsonl"), " does not exist")));
  EXPECT_THAT(Lines(ParseWith("hf", "corpus",
                              "evaluation: {tasks: [a], baselines: [{name: b, model: nowhere}]}\n")
                        .errors),
              ElementsAre(HasSubstr("f:5: evaluation.baselines[0].model: ")));
}

TEST_F(Paths, AnAdapterIsADirectoryWithItsTwoFiles) {
  const auto errors_of = [this](const std::string& init) {
    return Lines(ParseWith("hf", "corpus", "lora: {init: " + init + "}\n").errors);
  };
  EXPECT_THAT(errors_of("nowhere"),
              ElementsAre(absl::StrCat("f:5: lora.init: ", Path("nowhere"), " does not exist")));
  EXPECT_THAT(errors_of("nothing"), ElementsAre(HasSubstr("holds no adapter_config.json")));
  ASSERT_TRUE(MakeDirectories(Path("adapter")).ok());
  Write("adapter/adapter_config.json", "{}");
  EXPECT_THAT(errors_of("adapter"), ElementsAre(HasSubstr("holds no adapter_model.safetensors")));
  Write("adapter/adapter_model.safetensors", "");
  EXPECT_THAT(errors_of("adapter"), IsEmpty());
}

TEST_F(Paths, AMissingModelIsReportedOnceEvenIfItIsABaselineToo) {
  EXPECT_THAT(Lines(ParseWith("no", "corpus",
                              "evaluation: {tasks: [a], baselines: [{name: base, model: no}]}\n")
                        .errors),
              ElementsAre(HasSubstr("f:2: model.base")));
}

TEST_F(Paths, AnotherTrainerThatIsNotHereIsAWarning) {
  const ParsedExperiment parsed =
      ParseFile("name: t\ntrainer: {command: [bin/train]}\nreplicate: {seeds: [1]}\n");
  EXPECT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_THAT(Lines(parsed.warnings),
              testing::Contains(HasSubstr(Path("bin/train") + " does not exist on this machine")));
}

TEST_F(Paths, AreNotCheckedWhenNotAsked) {
  EXPECT_THAT(Errors("name: t\nmodel: {base: no}\ndata: {corpus: no}\nreplicate: {seeds: [1]}\n"),
              IsEmpty());
}

TEST_F(Paths, FilesThatCannotBeReadAreErrorsLikeAnyOther) {
  EXPECT_THAT(Lines(ParseExperimentFile(Path("none.yaml")).errors),
              ElementsAre("f: there is no such file"));
  EXPECT_THAT(Lines(ParseExperimentFile(directory_).errors),
              ElementsAre("f: is a directory; give the experiment file itself"));
  EXPECT_THAT(Lines(ParseFile("").errors), ElementsAre(HasSubstr("the file is empty")));
  Write("large.yaml", std::string((1 << 20) + 1, '#'));
  EXPECT_THAT(Lines(ParseExperimentFile(Path("large.yaml")).errors),
              ElementsAre(HasSubstr("an experiment file has at most 1048576")));
}

}  // namespace
}  // namespace scm
