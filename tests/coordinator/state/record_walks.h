// Walks over a record's description for tests that know no record by name: to fill it, to compare
// it, to count its members.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/state/record_fields.h"
#include "tests/coordinator/state/full_records.h"

namespace scm::state {

// A record, or a part of one, that describes itself.
template <typename T>
concept Described = std::is_aggregate_v<T>;

// ---- how many members a struct has, described or not

struct Anything {
  template <typename T>
  operator T() const;
};

template <typename T, size_t... I>
constexpr bool Takes(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), Anything())...}; };
}

template <typename T, size_t kAtLeast = 0>
constexpr size_t MemberCount() {
  if constexpr (!Takes<T>(std::make_index_sequence<kAtLeast + 1>())) {
    return kAtLeast;
  } else {
    return MemberCount<T, kAtLeast + 1>();
  }
}

// ---- what is described

// Which members of one struct, and under which keys.
struct Inventory {
  std::set<const void*> members;
  std::multiset<std::string> keys;
  void operator()(const char* key, const auto& field) {
    members.insert(&field);
    keys.insert(key);
  }
  void operator()(NotStored, const auto& field) { members.insert(&field); }
};

// What a list, a log or an optional is made of.
template <typename T>
struct Inside {
  using Type = T;
};
template <typename T>
struct Inside<std::optional<T>> {
  using Type = T;
};
template <typename T>
struct Inside<std::vector<T>> {
  using Type = T;
};
template <typename T>
struct Inside<core::StepLog<T>> {
  using Type = T;
};

// check(record, key) for a record, and for each kind of record inside it.
template <typename Record, typename Check>
void ForEachPart(const char* key, const Check& check) {
  const Record record{};
  check(record, key);
  const auto inside = [&check]<typename Field>(const auto& name, const Field&) {
    using Part = typename Inside<Field>::Type;
    if constexpr (Described<Part>) ForEachPart<Part>(name, check);
  };
  Describe(inside, record);
}

// ---- a value in every field that is neither its default nor any other field's. Ids of one kind
// are the same everywhere, and so are stages: what records refer to is there.
class Fill {
 public:
  void operator()(NotStored, auto&) {}
  template <typename T>
  void operator()(const char* key, T& field) {
    Set(field);
    // Of a checkpoint, whose id begins with its run's.
    if constexpr (std::is_same_v<T, std::string>) {
      if (std::string(key) == "id") field = "r-1/1";
    }
  }

 private:
  int64_t Next() { return ++last_; }
  void Set(std::string& text) { text = absl::StrCat("text ", Next()); }
  void Set(bool& flag) { flag = !flag; }
  void Set(double& number) { number = static_cast<double>(Next()) + 0.5; }
  void Set(int& number) { number = static_cast<int>(Next()); }
  void Set(int64_t& number) { number = Next(); }
  void Set(absl::Time& time) { time = At(Next(), 1); }
  void Set(absl::Duration& duration) { duration = absl::Nanoseconds(Next()); }
  void Set(Json& json) { json = {{"value", {Next(), nullptr}}}; }
  void Set(std::shared_ptr<const ExperimentSpec>& spec) { spec = NamedSpec(); }
  template <char kPrefix>
  void Set(Id<kPrefix>& id) {
    id = Id<kPrefix>::FromNumber(1);
  }
  template <typename T>
  requires std::is_enum_v<T>
  void Set(T& word) { word = word == T(1) ? T(2) : T(1); }
  template <Described T>
  void Set(T& record) {
    Describe(*this, record);
  }
  template <typename T>
  void Set(std::optional<T>& value) {
    Set(value.emplace());
  }
  template <typename T, typename U>
  void Set(std::pair<T, U>& both) {
    Set(both.first);
    Set(both.second);
  }
  // What is measured is among the names.
  void Set(std::set<std::string>& names) { names = {absl::StrCat("text ", Next()), "one", "two"}; }
  void Set(std::map<std::string, double>& values) { Set(values["one"]), Set(values["two"]); }
  template <typename T>
  void Set(std::vector<T>& values) {
    values.resize(2);
    for (T& value : values) Set(value);
  }
  template <typename T>
  void Set(std::set<T>& values) {
    T value;
    Set(value);
    values.insert(value);
  }
  // More than a row holds.
  template <typename T>
  void Set(core::StepLog<T>& log) {
    for (size_t i = 0; i < log.kChunk + 1; ++i) {
      T record;
      Set(record);
      log.Insert(record);
    }
  }

  int64_t last_ = 0;
};

// ---- whether two records agree, member by member and not by way of their bodies

// Keys of the stored members in which they differ.
template <typename T>
std::vector<std::string> Differences(const T& a, const T& b);

template <typename T>
bool Agree(const T& a, const T& b) {
  if constexpr (Described<T>) {
    return Differences(a, b).empty();
  } else {
    return a == b;
  }
}
inline bool Agree(const std::shared_ptr<const ExperimentSpec>& a,
                  const std::shared_ptr<const ExperimentSpec>& b) {
  return a && b ? SpecToJson(*a) == SpecToJson(*b) : a == b;
}
template <typename T>
bool Agree(const std::optional<T>& a, const std::optional<T>& b) {
  return a && b ? Agree(*a, *b) : a.has_value() == b.has_value();
}
bool AgreeInOrder(const auto& a, const auto& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!Agree(a[i], b[i])) return false;
  }
  return true;
}
template <typename T>
bool Agree(const std::vector<T>& a, const std::vector<T>& b) {
  return AgreeInOrder(a, b);
}
template <typename T>
bool Agree(const core::StepLog<T>& a, const core::StepLog<T>& b) {
  return AgreeInOrder(a, b);
}

// The description is walked over `a`; the same place in `b` is the same member.
struct Compare {
  const std::byte *a, *b;
  std::vector<std::string> keys;
  void operator()(NotStored, const auto&) {}
  template <typename Field>
  void operator()(const char* key, const Field& of_a) {
    const auto offset = reinterpret_cast<const std::byte*>(&of_a) - a;
    if (!Agree(of_a, *reinterpret_cast<const Field*>(b + offset))) keys.push_back(key);
  }
};

template <typename T>
std::vector<std::string> Differences(const T& a, const T& b) {
  Compare compare{
      reinterpret_cast<const std::byte*>(&a), reinterpret_cast<const std::byte*>(&b), {}};
  Describe(compare, a);
  return compare.keys;
}

}  // namespace scm::state
