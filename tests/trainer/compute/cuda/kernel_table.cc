// What NVRTC says each kernel takes: registers, bytes of spills and of shared memory, for each
// architecture, as a table. `make check-cuda` compares it with docs/gpu-kernels.md.
//   kernel-table NVRTC_DIRECTORY ARCHITECTURE...
#include <cstdio>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "trainer/compute/cuda/nvrtc_compiler.h"

namespace scm::trainer {
namespace {

// Kernel → its cell.
absl::StatusOr<std::map<std::string, std::string>> ColumnOf(const std::string& log) {
  const std::regex entry("Compiling entry function '(\\w+)'");
  const std::regex spills("(\\d+) bytes spill stores, (\\d+) bytes spill loads");
  const std::regex used("Used (\\d+) registers(?:.*?, (\\d+) bytes smem)?");
  std::map<std::string, std::string> column;
  std::string kernel, spilled;
  std::smatch match;
  const std::vector<std::string> lines = absl::StrSplit(log, '\n');
  for (const std::string& line : lines) {
    if (std::regex_search(line, match, entry)) {
      kernel = match[1];
    } else if (std::regex_search(line, match, spills)) {
      spilled = std::to_string(std::stoi(match[1]) + std::stoi(match[2]));
    } else if (std::regex_search(line, match, used)) {
      const std::string shared = match[2].matched ? match[2].str() : "0";
      column[kernel] = absl::StrCat(match[1].str(), " / ", spilled, " / ", shared);
    }
  }
  if (column.empty()) return absl::InternalError("the log of NVRTC names no kernel:\n" + log);
  return column;
}

absl::Status PrintTable(const std::string& directory, const std::vector<std::string>& targets) {
  SCM_ASSIGN_OR_RETURN(const NvrtcFunctions nvrtc, OpenNvrtc({directory}));
  SCM_ASSIGN_OR_RETURN(const NvrtcVersion version, VersionOf(nvrtc));
  std::map<std::string, std::vector<std::string>> rows;
  for (const std::string& target : targets) {
    SCM_ASSIGN_OR_RETURN(const CompiledKernels kernels,
                         CompileKernels(nvrtc, KernelSources(), target));
    SCM_ASSIGN_OR_RETURN(const auto column, ColumnOf(kernels.log));
    for (const auto& [kernel, cell] : column) rows[kernel].push_back(cell);
  }
  std::string table = absl::StrCat("| kernel (NVRTC ", version.text(), ")"), line = "|---";
  for (const std::string& target : targets) {
    absl::StrAppend(&table, " | ", target);
    line += "|---";
  }
  absl::StrAppend(&table, " |\n", line, "|\n");
  for (const auto& [kernel, cells] : rows) {
    absl::StrAppend(&table, "| `", kernel, "`");
    for (const std::string& cell : cells) absl::StrAppend(&table, " | ", cell);
    absl::StrAppend(&table, " |\n");
  }
  std::fputs(table.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace
}  // namespace scm::trainer

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "kernel-table NVRTC_DIRECTORY ARCHITECTURE...\n");
    return 2;
  }
  const absl::Status status = scm::trainer::PrintTable(argv[1], {argv + 2, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "kernel-table: %s\n", std::string(status.message()).c_str());
  return 1;
}
