#include "coordinator/controller/write_report_data.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "coordinator/views/report_data.h"

namespace scm::controller {

absl::StatusOr<std::string> WriteReportData(ControllerContext& context, const Task& task) {
  SCM_ASSIGN_OR_RETURN(const Json data,
                       views::MakeReportData(context.cluster.View(context.now),
                                             views::RowsOf(*context.dependencies.store),
                                             task.experiment, context.options.version));
  const std::string text = DumpJson(data);
  constexpr char kFile[] = "report_data.json";
  checkpoint::Manifest manifest;
  const std::string name = absl::StrCat("report_data-", task.attempts + 1);
  manifest.id = absl::StrCat(task.id.str(), "/", name);
  manifest.attempt = task.attempts + 1;
  manifest.epoch = task.epoch + 1;
  manifest.files.push_back(
      {kFile, static_cast<int64_t>(text.size()), Sha256Hex(text), Crc32c(text)});
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<checkpoint::BlobWriter> writer,
                       context.dependencies.checkpoints->Begin(manifest));
  SCM_RETURN_IF_ERROR(writer->Append(kFile, 0, text));
  SCM_ASSIGN_OR_RETURN(const checkpoint::CommittedBlob blob, writer->Commit());
  context.cluster.Put(ArtifactRecord{
      blob.id,
      task.id,
      task.experiment,
      name,
      blob.sha256,
      blob.path,
      manifest.attempt,
      blob.bytes,
      {{{"path", kFile}, {"bytes", text.size()}, {"sha256", manifest.files[0].sha256}}}});
  return blob.id;
}

}  // namespace scm::controller
