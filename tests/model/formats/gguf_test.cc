#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/formats/gguf_file.h"
#include "model/formats/gguf_names.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;

std::string Small() {
  return GgufBuilder()
      .Uint32("u", 7)
      .String("s", "text")
      .Strings("list", {"one", "", "three"})
      .Int32s("ints", {1, -2})
      .Float32("f", 0.5f)
      .Bool("b", true)
      .Tensor("t", {2, 3}, 0, Floats({1, 2, 3, 4, 5, 6}))
      .Tensor("q", {32}, 8, std::string(34, '\x01'))
      .Build();
}

TEST(Gguf, ReadsEveryScalarType) {
  const std::string bytes = GgufBuilder()
                                .Raw("u8", 0, Bytes<uint8_t>(200))
                                .Raw("i8", 1, Bytes<int8_t>(-3))
                                .Raw("u16", 2, Bytes<uint16_t>(60000))
                                .Raw("i16", 3, Bytes<int16_t>(-300))
                                .Raw("u32", 4, Bytes<uint32_t>(4000000000u))
                                .Raw("i32", 5, Bytes<int32_t>(-70000))
                                .Raw("f32", 6, Bytes<float>(0.25f))
                                .Raw("bool", 7, Bytes<uint8_t>(1))
                                .Raw("u64", 10, Bytes<uint64_t>(1ull << 40))
                                .Raw("i64", 11, Bytes<int64_t>(-(1ll << 40)))
                                .Raw("f64", 12, Bytes<double>(1e300))
                                .Raw("huge", 10, Bytes<uint64_t>(UINT64_MAX))
                                .Build();
  const auto file = GgufFile::Parse(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status();
  const std::pair<const char*, int64_t> integers[] = {
      {"u8", 200},          {"i8", -3},      {"u16", 60000},     {"i16", -300},
      {"u32", 4000000000u}, {"i32", -70000}, {"u64", 1ll << 40}, {"i64", -(1ll << 40)}};
  for (const auto& [key, value] : integers) EXPECT_EQ(*(*file)->Integer(key), value) << key;
  EXPECT_EQ(*(*file)->Number("f32"), 0.25);
  EXPECT_EQ(*(*file)->Number("f64"), 1e300);
  EXPECT_EQ(*(*file)->Number("i8"), -3.0);
  EXPECT_EQ(*(*file)->Bool("bool", false), true);
  EXPECT_EQ(*(*file)->Bool("absent", true), true);
  EXPECT_EQ(*(*file)->Integer("absent", 5), 5);
  EXPECT_THAT(std::string((*file)->Integer("absent").status().message()), HasSubstr("\"absent\""));
  EXPECT_FALSE((*file)->Integer("huge").ok());
  EXPECT_FALSE((*file)->Integer("f32").ok());
  EXPECT_FALSE((*file)->Bool("u8", true).ok());
  EXPECT_FALSE((*file)->String("u8").ok());
  EXPECT_FALSE((*file)->Strings("u8").ok());
  EXPECT_FALSE((*file)->Integers("u8").ok());
}

TEST(Gguf, ReadsListsAndTensors) {
  for (const uint32_t version : {2u, 3u}) {
    std::string bytes = Small();
    bytes[4] = static_cast<char>(version);
    const auto file = GgufFile::Parse(bytes, "test");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(*(*file)->Strings("list"), (std::vector<absl::string_view>{"one", "", "three"}));
    EXPECT_EQ(*(*file)->Integers("ints"), (std::vector<int64_t>{1, -2}));
    ASSERT_EQ((*file)->tensors().size(), 2u);
    const GgufTensor& t = (*file)->tensors()[0];
    EXPECT_EQ(t.shape, (std::vector<int64_t>{3, 2}));
    EXPECT_EQ((*file)->Data(t), Floats({1, 2, 3, 4, 5, 6}));
    EXPECT_EQ((*file)->tensors()[1].dtype, DType::kQ8_0);
    EXPECT_EQ((*file)->tensors()[1].bytes, 34u);
  }
}

TEST(Gguf, ArraysOfArraysAreSkipped) {
  std::string inner = Bytes<uint32_t>(4) + Bytes<uint64_t>(1) + Bytes<uint32_t>(9);
  const std::string bytes =
      GgufBuilder()
          .Raw("nested", 9, Bytes<uint32_t>(9) + Bytes<uint64_t>(2) + inner + inner)
          .Uint32("after", 3)
          .Build();
  const auto file = GgufFile::Parse(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*(*file)->Integer("after"), 3);
}

TEST(Gguf, EveryTruncationIsRefused) {
  const std::string whole = Small();
  ASSERT_TRUE(GgufFile::Parse(whole, "whole").ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    EXPECT_EQ(GgufFile::Parse(cut, "cut").status().code(), absl::StatusCode::kInvalidArgument)
        << size;
  }
}

TEST(Gguf, EveryWrongByteIsSurvived) {
  const std::string whole = Small();
  int refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int wrong : {0x00, 0x7f, 0xff, whole[i] ^ 1, whole[i] ^ 0x80, whole[i] ^ 9}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(wrong);
      const auto file = GgufFile::Parse(bytes, "wrong");
      if (!file.ok()) {
        EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
        ++refused;
        continue;
      }
      for (const GgufTensor& tensor : (*file)->tensors()) {
        EXPECT_EQ((*file)->Data(tensor).size(), tensor.bytes);
      }
    }
  }
  EXPECT_GT(refused, 300);
}

struct Hostile {
  const char* name;
  std::string bytes;
  const char* message;
};

std::string Header(uint32_t version, uint64_t tensors, uint64_t pairs) {
  return absl::StrCat("GGUF", Bytes(version), Bytes(tensors), Bytes(pairs));
}

TEST(Gguf, RefusesHostileFiles) {
  const std::string data = Floats({1, 2, 3, 4, 5, 6, 7, 8});
  const uint64_t big = 1ull << 62;
  const Hostile cases[] = {
      {"empty", "", "magic"},
      {"another file", "PK\x03\x04 and more", "not a GGUF file"},
      {"version 1", Header(1, 0, 0), "version 1"},
      {"version 4", Header(4, 0, 0), "version 4"},
      {"big-endian", Header(0x03000000, 0, 0), "big-endian"},
      {"too many tensors", Header(3, UINT64_MAX, 0), "announces"},
      {"too many entries", Header(3, 0, UINT64_MAX) + std::string(100, 'x'), "announces"},
      {"key longer than the file", Header(3, 0, 1) + Bytes(UINT64_MAX) + std::string(20, 'x'),
       "the file ends within"},
      {"empty key", GgufBuilder().Uint32("", 1).Build(), "a key of 0 bytes"},
      {"unknown type", GgufBuilder().Raw("k", 13, std::string(64, 'x')).Build(), "value type 13"},
      {"unknown element type",
       GgufBuilder().Raw("k", 9, Bytes<uint32_t>(99) + Bytes<uint64_t>(1) + "12345678").Build(),
       "value type 99"},
      {"array larger than the file",
       GgufBuilder().Raw("k", 9, Bytes<uint32_t>(0) + Bytes<uint64_t>(UINT64_MAX)).Build(),
       "do not fit"},
      {"array whose bytes overflow",
       GgufBuilder().Raw("k", 9, Bytes<uint32_t>(10) + Bytes<uint64_t>(1ull << 61)).Build(),
       "do not fit"},
      {"more strings than bytes",
       GgufBuilder().Raw("k", 9, Bytes<uint32_t>(8) + Bytes<uint64_t>(1ull << 60)).Build(),
       "do not fit"},
      {"more arrays than bytes",
       GgufBuilder().Raw("k", 9, Bytes<uint32_t>(9) + Bytes<uint64_t>(1ull << 60)).Build(),
       "do not fit"},
      {"deep arrays",
       GgufBuilder()
           .Raw("k", 9,
                [] {
                  std::string deep;
                  for (int i = 0; i < 6; ++i) deep += Bytes<uint32_t>(9) + Bytes<uint64_t>(1);
                  return deep;
                }())
           .Build(),
       "too deeply"},
      {"doubled key", GgufBuilder().Uint32("k", 1).Uint32("k", 2).Build(), "\"k\" is there twice"},
      {"doubled tensor",
       GgufBuilder()
           .Tensor("t", {2}, 0, Floats({1, 2}))
           .Tensor("t", {2}, 0, Floats({1, 2}))
           .Build(),
       "\"t\" is there twice"},
      {"no dimensions", GgufBuilder().Tensor("t", {}, 0, data).Build(), "0 dimensions"},
      {"five dimensions", GgufBuilder().Tensor("t", {1, 1, 1, 1, 1}, 0, data).Build(),
       "5 dimensions"},
      {"dimension over int64", GgufBuilder().Tensor("t", {UINT64_MAX}, 0, data).Build(),
       "too large"},
      {"elements overflow", GgufBuilder().Tensor("t", {big, 4}, 0, data).Build(), "overflows"},
      {"bytes overflow", GgufBuilder().Tensor("t", {big}, 0, data).Build(), "overflows"},
      {"half a block", GgufBuilder().Tensor("t", {16, 2}, 8, std::string(34, 'x')).Build(),
       "no whole number of Q8_0 blocks"},
      {"known type", GgufBuilder().Tensor("blk.0.attn_q.weight", {256}, 14, data).Build(),
       "\"blk.0.attn_q.weight\" has type Q6_K"},
      {"unknown type of tensor", GgufBuilder().Tensor("t", {8}, 77, data).Build(), "number 77"},
      {"offset not aligned",
       GgufBuilder().Tensor("t", {8}, 0, data).TensorAt("v", {1}, 0, 4).Build(), "alignment"},
      {"offset outside",
       GgufBuilder().Tensor("t", {8}, 0, data).TensorAt("v", {1}, 0, 1 << 20).Build(),
       "lie outside"},
      {"offset overflows",
       GgufBuilder().Tensor("t", {8}, 0, data).TensorAt("v", {1}, 0, UINT64_MAX - 31).Build(),
       "lie outside"},
      {"overlap", GgufBuilder().Tensor("t", {8}, 0, data).TensorAt("v", {2}, 0, 0).Build(),
       "overlap"},
      {"alignment is no power",
       GgufBuilder().Uint32("general.alignment", 24).Tensor("t", {8}, 0, data).Build(),
       "power of two"},
      {"alignment 0", GgufBuilder().Uint32("general.alignment", 0).Build(), "power of two"},
  };
  for (const Hostile& c : cases) {
    SCOPED_TRACE(c.name);
    const auto file = GgufFile::Parse(c.bytes, "model.gguf");
    ASSERT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(file.status().message()), HasSubstr("model.gguf"));
    EXPECT_THAT(std::string(file.status().message()), HasSubstr(c.message));
  }
}

TEST(GgufNames, GoThereAndBack) {
  const std::pair<const char*, const char*> pairs[] = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"},
      {"blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"},
      {"blk.17.ffn_down.weight", "model.layers.17.mlp.down_proj.weight"}};
  for (const auto& [gguf, hugging_face] : pairs) {
    EXPECT_EQ(HuggingFaceName(gguf), hugging_face);
    EXPECT_EQ(GgufName(hugging_face), gguf);
  }
  for (const char* other :
       {"blk.0.attn_q.bias", "blk.x.attn_q.weight", "blk..attn_q.weight", "blk.0",
        "blk.00.attn_q.weight", "blk.-1.attn_q.weight", "blk.+1.attn_q.weight",
        "blk.99999999999.attn_q.weight", "", "model.norm.weight"}) {
    EXPECT_EQ(HuggingFaceName(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace scm::model
