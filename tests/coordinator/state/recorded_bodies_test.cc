// Bodies as the store has them since schema version 2, byte for byte. recorded_bodies.txt has two
// lines a case: what it is, then what must come out.
//   full NAME        the record of full_records.h
//   bare NAME        the record as it is made
//   older NAME BODY  what a body that lacks keys is after it was read and written again
//   error NAME BODY  why a body cannot be used
// They were recorded before records described themselves, and stay; a task's lease alone was
// recorded again when attempts got ranks. A field that came later may stand beside the recorded
// ones.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <sstream>

#include "common/files.h"
#include "coordinator/state/persist.h"
#include "coordinator/state/record_fields.h"
#include "tests/coordinator/state/full_records.h"

namespace scm::state {
namespace {

struct Kind {
  Json full, bare;
  std::function<absl::StatusOr<Json>(Json)> read_and_write;
};

template <typename Record>
Kind KindOf(const Record& full, const Record& bare = {}) {
  return {ToJson(full), ToJson(bare), [](Json body) -> absl::StatusOr<Json> {
            const absl::StatusOr<Record> record = FromJson<Record>(std::move(body));
            if (!record.ok()) return record.status();
            return ToJson(*record);
          }};
}

std::map<std::string, Kind> Kinds() {
  Experiment experiment;
  experiment.spec = NamedSpec();
  return {{"experiment", KindOf(FullExperiment(), experiment)},
          {"trial", KindOf(FullTrial())},
          {"run", KindOf(FullRun())},
          {"task", KindOf(FullTask())},
          {"worker", KindOf(FullWorker())},
          {"checkpoint", KindOf(FullCheckpoint())},
          {"artifact", KindOf(FullArtifact())},
          {"certificate", KindOf(FullCertificate())},
          {"validations", {ToJson(FullValidations()), {}, [](Json body) -> absl::StatusOr<Json> {
                             scm::Run run;
                             const absl::Status status = ReadValidations(body, run);
                             if (!status.ok()) return status;
                             return ToJson(std::vector<ValidationRecord>(run.validations.begin(),
                                                                         run.validations.end()));
                           }}}};
}

// `body` without members that the recorded one does not know.
Json AsFarAsRecorded(const Json& body, const Json& recorded) {
  if (body.is_array() && recorded.is_array() && body.size() == recorded.size()) {
    Json list = Json::array();
    for (size_t i = 0; i < body.size(); ++i) {
      list.push_back(AsFarAsRecorded(body[i], recorded[i]));
    }
    return list;
  }
  if (!body.is_object() || !recorded.is_object()) return body;
  Json object = Json::object();
  for (const auto& [key, value] : body.items()) {
    if (recorded.contains(key)) object[key] = AsFarAsRecorded(value, recorded[key]);
  }
  return object;
}

TEST(RecordedBodies, AreWrittenAndReadAsTheyWere) {
  const absl::StatusOr<std::string> file =
      ReadFile(SCM_SOURCE_DIR "/tests/coordinator/state/recorded_bodies.txt");
  ASSERT_TRUE(file.ok()) << file.status();
  const std::map<std::string, Kind> kinds = Kinds();
  const Json spec = SpecToJson(*NamedSpec());
  std::istringstream lines(*file);
  std::string title, expected;
  int cases = 0;
  while (std::getline(lines, title) && std::getline(lines, expected)) {
    SCOPED_TRACE(title);
    ++cases;
    std::istringstream words(title);
    std::string what, name, input;
    words >> what >> name >> std::ws;
    std::getline(words, input);
    const Kind& kind = kinds.at(name);
    // The experiment file has tests of its own; here it stands for itself.
    const auto shown = [&](Json body) {
      if (body.is_object() && body.contains("spec")) {
        EXPECT_EQ(body["spec"], spec);
        body["spec"] = nullptr;
      }
      return DumpJson(AsFarAsRecorded(body, ParseJson(expected, "recorded").value_or(Json())));
    };
    const auto again = [&](const std::string& text) {
      Json body = ParseJson(text, "input").value();
      if (name == "experiment" && MemberAt(body, "spec").is_null()) body["spec"] = spec;
      return kind.read_and_write(body);
    };
    if (what == "full" || what == "bare") {
      EXPECT_EQ(shown(what == "full" ? kind.full : kind.bare), expected);
      if (what == "full") {
        EXPECT_EQ(shown(again(expected).value()), expected);
      }
    } else if (what == "older") {
      EXPECT_EQ(shown(again(input).value()), expected);
    } else {
      const absl::Status status = again(input).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_EQ(std::string(status.message()), expected);
    }
  }
  EXPECT_EQ(cases, 47);
}

}  // namespace
}  // namespace scm::state
