#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/human.h"
#include "scmctl/render/render.h"
#include "scmctl/render/table.h"

namespace scm::ctl {

std::string RenderArtifacts(const Json& answer, const Terminal& terminal) {
  TextTable table({{"artifact"}, {"made by"}, {"size", true}, {"files", true}, {"sha256"}});
  for (const Json& a : MemberAt(answer, "artifacts")) {
    table.Add({Cell(MemberAt(a, "id")), Cell(MemberAt(a, "kind")),
               HumanBytes(IntegerAt(a, "bytes", 0)), absl::StrCat(MemberAt(a, "files").size()),
               absl::StrCat(StringAt(a, "sha256").substr(0, 8), "…")});
  }
  return table.Render(terminal, "No artifacts yet.");
}

std::string ArtifactsText(const Json& status, int width) {
  struct Named {
    std::string name, id;
    int64_t bytes = 0, count = 0;
  };
  std::vector<Named> all;  // the latest of each name
  for (const Json& artifact : MemberAt(status, "artifacts")) {
    const std::string name = StringAt(artifact, "name");
    // What the coordinator itself wrote for the report is no result.
    if (absl::StartsWith(name, "report_data")) continue;
    auto at = std::find_if(all.begin(), all.end(), [&](const Named& n) { return n.name == name; });
    if (at == all.end()) at = all.insert(all.end(), {name, "", 0, 0});
    at->id = StringAt(artifact, "id");
    at->bytes += IntegerAt(artifact, "bytes", 0);
    ++at->count;
  }
  if (all.empty()) return "";
  std::vector<std::string> parts;
  for (const Named& n : all) {
    parts.push_back(n.count == 1 ? absl::StrCat(n.id, " ", HumanBytes(n.bytes))
                                 : absl::StrCat(n.count, " × ", n.name, " ", HumanBytes(n.bytes)));
  }
  const std::string id = StringAt(MemberAt(status, "experiment"), "id");
  std::string out = "\n";
  for (const std::string& line :
       Wrap(absl::StrCat("Artifacts: ", absl::StrJoin(parts, " · "), ". scmctl artifacts ls ", id),
            width)) {
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

}  // namespace scm::ctl
