// scm-yaml-to-json < FILE: the document as JSON, so that a test can look into a YAML file. A plain
// true, false, null or number becomes one; a doubled key is an error, as it is for what reads
// compose files and Prometheus' configuration.
#include <yaml-cpp/yaml.h>

#include <cstdio>
#include <iostream>
#include <stdexcept>

#include "common/json.h"

namespace scm {
namespace {

Json ToJson(const YAML::Node& node) {
  if (node.IsNull() || !node.IsDefined()) return nullptr;
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const YAML::Node& item : node) list.push_back(ToJson(item));
    return list;
  }
  if (node.IsMap()) {
    Json map = Json::object();
    for (auto it = node.begin(); it != node.end(); ++it) {
      const std::string name = it->first.as<std::string>();
      if (map.contains(name)) throw std::runtime_error("the key " + name + " stands twice");
      map[name] = ToJson(it->second);
    }
    return map;
  }
  if (node.Tag() == "!") return node.as<std::string>();  // quoted
  const Json plain = Json::parse(node.Scalar(), nullptr, /*allow_exceptions=*/false);
  return plain.is_boolean() || plain.is_number() ? plain : Json(node.Scalar());
}

}  // namespace
}  // namespace scm

int main() {
  try {
    std::cout << scm::ToJson(YAML::Load(std::cin)).dump(1) << "\n";
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
