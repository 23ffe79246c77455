// docs/run-lifecycle.md against Apply, in both directions: every state with every event goes where
// the document's table says, what the table leaves out is refused, and no row of it is empty talk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "coordinator/core/apply.h"

namespace scm::core {
namespace {

const absl::Time kDocumentTime = absl::FromUnixSeconds(1000);
constexpr StopReason kReasons[] = {StopReason::kRung,   StopReason::kPause,   StopReason::kAbort,
                                   StopReason::kCancel, StopReason::kPreempt, StopReason::kDrain};

struct TableRow {
  std::vector<std::string> states, events, conditions;
  std::string becomes;
  std::string text;  // the line, for messages
};

// "`A`, `B`" → {"A", "B"}; text without marks is one word.
std::vector<std::string> Words(absl::string_view cell) {
  std::vector<std::string> words;
  for (absl::string_view word : absl::StrSplit(cell, ", ", absl::SkipWhitespace())) {
    word = absl::StripAsciiWhitespace(word);
    absl::ConsumePrefix(&word, "`");
    absl::ConsumeSuffix(&word, "`");
    words.emplace_back(word);
  }
  return words;
}

std::vector<TableRow> DocumentedRows() {
  std::ifstream file(SCM_SOURCE_DIR "/docs/run-lifecycle.md");
  std::stringstream buffer;
  buffer << file.rdbuf();
  const std::string text = buffer.str();
  const size_t begin = text.find("<!-- transitions: begin -->");
  const size_t end = text.find("<!-- transitions: end -->");
  EXPECT_NE(begin, text.npos);
  EXPECT_NE(end, text.npos);
  std::vector<TableRow> rows;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text).substr(begin, end - begin), '\n')) {
    if (!absl::StartsWith(line, "| `")) continue;  // the head of the table
    const std::vector<absl::string_view> cells = absl::StrSplit(line, '|');
    EXPECT_EQ(cells.size(), 7u) << line;
    if (cells.size() != 7) continue;
    const std::vector<std::string> becomes = Words(cells[4]);
    EXPECT_EQ(becomes.size(), 1u) << line;
    rows.push_back(
        {Words(cells[1]), Words(cells[2]), Words(cells[3]), becomes.at(0), std::string(line)});
  }
  return rows;
}

// One situation that a task can be in when an event arrives.
struct Situation {
  Task task;
  ApplyContext context;
  TaskEvent event;
  std::string state_name, event_name;
};

std::string NameOf(const Task& task) {
  if (task.state != State::kStopping) return StateName(task.state);
  return absl::StrCat("STOPPING(", StopReasonName(*task.stop_reason), ")");
}

std::vector<std::pair<std::string, TaskEvent>> DocumentEvents() {
  const Attempt attempt{2, kDocumentTime, {}, {{LeaseId("l-2"), WorkerId("w-1")}}};
  std::vector<std::pair<std::string, TaskEvent>> events = {
      {"LeaseGranted", LeaseGranted{attempt}},
      {"ProcessStarted", ProcessStarted{}},
      {"StartFailed(retryable)", StartFailed{"no room", true}},
      {"StartFailed(final)", StartFailed{"not allowed", false}},
      {"LeaseExpired(lost)", LeaseExpired{"silence", false}},
      {"LeaseExpired(orderly)", LeaseExpired{"goodbye", true}},
      {"ResumeRequested", ResumeRequested{}}};
  const std::pair<const char*, ExitClass> exits[] = {{"done", ExitClass::kDone},
                                                     {"stopped", ExitClass::kStopped},
                                                     {"infrastructure", ExitClass::kInfrastructure},
                                                     {"bad_input", ExitClass::kBadInput},
                                                     {"out_of_memory", ExitClass::kOutOfMemory},
                                                     {"diverged", ExitClass::kDiverged}};
  for (const auto& [name, how] : exits) {
    events.emplace_back(absl::StrCat("ProcessExited(", name, ")"), ProcessExited{how, "why", {}});
  }
  for (const StopReason reason : kReasons) {
    events.emplace_back(absl::StrCat("StopRequested(", StopReasonName(reason), ")"),
                        StopRequested{reason, "rule", "text"});
  }
  return events;
}

std::vector<Task> AllTasks() {
  std::vector<Task> tasks;
  const auto add = [&](State state, std::optional<StopReason> reason) {
    for (const bool progressed : {false, true}) {
      for (const int64_t spent : {0, 2}) {
        Task task;
        task.id = TaskId("k-1");
        task.state = state;
        task.stop_reason = reason;
        task.progressed = progressed;
        task.retries_spent = spent;
        if (IsActive(state))
          task.attempt = Attempt{1, kDocumentTime, {}, {{LeaseId("l-1"), WorkerId("w-1")}}};
        tasks.push_back(task);
      }
    }
  };
  for (const State state : {State::kPending, State::kAssigned, State::kRunning, State::kSucceeded,
                            State::kFailed, State::kAborted, State::kCancelled}) {
    add(state, std::nullopt);
  }
  add(State::kPaused, StopReason::kPause);
  for (const StopReason reason : kReasons) add(State::kStopping, reason);
  return tasks;
}

std::vector<Situation> AllSituations() {
  std::vector<Situation> cases;
  for (const int64_t max_retries : {0, 2}) {
    for (const Task& task : AllTasks()) {
      for (const auto& [name, event] : DocumentEvents()) {
        cases.push_back({task, {kDocumentTime, max_retries, 0}, event, NameOf(task), name});
      }
    }
  }
  return cases;
}

// Whether `pattern` is `name`, or "X(*)" where name is "X(word)"; the word goes to `star`.
bool Matches(const std::string& pattern, const std::string& name, std::string* star) {
  if (pattern == name) return true;
  const size_t open = pattern.find("(*)");
  if (open == pattern.npos || !absl::StartsWith(name, pattern.substr(0, open + 1))) return false;
  const std::string word = name.substr(open + 1, name.size() - open - 2);
  if (!star->empty() && *star != word) return false;
  *star = word;
  return true;
}

bool MatchesOne(const std::vector<std::string>& patterns, const std::string& name,
                std::string* star) {
  for (const std::string& pattern : patterns) {
    if (Matches(pattern, name, star)) return true;
  }
  return false;
}

bool Holds(const std::string& condition, const Situation& c) {
  // The document's definition of the count.
  const int64_t count = c.task.progressed ? 1 : c.task.retries_spent + 1;
  if (condition == "retries left") return count <= c.context.max_retries;
  if (condition == "retries spent") return count > c.context.max_retries;
  if (condition == "progressed") return c.task.progressed;
  if (condition == "not progressed") return !c.task.progressed;
  ADD_FAILURE() << "the document has a condition that this test does not know: " << condition;
  return false;
}

// What the row says that the case becomes; nullopt when the row is about something else.
std::optional<std::string> Predict(const TableRow& row, const Situation& c) {
  std::string star;
  if (!MatchesOne(row.states, c.state_name, &star)) return std::nullopt;
  if (!MatchesOne(row.events, c.event_name, &star)) return std::nullopt;
  for (const std::string& condition : row.conditions) {
    if (!Holds(condition, c)) return std::nullopt;
  }
  if (row.becomes == "unchanged") return c.state_name;
  if (absl::EndsWith(row.becomes, "(*)")) {
    return absl::StrCat(row.becomes.substr(0, row.becomes.size() - 2), star, ")");
  }
  return row.becomes;
}

TEST(LifecycleDocument, SaysWhatApplyDoesForEveryStateAndEvent) {
  const std::vector<TableRow> rows = DocumentedRows();
  ASSERT_GT(rows.size(), 25u);
  std::vector<int> used(rows.size(), 0);
  int allowed = 0;
  for (const Situation& c : AllSituations()) {
    SCOPED_TRACE(absl::StrCat(c.state_name, " × ", c.event_name, ", spent ", c.task.retries_spent,
                              " of ", c.context.max_retries,
                              c.task.progressed ? ", progressed" : ""));
    std::optional<std::string> predicted;
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::optional<std::string> one = Predict(rows[i], c);
      if (!one) continue;
      EXPECT_FALSE(predicted.has_value())
          << "two rows speak about it; the second: " << rows[i].text;
      predicted = one;
      ++used[i];
    }
    const absl::StatusOr<Task> after = Apply(c.task, c.event, c.context);
    if (!predicted) {
      EXPECT_TRUE(absl::IsFailedPrecondition(after.status()))
          << "not in the document, but "
          << (after.ok() ? NameOf(*after) : after.status().ToString());
      continue;
    }
    ++allowed;
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ(NameOf(*after), *predicted);
    // What follows from the state alone.
    EXPECT_EQ(after->attempt.has_value(), IsActive(after->state));
    EXPECT_EQ(after->ended_at != absl::InfinitePast(), IsTerminal(after->state));
  }
  EXPECT_GT(allowed, 300);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_GT(used[i], 0) << "no state and event is described by: " << rows[i].text;
  }
}

// The words of the other tables are words that the code knows.
TEST(LifecycleDocument, NamesEveryStateWord) {
  std::ifstream file(SCM_SOURCE_DIR "/docs/run-lifecycle.md");
  std::stringstream buffer;
  buffer << file.rdbuf();
  const std::string text = buffer.str();
  for (int i = 0; i <= static_cast<int>(State::kSkipped); ++i) {
    EXPECT_TRUE(absl::StrContains(text, absl::StrCat("`", StateName(static_cast<State>(i)), "`")))
        << StateName(static_cast<State>(i));
  }
  for (int i = 0; i <= static_cast<int>(WorkerState::kQuarantined); ++i) {
    const char* name = WorkerStateName(static_cast<WorkerState>(i));
    EXPECT_TRUE(absl::StrContains(text, absl::StrCat("`", name, "`"))) << name;
  }
}

}  // namespace
}  // namespace scm::core
