#include "model/formats/safetensors.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;

constexpr char kTwo[] = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                        R"("b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}})";
const std::string kData(16, '\x01');

std::string One(const std::string& entry) { return "{\"a\":" + entry + "}"; }

TEST(Safetensors, ReadsEntriesAndMetadata) {
  const std::string bytes = SafetensorsBytes(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]},)"
      R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("empty":{"dtype":"F32","shape":[0,7],"data_offsets":[8,8]},)"
      R"("scalar":{"dtype":"F16","shape":[],"data_offsets":[12,14]}}   )",
      Floats({1.5f, -2}) + Bytes<uint16_t>(0x3f80) + Bytes<uint16_t>(0xc000) +
          Bytes<uint16_t>(0x3c00));
  const auto file = SafetensorsFile::Parse(bytes, "test");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->metadata().at("format"), "pt");
  ASSERT_EQ((*file)->entries().size(), 4u);
  EXPECT_EQ((*file)->entries()[0].name, "a");
  EXPECT_EQ((*file)->entries()[1].name, "empty");
  float values[2];
  ASSERT_TRUE((*file)->ReadFloat32(**(*file)->Find("a"), values).ok());
  EXPECT_EQ(values[0], 1.5f);
  ASSERT_TRUE((*file)->ReadFloat32(**(*file)->Find("b"), values).ok());
  EXPECT_EQ(values[1], -2.0f);
  ASSERT_TRUE((*file)->ReadFloat32(**(*file)->Find("scalar"), values).ok());
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ((*file)->Find("c").status().code(), absl::StatusCode::kNotFound);
}

TEST(Safetensors, IntegersAreNotReadAsWeights) {
  const auto file = SafetensorsFile::Parse(SafetensorsBytes(kTwo, kData), "test");
  ASSERT_TRUE(file.ok()) << file.status();
  float value;
  EXPECT_THAT(std::string((*file)->ReadFloat32(**(*file)->Find("b"), &value).message()),
              HasSubstr("I64"));
}

struct HostileFile {
  const char* name;
  std::string bytes;
  const char* message;
};

TEST(Safetensors, RefusesHostileFiles) {
  const std::string f32 = R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]})";
  const HostileFile cases[] = {
      {"empty", "", "only 0 bytes"},
      {"short", "1234567", "only 7 bytes"},
      {"header over the limit", Bytes<uint64_t>(100'000'001), "over the limit"},
      {"header length overflows", Bytes<uint64_t>(UINT64_MAX), "over the limit"},
      {"header longer than the file", Bytes<uint64_t>(10) + "{}", "does not fit"},
      {"no header", Bytes<uint64_t>(0), "does not begin with '{'"},
      {"space first", SafetensorsBytes(" {}", ""), "does not begin with '{'"},
      {"a list", SafetensorsBytes("[]", ""), "does not begin with '{'"},
      {"bad JSON", SafetensorsBytes("{\"a\":", ""), "not valid JSON"},
      {"text after the JSON", SafetensorsBytes("{}x", ""), "not valid JSON"},
      {"bad UTF-8", SafetensorsBytes("{\"\xff\":1}", ""), "not valid JSON"},
      {"deep", SafetensorsBytes("{\"a\":" + std::string(100, '['), ""), "nested deeper"},
      {"doubled name", SafetensorsBytes("{\"a\":" + f32 + ",\"a\":" + f32 + "}", kData), "doubled"},
      {"entry is no object", SafetensorsBytes(One("3"), ""), "expected {"},
      {"entry lacks a key", SafetensorsBytes(One(R"({"dtype":"F32","shape":[1]})"), ""),
       "expected"},
      {"unknown type",
       SafetensorsBytes(One(R"({"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]})"), "x"),
       "F8_E4M3"},
      {"type is no text",
       SafetensorsBytes(One(R"({"dtype":3,"shape":[1],"data_offsets":[0,1]})"), "x"), "type 3"},
      {"negative size",
       SafetensorsBytes(One(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"), "1234"), "-1"},
      {"fractional size",
       SafetensorsBytes(One(R"({"dtype":"F32","shape":[1.0],"data_offsets":[0,4]})"), "1234"),
       "1.0"},
      {"size over int64",
       SafetensorsBytes(
           One(R"({"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]})"), "1234"),
       "non-negative integer"},
      {"shape overflows",
       SafetensorsBytes(
           One(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})"), ""),
       "overflows"},
      {"bytes overflow",
       SafetensorsBytes(
           One(R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})"), ""),
       "overflows"},
      {"nine dimensions",
       SafetensorsBytes(One(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]})"),
                        "x"),
       "at most 8"},
      {"offsets backwards",
       SafetensorsBytes(One(R"({"dtype":"U8","shape":[1],"data_offsets":[1,0]})"), "x"), "outside"},
      {"three offsets",
       SafetensorsBytes(One(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1,2]})"), "xy"),
       "two non-negative"},
      {"end outside", SafetensorsBytes(One(f32), kData.substr(1)), "outside"},
      {"span too short",
       SafetensorsBytes(One(R"({"dtype":"F32","shape":[4],"data_offsets":[0,8]})"),
                        kData.substr(8)),
       "needs 16 bytes"},
      {"bytes left over", SafetensorsBytes(One(f32), kData + "x"), "but the file has"},
      {"hole at the start",
       SafetensorsBytes(One(R"({"dtype":"U8","shape":[1],"data_offsets":[1,2]})"), "xy"),
       "expected 0"},
      {"overlap",
       SafetensorsBytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                        R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                        "xyz"),
       "without holes or overlap"},
      {"same place twice",
       SafetensorsBytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                        R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                        "xy"),
       "without holes"},
      {"metadata is no text", SafetensorsBytes(R"({"__metadata__":{"a":1}})", ""), "__metadata__"},
  };
  for (const HostileFile& c : cases) {
    SCOPED_TRACE(c.name);
    const auto file = SafetensorsFile::Parse(c.bytes, "model.safetensors");
    ASSERT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(file.status().message()), HasSubstr("model.safetensors"));
    EXPECT_THAT(std::string(file.status().message()), HasSubstr(c.message));
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string whole = SafetensorsBytes(kTwo, kData);
  ASSERT_TRUE(SafetensorsFile::Parse(whole, "whole").ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    // A copy of its own, so that a sanitizer sees a read beyond the end.
    const std::string cut = whole.substr(0, size);
    EXPECT_EQ(SafetensorsFile::Parse(cut, "cut").status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  }
}

// No single wrong byte may do worse than be refused; what is accepted must be readable.
TEST(Safetensors, EveryWrongByteIsSurvived) {
  const std::string whole = SafetensorsBytes(kTwo, kData);
  int refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int wrong : {0x00, 0xff, 0x22, whole[i] ^ 1, whole[i] ^ 0x80}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(wrong);
      const auto file = SafetensorsFile::Parse(bytes, "wrong");
      if (!file.ok()) {
        ++refused;
        continue;
      }
      for (const SafetensorsEntry& entry : (*file)->entries()) {
        EXPECT_EQ((*file)->Data(entry).size(), entry.bytes);
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace scm::model
