// Packing, padding and the boundaries of blocks change nothing.
#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

std::vector<at::Tensor> Gradients(LlamaModel* model) {
  std::vector<at::Tensor> out;
  for (AdapterPair& pair : model->adapters()) {
    out.push_back(pair.grad_a.clone());
    out.push_back(pair.grad_b.clone());
  }
  model->ZeroGradients();
  return out;
}

double Step(LlamaModel* model, const Batch& batch) {
  const auto result = model->TrainStep(batch, 0.1, 7, 1, 0);
  EXPECT_TRUE(result.ok()) << result.status();
  return result->loss_sum;
}

void ExpectSameBits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(SameBits(a[i], b[i])) << i;
}

class PackingTest : public ::testing::TestWithParam<Precision> {
 protected:
  PackingTest()
      : source_(SmallConfig(), 1), model_(MakeModel(source_, MakeLora(AllModules()), GetParam())) {}
  FakeSource source_;
  std::unique_ptr<LlamaModel> model_;
};
INSTANTIATE_TEST_SUITE_P(Both, PackingTest,
                         ::testing::Values(Precision::kFloat32, Precision::kBFloat16));

// Masks are numbered by the tokens that are no padding, so packing keeps even those.
TEST_P(PackingTest, PackedEqualsUnpacked) {
  const Batch rows = RowsOfLengths({65, 1, 17, 40}, 61, 3);
  const double loss = Step(model_.get(), rows);
  const auto gradients = Gradients(model_.get());
  EXPECT_EQ(Step(model_.get(), Packed(rows, 0)), loss);
  ExpectSameBits(Gradients(model_.get()), gradients);
}

TEST_P(PackingTest, PaddingIsInvisible) {
  const double loss = Step(model_.get(), RowsOfLengths({30, 64}, 61, 3));
  const auto gradients = Gradients(model_.get());
  EXPECT_EQ(Step(model_.get(), RowsOfLengths({30, 64}, 61, 3, 1, 29)), loss);
  ExpectSameBits(Gradients(model_.get()), gradients);
}

// What one document holds has no influence on the loss of another in the same row.
TEST_P(PackingTest, DocumentsDoNotSeeEachOther) {
  Batch rows = RowsOfLengths({20, 31}, 61, 3);
  for (int64_t i = 0; i < rows.length; ++i) rows.labels[static_cast<size_t>(i)] = -100;
  const double loss = Step(model_.get(), Packed(rows, 3));
  const auto gradients = Gradients(model_.get());
  Batch other = rows;
  for (int64_t i = 0; i < 20; ++i) other.tokens[static_cast<size_t>(i)] = 1;
  EXPECT_EQ(Step(model_.get(), Packed(other, 3)), loss);
  ExpectSameBits(Gradients(model_.get()), gradients);
  // The first document carries no label: without it the rest is the same up to its dropout masks.
  EXPECT_GT(gradients[0].norm().item<double>(), 0);
}

TEST_P(PackingTest, AllLengthsAroundTheBlocks) {
  double sum = 0;
  std::vector<int64_t> lengths = {1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 128, 129};
  const Batch rows = RowsOfLengths(lengths, 61, 3);
  for (int64_t row = 0; row < rows.rows; ++row) {
    Batch one;
    one.rows = 1;
    one.length = lengths[static_cast<size_t>(row)];
    const auto cut = [&](const std::vector<int32_t>& all) {
      const auto begin = all.begin() + row * rows.length;
      return std::vector<int32_t>(begin, begin + one.length);
    };
    one.tokens = cut(rows.tokens);
    one.segments = cut(rows.segments);
    one.labels = cut(rows.labels);
    const auto score = model_->Score(one);
    ASSERT_TRUE(score.ok());
    sum += (*score)[0].log_likelihood;
  }
  const auto together = model_->Score(rows);
  ASSERT_TRUE(together.ok());
  double joint = 0;
  for (const auto& score : *together) joint += score.log_likelihood;
  EXPECT_DOUBLE_EQ(joint, sum);
}

// The loss is summed in chunks of 256 rows: 255, 256, 257 and 513 labels against one label at a
// time.
TEST_P(PackingTest, ChunkBoundaries) {
  for (int64_t labels : {255, 256, 257, 513}) {
    Batch batch = RowsOfLengths({513}, 61, 3);
    for (int64_t i = labels; i < 513; ++i) batch.labels[static_cast<size_t>(i)] = -100;
    const auto result = model_->TrainStep(batch, 1, 7, 1, 0);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->labels, labels);
    const auto whole = Gradients(model_.get());
    double loss = 0;
    for (int64_t from : {int64_t{0}, labels / 2}) {
      Batch half = batch;
      for (int64_t i = 0; i < 513; ++i) {
        const bool mine = (from == 0) == (i < labels / 2);
        if (!mine) half.labels[static_cast<size_t>(i)] = -100;
      }
      const auto part = model_->TrainStep(half, 1, 7, 1, 0);
      ASSERT_TRUE(part.ok());
      loss += part->loss_sum;
    }
    EXPECT_NEAR(loss / result->loss_sum, 1, 1e-6);
    const auto halves = Gradients(model_.get());
    const double limit = GetParam() == Precision::kFloat32 ? 2e-6 : 2e-2;
    for (size_t i = 0; i < whole.size(); ++i) EXPECT_LT(RelativeError(halves[i], whole[i]), limit);
  }
}

}  // namespace
}  // namespace scm::trainer
