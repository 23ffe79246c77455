#include "coordinator/state/persist.h"

#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "coordinator/state/record_fields.h"
#include "experiment/parse.h"

namespace scm::state {
namespace {

// The words of each enum, there and back.
template <typename Enum>
constexpr auto kWords = nullptr;
template <>
constexpr auto kWords<State> = std::pair(&StateName, &StateFromName);
template <>
constexpr auto kWords<StageKind> = std::pair(&StageName, &StageFromName);
template <>
constexpr auto kWords<TaskKind> = std::pair(&TaskKindName, &TaskKindFromName);
template <>
constexpr auto kWords<StopReason> = std::pair(&StopReasonName, &StopReasonFromName);
template <>
constexpr auto kWords<WorkerState> = std::pair(&WorkerStateName, &WorkerStateFromName);

// Kinds of fields beside texts, numbers, times and JSON.
template <typename T>
concept SomeId = requires {
  T::FromNumber(1);
};
template <typename T>
concept Optional = std::is_same_v<T, std::optional<typename T::value_type>>;
template <typename T>
concept List = std::is_same_v<T, std::vector<typename T::value_type>> ||
    std::is_same_v<T, std::set<typename T::value_type>>;
using Measured = std::map<std::string, double>;
using Spec = std::shared_ptr<const ExperimentSpec>;
using Validations = core::StepLog<ValidationRecord>;

// ---- a body, member by member. A value that is not there, and a time that never was, are null.
class Writer {
 public:
  void operator()(const char* key, const auto& field) { body_[key] = Value(field); }
  void operator()(const char*, const Validations&) {}  // in rows of their own
  void operator()(NotStored, const auto&) {}

  template <typename T>
  static Json Value(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      return kWords<T>.first(value);
    } else if constexpr (SomeId<T>) {
      return value.str();
    } else if constexpr (std::is_same_v<T, absl::Time>) {
      if (value == absl::InfinitePast()) return nullptr;
      return absl::FormatTime(absl::RFC3339_full, value, absl::UTCTimeZone());
    } else if constexpr (std::is_same_v<T, absl::Duration>) {
      return absl::ToInt64Nanoseconds(value);
    } else if constexpr (std::is_same_v<T, std::optional<double>>) {
      return value ? JsonNumber(*value) : Json(nullptr);
    } else if constexpr (Optional<T>) {
      return value ? Value(*value) : Json(nullptr);
    } else if constexpr (List<T>) {
      Json list = Json::array();
      for (const auto& element : value) list.push_back(Value(element));
      return list;
    } else if constexpr (std::is_same_v<T, Measured>) {
      Json object = Json::object();
      for (const auto& [name, number] : value) object[name] = JsonNumber(number);
      return object;
    } else if constexpr (std::is_same_v<T, Spec>) {
      return SpecToJson(*value);
    } else if constexpr (std::is_same_v<T, ValidationRecord>) {
      Json list = Json::array();  // by position, without keys
      const auto add = [&list](const char*, const auto& field) { list.push_back(Value(field)); };
      Describe(add, value);
      return list;
    } else if constexpr (std::is_aggregate_v<T>) {
      Writer writer;
      Describe(writer, value);
      return std::move(writer.body_);
    } else {
      return value;
    }
  }

 private:
  Json body_ = Json::object();
};

// ---- a validation: its values alone, by position.
struct PositionReader {
  const Json& list;
  size_t at = 0;
  void operator()(const char*, int64_t& number) { number = list.at(at++).get<int64_t>(); }
  void operator()(const char*, std::optional<double>& number) {
    if (at < list.size()) number = NumberFromJson(list[at]);
    ++at;
  }
};

absl::Status AddValidations(const Json& list, const std::string& run, Validations& validations) {
  constexpr size_t kOldest = 8;  // without `ranked`
  static const size_t newest = Writer::Value(ValidationRecord()).size();
  for (const Json& json : list) {
    if (!json.is_array() || json.size() < kOldest || json.size() > newest) {
      return absl::DataLossError(absl::StrCat("run ", run, ": unreadable validation"));
    }
    ValidationRecord validation;
    PositionReader reader{json};
    Describe(reader, validation);
    validations.Insert(validation);
  }
  return absl::OkStatus();
}

absl::Status ReadSpec(const Json& json, const std::string& experiment, Spec& spec) {
  // The paths were checked at submission; a corpus that moved since must not stop a recovery.
  ParsedExperiment parsed = ParseExperiment(
      DumpJson(json), {.base_directory = "/", .check_paths = false, .accepted = true});
  if (!parsed.spec) {
    return absl::DataLossError(
        absl::StrCat("experiment ", experiment, " in the store: its spec ",
                     parsed.errors.empty() ? "is unreadable"
                                           : absl::StrCat("has an error at ", parsed.errors[0].key,
                                                          ": ", parsed.errors[0].message)));
  }
  spec = std::make_shared<ExperimentSpec>(*std::move(parsed.spec));
  return absl::OkStatus();
}

// ---- a record, field by field; the first error ends it. A word, that is an enum, must be known;
// anything else may be missing. What stands in a list must be of its kind.
class Reader {
 public:
  // `many`: what such records together are called, "tasks".
  template <typename Record>
  static absl::Status Read(const Json& body, absl::string_view many, Record& record) {
    Reader reader(body, many);
    Describe(reader, record);
    return reader.status_;
  }

  void operator()(NotStored, auto&) {}
  template <typename T>
  void operator()(const char* key, T& field) {
    if (!status_.ok()) return;
    const Json& json = MemberAt(body_, key);
    const std::string text = StringAt(body_, key);
    if constexpr (std::is_same_v<T, Json>) {
      field = json;
    } else if constexpr (std::is_same_v<T, std::string> || SomeId<T>) {
      field = T(text);
    } else if constexpr (std::is_same_v<T, bool>) {
      field = BoolAt(body_, key, field);
    } else if constexpr (std::is_integral_v<T>) {
      field = static_cast<T>(IntegerAt(body_, key, field));
    } else if constexpr (std::is_same_v<T, double>) {
      field = NumberAt(body_, key, field);
    } else if constexpr (std::is_same_v<T, absl::Time>) {
      std::string error;
      field = absl::InfinitePast();
      if (!text.empty()) absl::ParseTime(absl::RFC3339_full, text, &field, &error);
    } else if constexpr (std::is_same_v<T, absl::Duration>) {
      field = absl::Nanoseconds(IntegerAt(body_, key, 0));
    } else if constexpr (std::is_enum_v<T>) {
      const std::optional<T> known = kWords<T>.second(text);
      if (known) field = *known;
      if (!known) status_ = UnknownState();
    } else if constexpr (List<T>) {
      for (const Json& element : json) field.insert(field.end(), Element<T>(key, element));
    } else if constexpr (std::is_same_v<T, Measured>) {
      for (auto it = json.begin(); it != json.end(); ++it) {
        field[it.key()] = NumberFromJson(it.value()).value_or(0);
      }
    } else if constexpr (std::is_same_v<T, Spec>) {
      status_ = ReadSpec(json, StringAt(body_, "id"), field);
    } else if constexpr (std::is_same_v<T, Validations>) {  // of an older run's body
      status_ = AddValidations(json, StringAt(body_, "id"), field);
    } else {
      ReadOptional(key, json, field);
    }
  }

 private:
  Reader(const Json& body, absl::string_view many) : body_(body), many_(many) {}

  absl::Status UnknownState() const {
    return absl::DataLossError(absl::StrCat(absl::StripSuffix(many_, "s"), " ",
                                            StringAt(body_, "id"), " in the store: state \"",
                                            StringAt(body_, "state"), "\" is unknown"));
  }
  template <typename T>
  void ReadOptional(const char* key, const Json& json, std::optional<T>& field) {
    if constexpr (std::is_enum_v<T>) {
      field = kWords<T>.second(StringAt(body_, key));
    } else if constexpr (std::is_integral_v<T>) {
      if (json.is_number()) field = IntegerAt(body_, key, 0);
    } else if (json.is_object()) {
      status_ = Read(json, key, field.emplace());
    }
  }
  template <typename List, typename T = typename List::value_type>
  T Element(const char* key, const Json& json) {
    if constexpr (SomeId<T>) {
      return T(json.get<std::string>());
    } else if constexpr (std::is_aggregate_v<T>) {
      T record;
      if (status_.ok()) status_ = Read(json, key, record);
      return record;
    } else {
      return json.get<T>();
    }
  }

  const Json& body_;
  const absl::string_view many_;
  absl::Status status_;
};

// ---- bodies of older programs, brought up to date before they are read.
template <typename Record>
void BringUpToDate(Json&) {}

// Without a standing: what the state says holds.
template <>
void BringUpToDate<Worker>(Json& body) {
  if (WorkerStateFromName(StringAt(body, "standing"))) return;
  const std::string state = StringAt(body, "state");
  body["standing"] =
      state == WorkerStateName(WorkerState::kLost) ? WorkerStateName(WorkerState::kReady) : state;
}

// Without a word of the verdict: three rules judged what the run did, any other what befell it.
void AddCensored(Json& body) {
  if (MemberAt(body, "censored").is_boolean()) return;
  const std::string rule = StringAt(body, "rule");
  const bool aborted = StringAt(body, "state") == StateName(State::kAborted) ||
                       StringAt(body, "stop_reason") == StopReasonName(StopReason::kAbort);
  body["censored"] =
      aborted && rule != "no_convergence" && rule != "below_random" && rule != "non_finite";
}

// A lease was that of the only rank.
template <>
void BringUpToDate<Task>(Json& body) {
  AddCensored(body);
  if (!MemberAt(body, "lease").is_object() || MemberAt(body["lease"], "ranks").is_array()) return;
  Json rank = Json::object();
  for (const char* key : {"id", "worker", "gpus"}) rank[key] = MemberAt(body["lease"], key);
  if (!rank["gpus"].is_array()) rank["gpus"] = Json::array();
  body["lease"]["ranks"] = Json::array({std::move(rank)});
}

// Names and tokens stood in `latest` alone, and the only other model was the fallback.
template <>
void BringUpToDate<Run>(Json& body) {
  if (!MemberAt(body, "model_index").is_number()) {
    body["model_index"] = BoolAt(body, "fallback", false) ? 1 : 0;
  }
  const Json latest = MemberAt(body, "latest");
  if (!NumberFromJson(MemberAt(body, "tokens_total"))) {
    body["tokens_total"] = NumberAt(latest, "tokens", 0);
  }
  for (const auto& [name, value] : latest.items()) body["metric_names"].push_back(name);
}

// ---- what earlier programs read in a body, beside what this one does.
void AddForEarlierPrograms(const auto& /*record*/, Json& /*body*/) {}
void AddForEarlierPrograms(const Run& run, Json& body) { body["fallback"] = run.model_index > 0; }

Json WriteBody(const auto& record) {
  Json body = Writer::Value(record);
  AddForEarlierPrograms(record, body);
  return body;
}

template <typename Record>
absl::StatusOr<Record> ReadBody(Json body, absl::string_view table) {
  Record record;
  if (body.is_object()) BringUpToDate<Record>(body);
  SCM_RETURN_IF_ERROR(Reader::Read(body, table, record));
  return record;
}

}  // namespace

#define SCM_RECORDS(entity, name, since, Id, Record, loss)        \
  Json ToJson(const Record& record) { return WriteBody(record); } \
  template <>                                                     \
  absl::StatusOr<Record> FromJson<Record>(Json body) {            \
    return ReadBody<Record>(std::move(body), #name);              \
  }
#include "coordinator/store/tables.def"

Json ToJson(const std::vector<ValidationRecord>& validations) { return Writer::Value(validations); }
absl::Status ReadValidations(const Json& list, Run& run) {
  return AddValidations(list, run.id.str(), run.validations);
}

}  // namespace scm::state
