#include "trainer/compute/token_plan.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::trainer {
namespace {

absl::Status Bad(int64_t row, int64_t position, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("batch row ", row, ", position ", position, ": ", what));
}

absl::Status CheckRow(const Batch& batch, int64_t vocabulary, int64_t row) {
  int32_t last = -1;
  bool ended = false;
  for (int64_t i = 0; i < batch.length; ++i) {
    const size_t at = static_cast<size_t>(row * batch.length + i);
    const int32_t segment = batch.segments[at], label = batch.labels[at];
    if (segment < 0) {
      ended = true;
      if (label != -100) return Bad(row, i, "padding carries a label");
      continue;
    }
    if (ended) return Bad(row, i, "a segment follows padding; padding belongs on the right");
    if (segment < last) return Bad(row, i, "segment numbers must not fall within a row");
    last = segment;
    if (batch.tokens[at] < 0 || batch.tokens[at] >= vocabulary) {
      return Bad(
          row, i,
          absl::StrCat("token ", batch.tokens[at], " is outside the vocabulary of ", vocabulary));
    }
    if (label != -100 && (label < 0 || label >= vocabulary)) {
      return Bad(
          row, i,
          absl::StrCat("label ", label, " is neither −100 nor in the vocabulary of ", vocabulary));
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const Batch& batch, int64_t vocabulary) {
  const size_t size = static_cast<size_t>(batch.rows * batch.length);
  if (batch.tokens.size() != size || batch.segments.size() != size || batch.labels.size() != size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch of ", batch.rows, " × ", batch.length, " has ", batch.tokens.size(), " tokens, ",
        batch.segments.size(), " segments and ", batch.labels.size(), " labels"));
  }
  for (int64_t row = 0; row < batch.rows; ++row) {
    SCM_RETURN_IF_ERROR(CheckRow(batch, vocabulary, row));
  }
  return absl::OkStatus();
}

class Builder {
 public:
  explicit Builder(const Batch& batch) : batch_(batch) {
    plan_.places.assign(batch.tokens.size(), -1);
  }

  // Positions [from, to) of a row as one document that sees `prefix`.
  void AddDocument(int64_t row, int64_t from, int64_t to, int64_t first_position,
                   const TokenSpan& prefix) {
    if (from == to) return;
    plan_.documents.push_back({plan_.count(), to - from, prefix.start, prefix.length});
    for (int64_t i = from; i < to; ++i) {
      plan_.places[At(row, i)] = plan_.count();
      plan_.tokens.push_back(batch_.tokens[At(row, i)]);
      plan_.positions.push_back(static_cast<int32_t>(first_position + i - from));
    }
  }

  void AddRow(int64_t row) {
    int64_t from = 0;
    for (int64_t i = 0; i <= batch_.length; ++i) {
      const bool end = i == batch_.length || batch_.segments[At(row, i)] < 0;
      if (!end && batch_.segments[At(row, i)] == batch_.segments[At(row, from)]) continue;
      AddDocument(row, from, i, 0, TokenSpan());
      from = i;
      if (end) break;
    }
  }

  // Rows of one segment each that share their first `common` tokens.
  void AddGroup(const std::vector<int64_t>& rows, int64_t common) {
    TokenSpan prefix;
    prefix.start = plan_.count();
    prefix.length = common;
    AddDocument(rows[0], 0, common, 0, TokenSpan());
    for (int64_t row : rows) {
      for (int64_t i = 0; i < common; ++i) plan_.places[At(row, i)] = prefix.start + i;
      AddDocument(row, common, RowLength(row), common, prefix);
    }
  }

  int64_t RowLength(int64_t row) const {
    int64_t length = 0;
    while (length < batch_.length && batch_.segments[At(row, length)] >= 0) ++length;
    return length;
  }
  bool SingleSegment(int64_t row) const {
    const int64_t length = RowLength(row);
    return length > 0 && batch_.segments[At(row, 0)] == batch_.segments[At(row, length - 1)];
  }

  TokenPlan Finish() {
    for (int64_t row = 0; row < batch_.rows; ++row) {
      for (int64_t i = 0; i < batch_.length; ++i) {
        const int32_t label = batch_.labels[At(row, i)];
        if (label != -100) plan_.labels.push_back({plan_.places[At(row, i)], label, row});
      }
    }
    std::stable_sort(plan_.labels.begin(), plan_.labels.end(),
                     [](const auto& a, const auto& b) { return a.token < b.token; });
    return std::move(plan_);
  }

  void AddSharing();

 private:
  size_t At(int64_t row, int64_t i) const { return static_cast<size_t>(row * batch_.length + i); }
  int64_t CommonPrefix(int64_t a, int64_t b) const {
    const int64_t limit = std::min(RowLength(a), RowLength(b));
    int64_t i = 0;
    while (i < limit && batch_.tokens[At(a, i)] == batch_.tokens[At(b, i)]) ++i;
    return i;
  }

  const Batch& batch_;
  TokenPlan plan_;
};

// Sorts rows by their tokens, so that those that begin alike are neighbours, and cuts the list
// where the common part is much shorter than on one of the two sides.
void Builder::AddSharing() {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < batch_.rows; ++row) {
    if (SingleSegment(row)) {
      rows.push_back(row);
    } else {
      AddRow(row);
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [this](int64_t a, int64_t b) {
    const int64_t common = CommonPrefix(a, b);
    if (common == RowLength(a) || common == RowLength(b)) return RowLength(a) < RowLength(b);
    return batch_.tokens[At(a, common)] < batch_.tokens[At(b, common)];
  });
  const size_t n = rows.size();
  std::vector<int64_t> common(n + 1, 0);  // of row i − 1 and row i
  for (size_t i = 1; i < n; ++i) common[i] = CommonPrefix(rows[i - 1], rows[i]);
  constexpr int64_t kWorthwhile = 4;
  for (size_t begin = 0; begin < n;) {
    size_t end = begin + 1;
    int64_t shared = RowLength(rows[begin]);
    while (end < n && common[end] >= kWorthwhile &&
           2 * common[end] >= std::max(end - 1 > begin ? common[end - 1] : 0, common[end + 1])) {
      shared = std::min(shared, common[end++]);
    }
    AddGroup(std::vector<int64_t>(rows.begin() + static_cast<int64_t>(begin),
                                  rows.begin() + static_cast<int64_t>(end)),
             shared);
    begin = end;
  }
}

}  // namespace

void Append(const TokenPlan& next, TokenPlan* plan) {
  const int64_t at = plan->count();
  plan->tokens.insert(plan->tokens.end(), next.tokens.begin(), next.tokens.end());
  plan->positions.insert(plan->positions.end(), next.positions.begin(), next.positions.end());
  for (TokenSpan document : next.documents) {
    document.start += at;
    document.prefix_start += at;
    plan->documents.push_back(document);
  }
  for (TokenPlan::Label label : next.labels) {
    label.token += at;
    plan->labels.push_back(label);
  }
}

void PadPlan(int64_t rows, int64_t labels, TokenPlan* plan) {
  const int64_t at = plan->count();
  if (rows > at) plan->documents.push_back({at, rows - at});
  plan->tokens.resize(static_cast<size_t>(rows), 0);
  plan->positions.resize(static_cast<size_t>(rows), 0);
  plan->labels.resize(static_cast<size_t>(labels), {0, -1, 0});
}

std::vector<PlanPart> CutPlan(const TokenPlan& plan, int64_t most) {
  std::vector<PlanPart> parts;
  for (TokenSpan document : plan.documents) {
    if (parts.empty() || parts.back().plan.count() + document.length > most) {
      parts.emplace_back().first = document.start;
    }
    PlanPart& part = parts.back();
    const auto from = document.start, to = document.start + document.length;
    const auto append = [from, to](const std::vector<int32_t>& all, std::vector<int32_t>* some) {
      some->insert(some->end(), all.begin() + from, all.begin() + to);
    };
    append(plan.tokens, &part.plan.tokens);
    append(plan.positions, &part.plan.positions);
    document.start -= part.first;
    document.prefix_start = 0;
    part.plan.documents.push_back(document);
  }
  auto label = plan.labels.begin();
  for (PlanPart& part : parts) {
    const int64_t end = part.first + part.plan.count();
    for (; label != plan.labels.end() && label->token < end; ++label) {
      part.plan.labels.push_back({label->token - part.first, label->target, label->row});
    }
  }
  return parts;
}

absl::StatusOr<TokenPlan> MakeTokenPlan(const Batch& batch, int64_t vocabulary,
                                        bool share_prefixes) {
  SCM_RETURN_IF_ERROR(Check(batch, vocabulary));
  Builder builder(batch);
  if (share_prefixes) {
    builder.AddSharing();
  } else {
    for (int64_t row = 0; row < batch.rows; ++row) builder.AddRow(row);
  }
  return builder.Finish();
}

}  // namespace scm::trainer
