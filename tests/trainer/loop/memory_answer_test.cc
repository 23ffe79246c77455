// What an attempt says that ran out of memory: by arithmetic, and as a process with a limit.
#include "trainer/loop/memory_answer.h"

#include <sys/resource.h>

#include "absl/strings/match.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/process_fixture.h"
#include "tests/trainer/loop/spawn.h"
#include "tests/trainer/loop/tiny_model.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The shape of Llama 3.2 1B.
model::LlamaConfig OneBillion() {
  model::LlamaConfig c;
  c.vocabulary = 128256;
  c.hidden = 2048;
  c.intermediate = 8192;
  c.layers = 16;
  c.heads = 32;
  c.kv_heads = 8;
  c.head_dim = 64;
  c.tied_embeddings = true;
  return c;
}

JobSpec SpecOf(int64_t batch_size, int64_t max_length) {
  JobSpec spec;
  spec.training.batch_size = batch_size;
  spec.data.max_length = max_length;
  spec.training.precision = "bf16";
  spec.lora.target_modules = {"q_proj", "v_proj"};
  return spec;
}

std::string AnswerFor(const JobSpec& spec, std::optional<int64_t> free) {
  return MemoryAnswer({&spec}, OneBillion(), "cuda:0", free, nullptr);
}

int64_t TotalOf(const JobSpec& spec) {
  return PlanMemory(TrainingShapeOf({&spec}, OneBillion(), "cuda:0"), nullptr).total();
}

TEST(MemoryAnswer, NamesWhatFitsAndNothingElse) {
  const JobSpec spec = SpecOf(16, 2048);
  JobSpec batch = spec, length = spec, again = spec, narrow = spec;
  batch.training.batch_size = 4;
  length.data.max_length = 512;
  again.training.recompute = true;
  narrow.lora.quantize_base = "nf4";
  const int64_t room = std::max({TotalOf(batch), TotalOf(length), TotalOf(again)});
  ASSERT_LT(room, TotalOf(narrow));
  const std::string answer = AnswerFor(spec, room);
  for (const char* words :
       {"A run of 16 × 2048 tokens in bf16 on cuda:0 takes about ", "weights 2.5 GB", " were free.",
        "training.batch_size: 4", "data.max_length: 512", "training.recompute: true"}) {
    EXPECT_THAT(answer, HasSubstr(words));
  }
  EXPECT_THAT(answer, Not(HasSubstr("nf4")));
}

TEST(MemoryAnswer, JoinsWhatFitsOnlyTogether) {
  JobSpec spec = SpecOf(1, 1), both = spec;
  both.training.recompute = true;
  both.lora.quantize_base = "nf4";
  // A batch of one token cannot be cut, and recomputing saves next to nothing of it.
  const std::string answer = AnswerFor(spec, TotalOf(both));
  EXPECT_THAT(answer, HasSubstr("What would fit: training.recompute: true with "
                                "lora.quantize_base: nf4."));
}

TEST(MemoryAnswer, SaysWhereNothingFits) {
  const JobSpec spec = SpecOf(8, 2048);
  EXPECT_THAT(AnswerFor(spec, 100'000'000), HasSubstr("No training.batch_size, data.max_length, "));
  EXPECT_THAT(AnswerFor(spec, TotalOf(spec)), HasSubstr("something else took memory meanwhile"));
  EXPECT_THAT(AnswerFor(spec, std::nullopt), HasSubstr("the system does not tell"));
  const JobSpec second = SpecOf(4, 2048);
  EXPECT_THAT(MemoryAnswer({&spec, &second}, OneBillion(), "cpu", 1, nullptr),
              ::testing::AllOf(HasSubstr("2 runs of 8 × 2048 tokens in bf16 on cpu take about"),
                               HasSubstr("fewer runs in one process")));
}

// As long as it lives, processes that are started get no more than so many bytes of data.
class DataLimit {
 public:
  explicit DataLimit(rlim_t bytes) {
    EXPECT_EQ(::getrlimit(RLIMIT_DATA, &before_), 0);
    const rlimit limit{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_DATA, &limit), 0);
  }
  ~DataLimit() { ::setrlimit(RLIMIT_DATA, &before_); }

 private:
  rlimit before_{};
};

class TrainerWithoutMemory : public TrainerProcess {};

TEST_F(TrainerWithoutMemory, FailsForGoodWithTheArithmetic) {
  Json spec = testing::TinySpec(root(), "train", "limited");
  Json& parameters = spec["parameters"];
  parameters["lora"] = {{"r", 4096}, {"target_modules", "all-linear"}};
  parameters["training"]["batch_size"] = 16;
  parameters["data"]["packing"] = true;
  const std::string report = ReportPath("limited");
  std::vector<Json> reports;
  {
    const DataLimit limit(rlim_t{224} << 20);
    reports = testing::RunProtocol("scm-trainer", spec, report, 1);
  }
  ASSERT_FALSE(reports.empty()) << ReadFile(report + ".log").value_or("");
  const Json& last = reports.back();
  EXPECT_EQ(last["type"], "failed");
  EXPECT_EQ(last["kind"], "out_of_memory");
  const std::string message = last["message"];
  EXPECT_TRUE(absl::StartsWith(message, "out of memory: ")) << message;
  for (const char* words : {"can't allocate memory", "A run of 16 × 64 tokens in fp32 on cpu takes",
                            " were free. What would fit: ", "training.batch_size: "}) {
    EXPECT_THAT(message, HasSubstr(words));
  }
}

}  // namespace
}  // namespace scm::trainer
