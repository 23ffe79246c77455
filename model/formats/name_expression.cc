#include "model/formats/name_expression.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/str_cat.h"

namespace scm::model {
namespace {

constexpr size_t kMaxExpression = 65536;
constexpr uint32_t kNameExpressionLimit = 100'000;  // some milliseconds

}  // namespace

struct NameExpression::Compiled {
  std::string what, expression;
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code{nullptr, pcre2_code_free};
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data{nullptr,
                                                                           pcre2_match_data_free};
  std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context{
      nullptr, pcre2_match_context_free};
};

absl::StatusOr<NameExpression> NameExpression::Compile(const std::string& expression, Extent extent,
                                                       const std::string& what) {
  if (expression.size() > kMaxExpression) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": the expression is too long"));
  }
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto compiled = std::make_shared<Compiled>();
  compiled->what = what;
  compiled->expression = expression;
  const uint32_t end = extent == Extent::kWhole ? PCRE2_ENDANCHORED : 0;
  compiled->code.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                    PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C | end, &error, &offset, nullptr));
  if (compiled->code == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": \"", expression, "\" is no valid expression (at character ", offset, ")"));
  }
  compiled->data.reset(pcre2_match_data_create(1, nullptr));
  compiled->context.reset(pcre2_match_context_create(nullptr));
  if (compiled->data == nullptr || compiled->context == nullptr) {
    return absl::ResourceExhaustedError("no memory");
  }
  pcre2_set_match_limit(compiled->context.get(), kNameExpressionLimit);
  NameExpression match;
  match.compiled_ = std::move(compiled);
  return match;
}

absl::StatusOr<bool> NameExpression::Matches(const std::string& name) const {
  const int found = pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(name.data()),
                                name.size(), 0, 0, compiled_->data.get(), compiled_->context.get());
  if (found >= 0) return true;
  if (found == PCRE2_ERROR_NOMATCH) return false;
  return absl::InvalidArgumentError(absl::StrCat(
      compiled_->what, ": \"", compiled_->expression, "\" takes too long to compare with ", name,
      " (PCRE2 error ", found, "); write a simpler expression"));
}

}  // namespace scm::model
