// What a file names and what is only found wrong when money has been spent, unless it is said at
// submission: a table of it, each with file, line and key.
#include "scmctl/input_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files.h"
#include "common/json.h"
#include "corpus/input_check.h"
#include "scmctl/input_digests.h"

namespace scm::ctl {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Lines 1 to 5; what a case adds begins on line 6. The model is not there, which is a warning.
constexpr char kBuiltIn[] =
    "name: t\n"
    "model: {base: m.gguf}\n"
    "data: {corpus: corpus, split: {train: 0.6, validation: 0.2, test: 0.2}}\n"
    "training: {max_steps: 40, save_steps: 10, eval_steps: 5}\n"
    "replicate: {seeds: [11, 12]}\n";
constexpr char kOwn[] =
    "name: t\n"
    "stages: [replicate, evaluate, report]\n"
    "trainer: {command: [DIR/train.py]}\n"
    "training: {max_steps: 40, save_steps: 10, eval_steps: 5}\n"
    "replicate: {seeds: [11, 12]}\n";

class InputChecksTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = AbsolutePath(absl::StrCat("input_checks.", getpid()), testing::TempDir());
    for (const char* folder : {"/corpus/documents", "/corpus/items"}) {
      ASSERT_TRUE(MakeDirectories(directory_ + folder).ok());
    }
    std::string documents, items, answers, half;
    for (int i = 0; i < 20; ++i) {
      const std::string id = absl::StrCat("d", i);
      documents += DumpJson(Json{{"id", id},
                                 {"text", absl::StrCat("text number ", i)},
                                 {"language", "en"},
                                 {"as_of", "2026-01-31"}}) +
                   "\n";
      for (const char* task : {"colour", "shape"}) {
        Json item = {{"id", absl::StrCat(id, ".", task)},
                     {"task", task},
                     {"document", id},
                     {"prompt", absl::StrCat("Which ", task, " has number ", i, "?")},
                     {"choices", {"one", "two"}},
                     {"gold", i % 2}};
        items += DumpJson(item) + "\n";
        answers += DumpJson(Json{{"id", item["id"]}, {"predicted", 0}}) + "\n";
      }
      half += DumpJson(Json{{"id", id + ".colour"}, {"predicted", 0}}) + "\n";
    }
    // A task that is never tested.
    items +=
        "{\"id\": \"odd\", \"task\": \"taste\", \"document\": \"d0\", \"prompt\": \"Which "
        "taste?\", \"choices\": [\"sweet\", \"sour\"], \"gold\": 0, \"split\": \"train\"}\n";
    Write("corpus/documents/a.jsonl", documents);
    Write("corpus/items/a.jsonl", items);
    // The one that is placed by hand stands apart from its document.
    Write("corpus/corpus.json", "{\"accept\": [\"cluster_leakage\"]}");
    Write("answers.jsonl", answers);
    Write("colours.jsonl", half);
    Write("text.jsonl", absl::StrReplaceAll(answers, {{":0}", ":\"0\"}"}}));
    Write("nan.jsonl", absl::StrReplaceAll(answers, {{":0}", ":NaN}"}}));
    Write("few.jsonl", answers.substr(0, answers.find('\n') + 1));
    Write("train.py", "#!/usr/bin/env python3\n");
    Write("plain.py", "print('no first line')\n");
    Write("locked.py", "#!/usr/bin/env python3\n");
    for (const char* name : {"train.py", "plain.py"}) {
      ASSERT_EQ(chmod((directory_ + "/" + name).c_str(), 0755), 0);
    }
  }
  void TearDown() override { ASSERT_TRUE(RemoveRecursively(directory_).ok()); }

  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(WriteFileAtomically(absl::StrCat(directory_, "/", name), content).ok());
  }
  std::string Filled(const std::string& text) const {
    return absl::StrReplaceAll(text, {{"DIR", directory_}});
  }
  ParsedExperiment Check(const std::string& text) const {
    ParsedExperiment parsed = ParseExperiment(
        Filled(text), {.base_directory = directory_, .check_paths = true, .need_models = false});
    CheckInputs(parsed);
    return parsed;
  }
  static std::vector<std::string> Lines(const std::vector<Diagnostic>& diagnostics) {
    std::vector<std::string> lines;
    for (const Diagnostic& d : diagnostics) lines.push_back(FormatDiagnostic("f", d));
    return lines;
  }
  std::vector<std::string> Errors(const std::string& text) const {
    return Lines(Check(text).errors);
  }
  std::vector<std::string> Warnings(const std::string& text) const {
    return Lines(Check(text).warnings);
  }

  std::string directory_;
};

struct Case {
  const char* text;     // behind kBuiltIn or kOwn
  const char* error;    // begins with the place
  const char* because;  // also in it
};

TEST_F(InputChecksTest, WhatIsRightPasses) {
  EXPECT_THAT(
      Errors(absl::StrCat(kBuiltIn, "trainer: {parameters: {train_tasks: [colour], ",
                          "max_validation_items: 9}}\nevaluation: {tasks: [colour, shape], ",
                          "baselines: [{name: gpt, predictions: answers.jsonl}], primary: {task: ",
                          "colour, baseline: gpt}}\n")),
      IsEmpty());
  EXPECT_THAT(Errors(absl::StrCat(kOwn, "model: {base: DIR/m.gguf, anything: 1}\n",
                                  "data: {corpus: DIR/corpus, mine: [1]}\nlora: no matter\n",
                                  "evaluation: {tasks: [colour]}\n")),
              IsEmpty());
}

TEST_F(InputChecksTest, WrongOnesWithTheBuiltInTrainer) {
  constexpr char kBaseline[] = "f:6: evaluation.baselines[0].predictions: ";
  const Case cases[] = {
      {"evaluation: {tasks: [colour], baselines: [{name: g, predictions: text.jsonl}]}\n",
       kBaseline, "found \"0\", which is text"},
      {"evaluation: {tasks: [colour], baselines: [{name: g, predictions: nan.jsonl}]}\n", kBaseline,
       "nan.jsonl:1: "},
      {"evaluation: {tasks: [colour], baselines: [{name: g, predictions: corpus}]}\n", kBaseline,
       "is no file"},
      {"evaluation: {tasks: [colour], baselines: [{name: g, predictions: few.jsonl}]}\n", kBaseline,
       "items of colour (first: "},
      {"evaluation: {tasks: [colour, shape], baselines: [{name: g, predictions: colours.jsonl}], "
       "primary: {task: shape, baseline: g}}\n",
       kBaseline, "items of shape"},
      {"evaluation: {tasks: [color]}\n",
       "f:6: evaluation.tasks: ", "\"color\" is no task of the corpus. Did you mean colour?"},
      {"evaluation: {tasks: [taste]}\n", "f:3: data.corpus: ", "task taste has no test items"},
      {"evaluation: {tasks: [colour], primary: {task: color, baseline: base}}\n",
       "f:6: evaluation.primary.task: ", "Did you mean colour?"},
      {"trainer: {parameters: {train_task: [colour]}}\n",
       "f:6: trainer.parameters.train_task: ", "unknown key. Did you mean train_tasks?"},
      {"trainer:\n  parameters:\n    score_tokens: 2.5\n",
       "f:8: trainer.parameters.score_tokens: ", "expected a whole number"},
      {"trainer: {parameters: {train_tasks: colour}}\n",
       "f:6: trainer.parameters.train_tasks: ", "expected a list of tasks"},
      {"trainer: {parameters: {train_tasks: [color]}}\n",
       "f:6: trainer.parameters.train_tasks: ", "Did you mean colour?"},
      {"trainer: {parameters: {train_tasks: [taste]}}\n",
       "f:6: trainer.parameters.train_tasks: ", "no item of taste is in the split validation"},
      {"sweep: {search: grid, space: {trainer.parameters.train_task: {choice: [[colour]]}}}\n",
       "f:6: sweep.space.trainer.parameters.train_task: ", "Did you mean train_tasks?"},
      {"sweep: {search: random, space: {trainer.parameters.score_tokens: {uniform: [1, 9]}}}\n",
       "f:6: sweep.space.trainer.parameters.score_tokens: ", "takes whole numbers"},
      {"export: {formats: [peft, peft]}\n", "f:6: export.formats: ", "listed twice"},
      {"export: {formats: [ggml]}\n", "f:6: export.formats: ", "is not known"},
      {"stages: [report, replicate]\n", "f:6: stages: ", "The order is [replicate, report]"},
      {"timeline: {finish_by: 2026-02-30}\n", "f:6: timeline.finish_by: ", "date of the calendar"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(Errors(absl::StrCat(kBuiltIn, c.text)),
                Contains(AllOf(testing::StartsWith(c.error), HasSubstr(c.because))))
        << c.text;
  }
}

// They are trained and validated on, and there is nothing to score them by.
TEST_F(InputChecksTest, ConversationsAreTrainedAndNotEvaluated) {
  std::string talks;
  for (int i = 0; i < 20; ++i) {
    talks += DumpJson(Json{{"id", absl::StrCat("talk", i)},
                           {"task", "talk"},
                           {"document", absl::StrCat("d", i)},
                           {"messages",
                            {{{"role", "user"}, {"content", absl::StrCat("Say ", i, ".")}},
                             {{"role", "assistant"}, {"content", absl::StrCat("It is ", i)}}}}}) +
             "\n";
  }
  Write("corpus/items/talks.jsonl", talks);
  EXPECT_THAT(Errors(absl::StrCat(kBuiltIn, "trainer: {parameters: {train_tasks: [talk]}}\n",
                                  "evaluation: {tasks: [colour]}\n")),
              IsEmpty());
  EXPECT_THAT(Errors(absl::StrCat(kBuiltIn, "evaluation: {tasks: [colour, talk]}\n")),
              ElementsAre(AllOf(testing::StartsWith("f:6: evaluation.tasks: "),
                                HasSubstr("the items of talk are conversations"))));
}

TEST_F(InputChecksTest, WrongOnesWithATrainerOfOnesOwn) {
  const Case cases[] = {
      {"evaluation: {tasks: [colour]}\ndata: {corpus: DIR/corpus}\n",
       "f:2: stages: ", "the stage evaluate needs a model"},
      {"evaluation: {tasks: [colour]}\nmodel: {base: DIR/m.gguf}\n", "f: data: ", "missing. Give "},
      {"evaluation: {tasks: [colour]}\nmodel: any\ndata: {corpus: DIR/corpus}\n",
       "f:7: model: ", "expected a section"},
      {"evaluation: {tasks: [colour]}\nmodel: {base: m.gguf}\ndata: {corpus: DIR/corpus}\n",
       "f:7: model.base: ", "m.gguf is relative"},
      {"evaluation: {tasks: [colour]}\nmodel: {base: DIR/m.gguf}\ndata: {corpus: corpus}\n",
       "f:8: data.corpus: ", "is relative"},
      {"evaluation: {tasks: [colour]}\nmodel: {base: DIR/m.gguf}\ndata: {corpus: DIR/nowhere}\n",
       "f:8: data.corpus: ", "does not exist"},
      {"evaluation: {tasks: [colour]}\nmodel: {base: DIR/plain.py}\ndata: {corpus: DIR/corpus}\n",
       "f:7: model.base: ", "not called *.gguf"},
      {"evaluation: {tasks: [colour]}\nmodel: {base: DIR/m.gguf}\ndata:\n  corpus: DIR/corpus\n"
       "  split: {train: 0.9}\n  max_length: many\n",
       "f:11: data.max_length: ", "the built-in programs, which read this"},
      {"evaluation: {tasks: [color]}\nmodel: {base: DIR/m.gguf}\ndata: {corpus: DIR/corpus}\n",
       "f:6: evaluation.tasks: ", "Did you mean colour?"},
      {"evaluation: {tasks: [colour], baselines: [{name: g, predictions: text.jsonl}]}\n"
       "model: {base: DIR/m.gguf}\ndata: {corpus: DIR/corpus}\n",
       "f:6: evaluation.baselines[0].predictions: ", "which is text"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(Errors(absl::StrCat(kOwn, c.text)),
                Contains(AllOf(testing::StartsWith(c.error), HasSubstr(c.because))))
        << c.text;
  }
}

TEST_F(InputChecksTest, CommandsThatNoWorkerCouldStart) {
  const auto errors_of = [&](const std::string& command) {
    return Errors(
        absl::StrCat("name: t\ntrainer: {command: ", command, "}\nreplicate: {seeds: [1]}\n"));
  };
  const std::string place = "f:2: trainer.command: ";
  for (const char* good :
       {"[./train.py]", "[DIR/train.py, --fast]", "[python3, DIR/locked.py]", "[/bin/sh]"}) {
    EXPECT_THAT(errors_of(good), IsEmpty()) << good;
  }
  const std::pair<const char*, const char*> bad[] = {
      {"[./locked.py]", "locked.py is not executable"},
      {"[./plain.py]", "neither a program nor a script with a #! line"},
      {"[./corpus]", "is no file"},
      {"[python3, train.py]", "train.py is relative"},
      {"[python3, ./train.py]", "Write [python3, DIR/train.py]"},
      {"[python3, DIR/corpus]", "is no file, so python3 cannot run it"},
      {"[train.py]", "Write ./train.py for the file beside this one"},
      {"[trainer]", "Give the program's absolute path"},
      {"[scm-evaluator]", "is no trainer"},
  };
  for (const auto& [command, because] : bad) {
    EXPECT_THAT(errors_of(command),
                ElementsAre(AllOf(HasSubstr(place), HasSubstr(Filled(because)))))
        << command;
  }
  EXPECT_THAT(
      Warnings("name: t\ntrainer: {command: [python3, -c, '1']}\nreplicate: {seeds: [1]}\n"),
      Contains(HasSubstr("only workers that allow the interpreter itself")));
}

TEST_F(InputChecksTest, PredictionsThatAreNotThereKeepOneFromSubmittingNotFromPlanning) {
  const std::string text = Filled(absl::StrCat(
      "name: t\nstages: [replicate, evaluate, report]\ntrainer: {command: [DIR/train.py]}\n",
      "replicate: {seeds: [11]}\nmodel: {base: DIR/m}\ndata: {corpus: DIR/corpus}\n",
      "evaluation: {tasks: [colour], baselines: [{name: g, predictions: answer.jsonl}]}\n"));
  ASSERT_TRUE(MakeDirectories(directory_ + "/m").ok());
  Write("m/config.json", "{}");
  ParseOptions options{.base_directory = directory_, .check_paths = true};
  const std::string place = "f:7: evaluation.baselines[0].predictions: ";
  EXPECT_THAT(Lines(ParseExperiment(text, options).errors),
              ElementsAre(AllOf(HasSubstr(place), HasSubstr("does not exist. Did you mean"))));
  options.need_models = false;
  const ParsedExperiment planned = ParseExperiment(text, options);
  EXPECT_THAT(Lines(planned.errors), IsEmpty());
  EXPECT_THAT(Lines(planned.warnings),
              Contains(AllOf(HasSubstr(place), HasSubstr("It is needed to submit"))));
}

TEST_F(InputChecksTest, ABaselineMayLeaveAWholeTaskOut) {
  const std::string text =
      absl::StrCat(kBuiltIn, "evaluation: {tasks: [colour, shape], baselines: [{name: g, ",
                   "predictions: colours.jsonl}], primary: {task: colour, baseline: g}}\n");
  EXPECT_THAT(Errors(text), IsEmpty());
  EXPECT_THAT(Warnings(text),
              Contains(AllOf(HasSubstr("f:6: evaluation.baselines[0].predictions"),
                             HasSubstr("items of shape"), HasSubstr("the report will say so"))));
}

TEST_F(InputChecksTest, EveryErrorIsSaidAtOnce) {
  const std::vector<std::string> errors = Errors(absl::StrCat(
      kBuiltIn, "trainer: {parameters: {train_task: [colour]}}\nevaluation:\n  tasks: [colour]\n",
      "  baselines:\n    - {name: a, predictions: corpus}\n",
      "    - {name: b, predictions: m/../corpus}\n"));
  EXPECT_THAT(errors, ElementsAre(HasSubstr("f:6: "), HasSubstr("f:10: "), HasSubstr("f:11: ")));
}

TEST_F(InputChecksTest, WhatAnEarlierVersionAcceptedStaysReadable) {
  ParseOptions options{.base_directory = "/", .check_paths = false};
  const std::string text = absl::StrCat(kBuiltIn, "trainer: {parameters: {train_task: [a]}}\n");
  EXPECT_FALSE(ParseExperiment(text, options).errors.empty());
  options.accepted = true;
  const ParsedExperiment parsed = ParseExperiment(text, options);
  ASSERT_TRUE(parsed.spec);
  EXPECT_TRUE(ApplyParameters(*parsed.spec, Json{{"lora.r", 8}}).ok());
}

TEST_F(InputChecksTest, DatesThatHavePassed) {
  const absl::Time now = absl::FromCivil(absl::CivilDay(2026, 3, 10), absl::UTCTimeZone());
  const auto warnings_of = [&](const std::string& day) {
    ParsedExperiment parsed =
        Check(absl::StrCat(kBuiltIn, "timeline: {finish_by: ", day, ", max_slip_days: 5}\n"));
    parsed.warnings.clear();
    CheckDates(parsed, now);
    return Lines(parsed.warnings);
  };
  EXPECT_THAT(warnings_of("2026-03-10"), IsEmpty());
  EXPECT_THAT(warnings_of("2026-03-08"),
              ElementsAre(AllOf(HasSubstr("f:6: timeline.finish_by: 2026-03-08 passed"),
                                testing::Not(HasSubstr("slip")))));
  EXPECT_THAT(warnings_of("2026-02-08"), ElementsAre(HasSubstr("the rule slip stops")));
}

TEST_F(InputChecksTest, EveryInputIsRecorded) {
  ASSERT_TRUE(MakeDirectories(directory_ + "/m").ok());
  Write("m/config.json", "{}");
  ASSERT_TRUE(MakeDirectories(directory_ + "/a").ok());
  Write("a/adapter_config.json", "{}");
  Write("a/adapter_model.safetensors", "");
  Write("other.gguf", "GGUF");
  const std::string text = absl::StrReplaceAll(
      absl::StrCat(kBuiltIn, "lora: {init: a}\n",
                   "evaluation: {tasks: [colour], baselines: [{name: same, model: m}, ",
                   "{name: o, model: other.gguf}, {name: g, predictions: answers.jsonl}]}\n"),
      {{"m.gguf", "m"}});
  const ParsedExperiment parsed =
      ParseExperiment(text, {.base_directory = directory_, .check_paths = true});
  ASSERT_TRUE(parsed.spec) << testing::PrintToString(Lines(parsed.errors));
  const auto digests = InputDigests(*parsed.spec);
  ASSERT_TRUE(digests.ok()) << digests.status();
  std::vector<std::string> keys;
  for (const corpus::InputRecord& record : corpus::InputRecordsFromJson(*digests, "", "")) {
    keys.push_back(record.key);
  }
  EXPECT_THAT(keys,
              ElementsAre("data.corpus", "model.base", "lora.init", "evaluation.baselines[1].model",
                          "evaluation.baselines[2].predictions"));
  EXPECT_EQ(StringAt(*digests, "model").size(), 64u);

  // They survive the way to the coordinator.
  ExperimentSpec spec = *parsed.spec;
  spec.digests = *digests;
  const ParsedExperiment again =
      ParseExperiment(DumpJson(SpecToJson(spec)), {.base_directory = "/", .check_paths = false});
  ASSERT_TRUE(again.spec) << testing::PrintToString(Lines(again.errors));
  EXPECT_EQ(again.spec->digests, *digests);

  ASSERT_TRUE(RemoveRecursively(directory_ + "/other.gguf").ok());
  EXPECT_THAT(std::string(InputDigests(*parsed.spec).status().message()), HasSubstr("other.gguf"));
}

}  // namespace
}  // namespace scm::ctl
