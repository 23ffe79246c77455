// An expression of Python's `re` that names modules. Pure.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace scm::model {

class NameExpression {
 public:
  enum class Extent {
    kWhole,  // re.fullmatch
    kBegin,  // re.match
  };
  // INVALID_ARGUMENT, beginning with `what`, when the expression is too long or not valid.
  static absl::StatusOr<NameExpression> Compile(const std::string& expression, Extent extent,
                                                const std::string& what);

  // INVALID_ARGUMENT when comparing would take too long. Expressions come from files of others, and
  // each is compared with every module.
  absl::StatusOr<bool> Matches(const std::string& name) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace scm::model
