// The sections of the experiment file that SCM_SPEC hands on, read tolerantly: unknown keys are
// ignored, so that the protocol can grow, and what is missing keeps its default. What a key may
// hold is decided by the rules that decided it at submission: this is the visitor of
// experiment/describe.h that knows JSON. Pure; problems are collected by the Fields it reads.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiment/describe.h"
#include "trainer/protocol/job_fields.h"

namespace scm::trainer {

class JobKeys {
 public:
  using Key = experiment_file::Key;

  explicit JobKeys(Fields fields) : fields_(std::move(fields)) {}

  void Field(const Key& key, double& value, const experiment_file::NumberRule& rule);
  void Field(const Key& key, std::optional<double>& value, const experiment_file::NumberRule& rule);
  void Field(const Key& key, int64_t& value, const experiment_file::IntegerRule& rule);
  void Field(const Key& key, ByPattern<int64_t>& values, const experiment_file::IntegerRule& rule);
  void Field(const Key& key, ByPattern<double>& values, const experiment_file::NumberRule& rule);
  void Field(const Key& key, bool& value);
  void Field(const Key& key, std::string& value, const experiment_file::TextRule& rule);
  void Field(const Key& key, std::string& value, const experiment_file::PathRule& rule);
  void Field(const Key& key, std::string& value, const experiment_file::Words& words);
  void Field(const Key& key, std::vector<std::string>& values, const experiment_file::Words& words);
  void Field(const Key& key, std::vector<std::string>& values,
             const experiment_file::NamesRule& rule);

  template <typename S>
  void Section(const Key& key, S& section) {
    if (key.none && IsNone(key)) return;
    JobKeys inside(fields_.Object(key.name));
    experiment_file::Describe(inside, section);
  }
  template <typename S>
  void Section(const Key& key, std::optional<S>& section) {
    if (!fields_.Says(key.name)) return;
    if (IsNone(key)) return section.reset();
    if (!section) section.emplace();
    Section(key, *section);
  }
  template <typename S>
  void Sections(const Key& key, std::vector<S>& list) {
    if (IsNone(key)) return;
    for (const Fields& fields : fields_.Objects(key.name)) {
      JobKeys inside(fields);
      experiment_file::Describe(inside, list.emplace_back());
    }
  }
  void Planned(const char*) {}

 private:
  // Whether there is a value. Reports a required key that is missing.
  bool Find(const Key& key, const char* expected);
  // null, or `none` where that is allowed.
  bool IsNone(const Key& key) const;

  template <typename V, typename Rule>
  void ReadByPattern(const Key& key, ByPattern<V>& values, const Rule& rule);
  // Whether `values` are now those of the key. Reports what is no list of texts, and doubled ones.
  bool TakeList(const Key& key, const char* expected, std::vector<std::string>& values);

  Fields fields_;
};

}  // namespace scm::trainer
