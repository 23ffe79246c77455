// Every section judged by itself: what is accepted, what is refused and in which words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(ValidFile, HasTheDefaultsOfTheContract) {
  const ParsedExperiment parsed = Parse(kValid);
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  const ExperimentSpec& spec = *parsed.spec;
  EXPECT_EQ(spec.model->base, "/base/m.gguf");
  EXPECT_EQ(spec.model->fallback, "");
  EXPECT_EQ(spec.data->corpus, "/base/c");
  EXPECT_EQ(spec.data->split.by, "document");
  EXPECT_EQ(spec.data->max_length, 512);
  EXPECT_TRUE(spec.data->packing);
  EXPECT_EQ(spec.data->special_tokens, "text");
  EXPECT_TRUE(spec.data->end_token);
  EXPECT_EQ(spec.lora.r, 16);
  EXPECT_THAT(spec.lora.target_modules, ElementsAre("q_proj", "v_proj", "o_proj", "gate_proj"));
  EXPECT_EQ(spec.training.learning_rate, 2.0e-4);
  EXPECT_EQ(spec.training.max_steps, 2000);
  EXPECT_EQ(spec.training.warmup_steps, 100);
  EXPECT_EQ(spec.training.early_stopping->patience, 5);
  EXPECT_EQ(spec.training.precision, "bf16");
  EXPECT_TRUE(spec.trainer.built_in());
  EXPECT_EQ(spec.check.steps, 100);
  EXPECT_FALSE(spec.sweep.has_value());
  EXPECT_EQ(spec.abort.no_convergence->after_step, 1000);
  EXPECT_EQ(spec.abort.below_random->false_abort, 0.001);
  EXPECT_TRUE(spec.abort.non_finite);
  EXPECT_EQ(spec.abort.stalled->minutes, 10);
  EXPECT_FALSE(spec.budget.has_value());
  EXPECT_FALSE(spec.timeline.has_value());
  EXPECT_EQ(spec.retries.max, 5);
  EXPECT_EQ(spec.resources.gpus, 0);
  EXPECT_EQ(spec.resources.cpus, 1);
  EXPECT_FALSE(spec.evaluation.has_value());
  EXPECT_FALSE(spec.export_.has_value());
}

TEST(ValidFile, AllLinearIsEveryMatrix) {
  const ParsedExperiment parsed =
      Parse(std::string(kValid) + "lora: {target_modules: all-linear}\n");
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_THAT(parsed.spec->lora.target_modules, ElementsAre("q_proj", "k_proj", "v_proj", "o_proj",
                                                            "gate_proj", "up_proj", "down_proj"));
}

struct Refused {
  const char* added;  // behind kValid, so it begins on line 5
  const char* error;
};

class OneError : public testing::TestWithParam<Refused> {};

TEST_P(OneError, IsReportedOnceWithItsLineKeyAndAdvice) {
  const std::string text = absl::StrCat(kValid, GetParam().added);
  EXPECT_THAT(Errors(text), ElementsAre(GetParam().error)) << text;
}

const Refused kKeysAndTypes[] = {
    {"lora:\n  rr: 8\n", "f:6: lora.rr: unknown key. Did you mean r?"},
    {"training: {learning_rte: 1}\n",
     "f:5: training.learning_rte: unknown key. Did you mean learning_rate?"},
    {"bugdet: {limit: 3}\n", "f:5: bugdet: unknown key. Did you mean budget?"},
    {"lora: {max_steps: 8}\n",
     "f:5: lora.max_steps: unknown key. It belongs in the section training"},
    {"check: {zzzzzzzzz: 8}\n", "f:5: check.zzzzzzzzz: unknown key. Known here: steps"},
    {"training:\n  max_steps: 50\n  eval_steps: 5\n  max_steps: 60\n",
     "f:8: training.max_steps: given twice; the first one is on line 6. Remove one"},
    {"name: again\n", "f:5: name: given twice; the first one is on line 1. Remove one"},
    {"training: {batch_size: \"4\"}\n",
     "f:5: training.batch_size: expected a whole number from 1 to 1048576, found the text \"4\" "
     "(the "
     "quotes make it text; remove them)"},
    {"training: {batch_size: 4.5}\n",
     "f:5: training.batch_size: expected a whole number from 1 to 1048576, found 4.5"},
    {"training: {learning_rate: true}\n",
     "f:5: training.learning_rate: expected a number above 0, found true"},
    {"training: {learning_rate: [1]}\n",
     "f:5: training.learning_rate: expected a number above 0, found a list"},
    {"training: {learning_rate: .inf}\n",
     "f:5: training.learning_rate: expected a number above 0, found .inf"},
    {"training: {learning_rate: 1e999}\n",
     "f:5: training.learning_rate: expected a number above 0, found 1e999"},
    {"training: {learning_rate: none}\n",
     "f:5: training.learning_rate: expected a number above 0, found none"},
    {"training: {learning_rate: }\n",
     "f:5: training.learning_rate: has no value. Give it one, or remove the key"},
    {"training: 5\n", "f:5: training: expected a section (lines of `key: value`), found 5"},
    {"training: none\n", "f:5: training: expected a section (lines of `key: value`), found none"},
    {"budget:\n# limit: 5\n", "f:5: budget: has no value. Give it one, or remove the key"},
    {"digests: {corpus: ab}\n", "f:5: digests: is written by scmctl when it submits. Remove it"},
};
INSTANTIATE_TEST_SUITE_P(KeysAndTypes, OneError, testing::ValuesIn(kKeysAndTypes));

const Refused kTrainingValues[] = {
    {"lora: {r: 0}\n", "f:5: lora.r: expected a whole number from 1 to 4096, found 0"},
    {"lora: {alpha: -1}\n", "f:5: lora.alpha: expected a number above 0, found -1"},
    {"lora: {dropout: 1.0}\n", "f:5: lora.dropout: expected a number from 0 to below 1, found 1.0"},
    {"lora: {dropout: -0.1}\n",
     "f:5: lora.dropout: expected a number from 0 to below 1, found -0.1"},
    {"lora: {target_modules: [q_proj, k_porj]}\n",
     "f:5: lora.target_modules: \"k_porj\" is not known. Did you mean k_proj?"},
    {"lora: {target_modules: [q_proj, q_proj]}\n",
     "f:5: lora.target_modules: q_proj is listed twice"},
    {"lora: {rank_pattern: {q_proj: 0}}\n",
     "f:5: lora.rank_pattern.q_proj: expected a whole number from 1 to 4096, found 0"},
    {"lora: {rank_pattern: {q_proj: 8, q_proj: 4}}\n",
     "f:5: lora.rank_pattern.q_proj: given twice; the first one is on line 5. Remove one"},
    {"lora: {rank_pattern: [q_proj]}\n",
     "f:5: lora.rank_pattern: expected a section (lines of `key: value`), found a list"},
    {"lora: {alpha_pattern: {q_proj: 0}}\n",
     "f:5: lora.alpha_pattern.q_proj: expected a number above 0, found 0"},
    {"lora: {use_rslora: 1}\n", "f:5: lora.use_rslora: expected true or false, found 1"},
    {"lora: {target_modules: [q_proj, all-linear]}\n",
     "f:5: lora.target_modules: all-linear stands for the whole list: write target_modules: "
     "all-linear"},
    {"lora: {target_modules: all}\n",
     "f:5: lora.target_modules: expected a list of q_proj, k_proj, v_proj, o_proj, gate_proj, "
     "up_proj or down_proj, or all-linear, found all"},
    {"lora: {quantize_base: fp4}\n",
     "f:5: lora.quantize_base: \"fp4\" is not known. Did you mean nf4?"},
    {"lora: {quantize_base: awq}\n",
     "f:5: lora.quantize_base: \"awq\" is not known. Expected none, nf4 or int8"},
    {"training: {schedule: cosin}\n",
     "f:5: training.schedule: \"cosin\" is not known. Did you mean cosine?"},
    {"training: {precision: fp16}\n",
     "f:5: training.precision: fp16 is known but not supported yet. Use bf16, fp32 or tf32"},
    {"training: {loss_on: prompt}\n",
     "f:5: training.loss_on: \"prompt\" is not known. Expected answer or all"},
    {"training: {save_steps: 0}\n",
     "f:5: training.save_steps: expected a whole number from 1 on, found 0"},
    {"training: {max_grad_norm: 0}\n",
     "f:5: training.max_grad_norm: expected a number above 0, found 0"},
    {"training: {weight_decay: -1}\n",
     "f:5: training.weight_decay: expected a number from 0 on, found -1"},
    {"training: {early_stopping: {patience: 0}}\n",
     "f:5: training.early_stopping.patience: expected a whole number from 1 on, found 0"},
    {"training: {early_stopping: false}\n",
     "f:5: training.early_stopping: expected a section (lines of `key: value`), found false"},
    {"trainer: {command: []}\n",
     "f:5: trainer.command: expected a list of words like [python3, train.py], found a list"},
    {"trainer: {command: scm-trainer}\n",
     "f:5: trainer.command: expected a list of words like [python3, train.py], found scm-trainer"},
    {"trainer: {parameters: 5}\n", "f:5: trainer.parameters: expected a section, found 5"},
    {"trainer: {parameters: {a: {b: 1, b: 2}}}\n",
     "f:5: trainer.parameters.a.b: given twice. Remove one"},
};
INSTANTIATE_TEST_SUITE_P(TrainingValues, OneError, testing::ValuesIn(kTrainingValues));

const Refused kOtherValues[] = {
    {"check: {steps: 0}\n", "f:5: check.steps: expected a whole number from 1 on, found 0"},
    {"retries: {max: -1}\n", "f:5: retries.max: expected a whole number from 0 to 1000, found -1"},
    {"resources: {cpus: 0}\n",
     "f:5: resources.cpus: expected a whole number from 1 to 65536, found 0"},
    {"resources: {gpus: 1.5}\n",
     "f:5: resources.gpus: expected a whole number from 0 to 4096, or a share of one GPU between 0 "
     "and 1, found 1.5"},
    {"resources: {gpus: -0.5}\n",
     "f:5: resources.gpus: expected a whole number from 0 to 4096, or a share of one GPU between 0 "
     "and 1, found -0.5"},
    {"resources: {gpus: 4097}\n",
     "f:5: resources.gpus: expected a whole number from 0 to 4096, or a share of one GPU between 0 "
     "and 1, found 4097"},
    {"resources: {priority: 101}\n",
     "f:5: resources.priority: expected a whole number from 0 to 100, found 101"},
    {"abort: {stalled: {minutes: 0}}\n",
     "f:5: abort.stalled.minutes: expected a number above 0, found 0"},
    {"abort: {below_random: {false_abort: 1}}\n",
     "f:5: abort.below_random.false_abort: expected a number between 0 and 1, found 1"},
    {"abort: {no_convergence: true}\n",
     "f:5: abort.no_convergence: expected a section (lines of `key: value`), found true"},
    {"abort: {no_convergance: none}\n",
     "f:5: abort.no_convergance: unknown key. Did you mean no_convergence?"},
    {"budget: {limit: 0, cpu_hour: 1}\n", "f:5: budget.limit: expected a number above 0, found 0"},
    {"budget: {cpu_hour: 1}\n",
     "f:5: budget.limit: missing. A budget needs the amount that may be spent"},
    {"budget: {limit: 5, cpu_hour: -1}\n",
     "f:5: budget.cpu_hour: expected a number from 0 on, found -1"},
    {"budget: {limit: 5, cpu_hour: 1, currency: dollars}\n",
     "f:5: budget.currency: expected three capital letters, like USD or EUR"},
    {"budget: {limit: 5, cpu_hour: 1, gpu_hour: {H200: free}}\n",
     "f:5: budget.gpu_hour.H200: expected a number from 0 on, found free"},
    {"timeline: {finish_by: 2026-02-30}\n",
     "f:5: timeline.finish_by: expected a date of the calendar like 2026-12-31, found 2026-02-30"},
    {"timeline: {finish_by: 31.12.2026}\n",
     "f:5: timeline.finish_by: expected a date of the calendar like 2026-12-31, found 31.12.2026"},
    {"timeline: {finish_by: 2026-1-1}\n",
     "f:5: timeline.finish_by: expected a date of the calendar like 2026-12-31, found 2026-1-1"},
    {"timeline: {max_slip_days: 3}\n",
     "f:5: timeline.finish_by: missing. A timeline needs the date of its end, like 2026-12-31"},
    {"timeline: {finish_by: 2026-12-31, max_slip_days: -1}\n",
     "f:5: timeline.max_slip_days: expected a number from 0 on, found -1"},
    {"export: {formats: [peft, gguf]}\n",
     "f:5: export.formats: gguf is known but not supported yet. Use peft or merged"},
    {"export: {quantize: q4_0}\n",
     "f:5: export.quantize: this key is known but not supported yet. Remove it"},
    {"export: {formats: []}\n",
     "f:5: export.formats: expected a list of peft or merged, found a list"},
};
INSTANTIATE_TEST_SUITE_P(OtherValues, OneError, testing::ValuesIn(kOtherValues));

const Refused kEvaluation[] = {
    {"evaluation: {baselines: []}\n",
     "f:5: evaluation.tasks: missing. List the tasks of the items to score"},
    {"evaluation: {tasks: []}\n",
     "f:5: evaluation.tasks: expected a list like [legal_reasoning], found a list"},
    {"evaluation: {tasks: [a, a]}\n", "f:5: evaluation.tasks: a is listed twice"},
    {"evaluation: {tasks: [a], baselines: [{name: b}]}\n",
     "f:5: evaluation.baselines[0]: needs model: PATH or predictions: FILE.jsonl"},
    {"evaluation: {tasks: [a], baselines: [{name: b, model: m, predictions: p}]}\n",
     "f:5: evaluation.baselines[0]: has a model and predictions; it can have only one"},
    {"evaluation: {tasks: [a], baselines: [{model: m}]}\n",
     "f:5: evaluation.baselines[0].name: missing. Every baseline needs a name of its own"},
    {"evaluation:\n  tasks: [a]\n  baselines:\n    - {name: b, model: m}\n    - {name: b, model: "
     "n}\n",
     "f:9: evaluation.baselines[1].name: another baseline is called b already"},
    {"evaluation: {tasks: [a], baselines: [{name: base, model: other.gguf}]}\n",
     "f:5: evaluation.baselines[0].name: base is the name of model.base; call this one something "
     "else"},
    {"evaluation: {tasks: [a], baselines: [{name: \"seed 11\", model: m}]}\n",
     "f:5: evaluation.baselines[0].name: use letters, digits, '.', '-' and '_' only, 64 at most"},
    {"evaluation: {tasks: [a], baselines: [5]}\n",
     "f:5: evaluation.baselines[0]: expected a section (lines of `key: value`), found 5"},
    {"evaluation: {tasks: [legal], baselines: [{name: b, model: m}], primary: {task: legla, "
     "baseline: b}}\n",
     "f:5: evaluation.primary.task: \"legla\" is not in evaluation.tasks. Did you mean legal?"},
    {"evaluation: {tasks: [legal], baselines: [{name: b, model: m}], primary: {task: legal, "
     "baseline: gpt}}\n",
     "f:5: evaluation.primary.baseline: \"gpt\" is not in evaluation.baselines. Use b"},
    {"evaluation: {tasks: [legal], primary: {task: legal, baseline: gpt}}\n",
     "f:5: evaluation.primary.baseline: \"gpt\" is not in evaluation.baselines. There are none"},
    {"evaluation: {tasks: [legal], primary: {task: legal}}\n",
     "f:5: evaluation.primary.baseline: missing. The primary comparison names one task and one "
     "baseline"},
    {"evaluation: {tasks: [legal], gates: {p_value: 0.05}}\n",
     "f:5: evaluation.gates.p_value: needs evaluation.primary: {task: …, baseline: …}, the one "
     "comparison that is named beforehand"},
    {"evaluation: {tasks: [legal], gates: {acuracy: 0.6}}\n",
     "f:5: evaluation.gates.acuracy: unknown key. Did you mean accuracy?"},
    {"evaluation: {tasks: [legal], gates: {accuracy: 60}}\n",
     "f:5: evaluation.gates.accuracy: expected a number between 0 and 1, found 60"},
    {"evaluation: {tasks: [legal], gates: {latency_ms_p95: 0}}\n",
     "f:5: evaluation.gates.latency_ms_p95: expected a number above 0, found 0"},
};
INSTANTIATE_TEST_SUITE_P(Evaluation, OneError, testing::ValuesIn(kEvaluation));

TEST(RequiredSections, AreAskedForByName) {
  EXPECT_THAT(Errors("lora: {r: 8}\n"),
              ElementsAre("f: name: missing. Give the experiment a name",
                          "f: model: missing. Give model: {base: DIRECTORY or FILE.gguf}",
                          "f: data: missing. Give data: {corpus: DIRECTORY}",
                          HasSubstr("f: replicate: nothing would be trained.")));
  EXPECT_THAT(
      Errors("name: t\nmodel: {}\ndata: {}\nreplicate: {seeds: [1]}\n"),
      ElementsAre(HasSubstr("f:2: model.base: missing."), HasSubstr("f:3: data.corpus: missing.")));
}

TEST(Name, IsSafeInTablesAndFileNames) {
  const auto errors_of = [](const std::string& name) {
    return Errors(absl::StrCat("name: ", name, "\nmodel: {base: m.gguf}\ndata: {corpus: c}\n",
                               "replicate: {seeds: [11]}\n"));
  };
  for (const char* good : {"t", "scm-legal-1b", "A.b_c-9", "\"2026\"", "run-1", "e-x"}) {
    EXPECT_THAT(errors_of(good), IsEmpty()) << good;
  }
  EXPECT_THAT(errors_of("my experiment"), ElementsAre(HasSubstr("For example my-experiment")));
  EXPECT_THAT(errors_of("../../etc/passwd"), ElementsAre(HasSubstr("For example etc-passwd")));
  EXPECT_THAT(errors_of("año"), SizeIs(1));
  EXPECT_THAT(errors_of("-x"), SizeIs(1));
  EXPECT_THAT(errors_of(std::string(65, 'x')), SizeIs(1));
  EXPECT_THAT(errors_of("2026"), ElementsAre(HasSubstr("expected text (in quotes")));
  EXPECT_THAT(errors_of("r-3"), ElementsAre(HasSubstr("looks like an id")));
  EXPECT_THAT(errors_of("\"\""), ElementsAre(HasSubstr("expected text")));
}

TEST(Rules, CanBeSwitchedOff) {
  const ParsedExperiment parsed = Parse(absl::StrCat(
      kValid, "training: {early_stopping: none}\n",
      "abort: {no_convergence: none, below_random: null, non_finite: false, stalled: ~}\n"));
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_FALSE(parsed.spec->training.early_stopping.has_value());
  EXPECT_FALSE(parsed.spec->abort.no_convergence.has_value());
  EXPECT_FALSE(parsed.spec->abort.below_random.has_value());
  EXPECT_FALSE(parsed.spec->abort.non_finite);
  EXPECT_FALSE(parsed.spec->abort.stalled.has_value());
  EXPECT_FALSE(Parse(absl::StrCat(kValid, "abort: {non_finite: none}\n")).spec->abort.non_finite);
}

TEST(Sections, ThatMayBeAbsentMayBeNone) {
  const ParsedExperiment parsed = Parse(absl::StrCat(
      kValid, "sweep: none\nbudget: none\ntimeline: null\nevaluation: ~\nexport: none\n"));
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_FALSE(parsed.spec->sweep || parsed.spec->budget || parsed.spec->timeline ||
               parsed.spec->evaluation || parsed.spec->export_);
}

TEST(Aliases, StandForWhatTheyName) {
  const ParsedExperiment parsed = Parse(
      "name: t\nmodel: {base: &m m.gguf, fallback: other.gguf}\ndata: {corpus: c}\n"
      "replicate: {seeds: [11]}\nevaluation: {tasks: [a], baselines: [{name: base, model: *m}]}\n");
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(parsed.spec->evaluation->baselines[0].model, "/base/m.gguf");
}

TEST(AllErrors, ComeAtOnceInFileOrder) {
  const std::vector<std::string> errors = Errors(
      "nmae: t\n"
      "model: {base: m.gguf}\n"
      "data: {corpus: c, split: {train: 0.9}}\n"
      "lora: {dropout: 2}\n"
      "training:\n"
      "  learning_rte: 1.0e-3\n"
      "  eval_steps: 100\n"
      "sweep:\n"
      "  rungs: [150, 300]\n"
      "  seed: 11\n"
      "  space: {training.learning_rate: {log_uniform: [1, 0.1]}}\n"
      "replicate: {seeds: [11, 11]}\n");
  EXPECT_THAT(
      errors,
      ElementsAre(
          "f: name: missing. Give the experiment a name",
          "f:1: nmae: unknown key. Did you mean name?",
          "f:3: data.split: train 0.9, validation 0.1 and test 0.1 sum to 1.1; they must sum to 1",
          "f:4: lora.dropout: expected a number from 0 to below 1, found 2",
          "f:6: training.learning_rte: unknown key. Did you mean learning_rate?",
          "f:9: sweep.rungs: 150 is no validation step (eval_steps is 100). Use 100 or 200",
          "f:10: sweep.seed: 11 is one of replicate.seeds, which must be fresh. Use 1",
          "f:11: sweep.space.training.learning_rate: the low end 1 must be below the high end 0.1",
          "f:12: replicate.seeds: 11 is listed twice"));
}

TEST(FormatDiagnostic, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(FormatDiagnostic("x.yaml", {14, "a.b", "wrong"}), "x.yaml:14: a.b: wrong");
  EXPECT_EQ(FormatDiagnostic("x.yaml", {0, "a.b", "wrong"}), "x.yaml: a.b: wrong");
  EXPECT_EQ(FormatDiagnostic("x.yaml", {3, "", "wrong"}), "x.yaml:3: wrong");
}

}  // namespace
}  // namespace scm
