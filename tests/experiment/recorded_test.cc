// The canonical form against texts that were written when `tests/experiment/recorded/` was made:
// databases and digests hold such texts. A key that is newer may come on top; nothing else changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::IsEmpty;

constexpr char kRecorded[] = SCM_SOURCE_DIR "/tests/experiment/recorded/";
constexpr char kSamples[] = SCM_SOURCE_DIR "/samples/";

struct Recorded {
  const char* name;    // NAME.json is the canonical form of
  const char* folder;  // NAME.yaml here
};

class CanonicalForm : public testing::TestWithParam<Recorded> {
 protected:
  static std::string Text(const std::string& path) {
    const absl::StatusOr<std::string> text = ReadFile(path);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }
  const std::string recorded_ =
      std::string(absl::StripSuffix(Text(absl::StrCat(kRecorded, GetParam().name, ".json")), "\n"));
};

// `json` without the members that `old` lacks. Invented keys are values of `old`, so they stay.
Json WithoutNewer(const Json& json, const Json& old) {
  if (!json.is_object() || !old.is_object()) return json;
  Json kept = Json::object();
  for (const auto& [key, value] : json.items()) {
    if (old.contains(key)) kept[key] = WithoutNewer(value, old[key]);
  }
  return kept;
}

std::string AsItWas(const ExperimentSpec& spec, const std::string& recorded) {
  return DumpJson(WithoutNewer(SpecToJson(spec), *ParseJson(recorded, "recorded")));
}

TEST_P(CanonicalForm, OfTheFileIsTheRecordedOne) {
  const ParsedExperiment parsed =
      Parse(Text(absl::StrCat(GetParam().folder, GetParam().name, ".yaml")));
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(AsItWas(*parsed.spec, recorded_), recorded_);
}

TEST_P(CanonicalForm, OfTheRecordedOneIsItself) {
  const ParsedExperiment parsed = ParseExperiment(
      recorded_, {.base_directory = "/elsewhere", .check_paths = false, .accepted = true});
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(AsItWas(*parsed.spec, recorded_), recorded_);
}

INSTANTIATE_TEST_SUITE_P(All, CanonicalForm,
                         testing::Values(Recorded{"fake", kSamples}, Recorded{"legal-1b", kSamples},
                                         Recorded{"quickstart", kSamples},
                                         Recorded{"every-key", kRecorded},
                                         Recorded{"own-trainer", kRecorded}),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// What an earlier version took stays readable, though a file may no longer say it.
TEST(Accepted, KeepsARangeThatIsNarrowerNow) {
  Json stored = SpecToJson(*Parse(kValid).spec);
  stored["data"]["max_length"] = 4;
  const auto parse = [&stored](bool accepted) {
    return ParseExperiment(DumpJson(stored),
                           {.base_directory = "/", .check_paths = false, .accepted = accepted});
  };
  EXPECT_THAT(Lines(parse(false).errors),
              testing::ElementsAre("f:1: data.max_length: expected a whole number from 8 to "
                                   "1048576, found 4"));
  const ParsedExperiment old = parse(true);
  ASSERT_THAT(Lines(old.errors), IsEmpty());
  EXPECT_EQ(old.spec->data->max_length, 4);
  EXPECT_EQ(ApplyParameters(*old.spec, {{"lora.r", 8}})->data->max_length, 4);
  stored["data"]["max_length"] = 1;
  EXPECT_THAT(Lines(parse(true).errors), testing::SizeIs(1));
}

}  // namespace
}  // namespace scm
