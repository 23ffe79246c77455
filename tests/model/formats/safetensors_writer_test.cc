#include "model/formats/safetensors_writer.h"

#include <cmath>

#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;

TEST(SafetensorsWriter, BytesAreAsTheFormatSays) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("x.safetensors");
  const float a[] = {1, 2};
  const int64_t step = 7;
  ASSERT_TRUE(WriteSafetensors(path, {TensorInMemory("b", SafetensorsType::kF32, {2}, a),
                                      TensorInMemory("a", SafetensorsType::kF32, {1, 2}, a),
                                      TensorInMemory("step", SafetensorsType::kI64, {}, &step)})
                  .ok());
  const std::string header = R"({"__metadata__":{"format":"pt"},)"
                             R"("step":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                             R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}})";
  std::string padded = header;
  while (padded.size() % 8 != 0) padded += ' ';
  EXPECT_EQ(*ReadFile(path),
            SafetensorsBytes(padded, Bytes(step) + Floats({1, 2}) + Floats({1, 2})));
}

TEST(SafetensorsWriter, ReaderTakesWhatItWrites) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("x.safetensors");
  const std::vector<float> values = {1, -0.5f, 65504, 1e-7f, 0, 3.14159f};
  std::vector<TensorToWrite> tensors;
  for (const auto type : {SafetensorsType::kF16, SafetensorsType::kF32, SafetensorsType::kBF16}) {
    tensors.push_back({SafetensorsTypeName(type), type, {2, 3}, [&, type](const TensorSink& sink) {
                         return WriteFloats(sink, type, values.data(), 6);
                       }});
  }
  ASSERT_TRUE(WriteSafetensors(path, tensors, {{"note", "a \"quoted\" path/é"}}).ok());
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->metadata().at("note"), "a \"quoted\" path/é");
  float read[6];
  ASSERT_TRUE((*file)->ReadFloat32(**(*file)->Find("F32"), read).ok());
  EXPECT_EQ(std::vector<float>(read, read + 6), values);
  ASSERT_TRUE((*file)->ReadFloat32(**(*file)->Find("F16"), read).ok());
  EXPECT_EQ(read[2], 65504.0f);
  EXPECT_EQ(read[3], std::ldexp(2.0f, -24));  // 1e-7 is 1.68 of the smallest steps
  ASSERT_TRUE((*file)->ReadFloat32(**(*file)->Find("BF16"), read).ok());
  EXPECT_EQ(read[5], 3.140625f);
}

// Every half and every bfloat16 comes back as it was, and values between two go to the even one.
TEST(SafetensorsWriter, RoundsToNearestEven) {
  const auto write = [](SafetensorsType type, float value) {
    uint16_t bits = 0;
    const TensorSink sink = [&](const void* data, size_t) {
      std::memcpy(&bits, data, 2);
      return absl::OkStatus();
    };
    EXPECT_TRUE(WriteFloats(sink, type, &value, 1).ok());
    return bits;
  };
  const auto read = [](SafetensorsType type, uint16_t bits) {
    float value = 0;
    const std::string name = SafetensorsTypeName(type);
    const std::string file = SafetensorsBytes(
        "{\"x\":{\"dtype\":\"" + name + "\",\"shape\":[1],\"data_offsets\":[0,2]}}", Bytes(bits));
    const auto parsed = SafetensorsFile::Parse(file, "x");
    EXPECT_TRUE((*parsed)->ReadFloat32((*parsed)->entries()[0], &value).ok());
    return value;
  };
  for (const auto type : {SafetensorsType::kF16, SafetensorsType::kBF16}) {
    const uint16_t infinity = type == SafetensorsType::kF16 ? 0x7c00 : 0x7f80;
    for (uint32_t bits = 0; bits < infinity; bits += type == SafetensorsType::kF16 ? 1 : 7) {
      const float here = read(type, bits), above = read(type, bits + 1);
      ASSERT_EQ(write(type, here), bits);
      ASSERT_EQ(write(type, -here), bits | 0x8000);
      if (std::isinf(above)) continue;
      const double middle = (static_cast<double>(here) + above) / 2;
      ASSERT_EQ(write(type, static_cast<float>(middle)), bits + (bits & 1)) << bits;
    }
    EXPECT_EQ(write(type, INFINITY), infinity);
    EXPECT_EQ(write(type, std::nextafter(std::numeric_limits<float>::max(), 0.0f)), infinity);
    EXPECT_TRUE(std::isnan(read(type, write(type, NAN))));
  }
}

TEST(SafetensorsWriter, WrongByteCountsLeaveNoFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("x.safetensors");
  for (const size_t given : {3u, 5u, 0u}) {
    const absl::Status status =
        WriteSafetensors(path, {{"t", SafetensorsType::kU8, {4}, [&](const TensorSink& sink) {
                                   return sink("12345678", given);
                                 }}});
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << given;
    EXPECT_FALSE(FileExists(path));
  }
  const absl::Status failed =
      WriteSafetensors(path, {{"t", SafetensorsType::kU8, {4}, [&](const TensorSink&) {
                                 return absl::DataLossError("source is gone");
                               }}});
  EXPECT_EQ(failed.code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(FileExists(path));
}

TEST(SafetensorsWriter, RefusesWhatCannotBeWritten) {
  const TemporaryDirectory directory;
  const float x = 0;
  const auto tensor = [&](const char* name, std::vector<int64_t> shape) {
    return TensorInMemory(name, SafetensorsType::kF32, std::move(shape), &x);
  };
  const std::string path = directory.Path("x");
  EXPECT_THAT(std::string(WriteSafetensors(path, {tensor("a", {1}), tensor("a", {1})}).message()),
              HasSubstr("given twice"));
  EXPECT_THAT(std::string(WriteSafetensors(path, {tensor("__metadata__", {1})}).message()),
              HasSubstr("__metadata__"));
  EXPECT_THAT(std::string(WriteSafetensors(path, {tensor("a", {int64_t{1} << 62, 4})}).message()),
              HasSubstr("overflows"));
  EXPECT_FALSE(WriteSafetensors(directory.Path("no/such/folder"), {tensor("a", {1})}).ok());
}

}  // namespace
}  // namespace scm::model
