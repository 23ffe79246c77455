#include "tests/fakes/crash_filesystem.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"

namespace scm::fake {

// A handle; the file lives on under its name when the handle is gone.
class CrashFile : public checkpoint::WritableFile {
 public:
  CrashFile(CrashFilesystem* files, std::shared_ptr<CrashFilesystem::Node> node)
      : files_(files), node_(std::move(node)) {}
  absl::Status Append(absl::string_view data) override { return files_->Append(*node_, data); }
  absl::Status Sync() override { return files_->Sync(*node_); }

 private:
  CrashFilesystem* files_;
  std::shared_ptr<CrashFilesystem::Node> node_;
};

CrashFilesystem::CrashFilesystem() : root_(std::make_shared<Node>()) { root_->is_directory = true; }
CrashFilesystem::~CrashFilesystem() = default;

void CrashFilesystem::FailCall(int64_t call, Fault fault, absl::Status error) {
  calls_ = 0;
  fail_at_ = call;
  fault_ = fault;
  error_ = std::move(error);
}

CrashFilesystem::Turn CrashFilesystem::Next() {
  if (crashed_) return {false, absl::AbortedError("the process is dead")};
  if (++calls_ != fail_at_) return {};
  if (fault_ == Fault::kError) return {false, error_};
  crashed_ = fault_ != Fault::kNone;
  return {fault_ != Fault::kCrashBefore,
          crashed_ ? absl::AbortedError("the process is dead") : absl::OkStatus()};
}

absl::StatusOr<CrashFilesystem::Slot> CrashFilesystem::Find(const std::string& path) const {
  const std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  Slot slot{nullptr, "", root_};
  for (const std::string& part : parts) {
    if (slot.node == nullptr || !slot.node->is_directory) {
      return absl::NotFoundError(absl::StrCat("no directory on the way to ", path));
    }
    const auto child = slot.node->names.find(part);
    slot = {slot.node, part, child == slot.node->names.end() ? nullptr : child->second};
  }
  return slot;
}

absl::StatusOr<std::shared_ptr<CrashFilesystem::Node>> CrashFilesystem::Existing(
    const std::string& path, bool directory) const {
  SCM_ASSIGN_OR_RETURN(Slot slot, Find(path));
  if (slot.node == nullptr || slot.node->is_directory != directory) {
    return absl::NotFoundError(absl::StrCat("no ", directory ? "directory " : "file ", path));
  }
  return slot.node;
}

void CrashFilesystem::Set(Node& parent, const std::string& name, std::shared_ptr<Node> node) {
  if (node == nullptr) {
    parent.names.erase(name);
  } else {
    parent.names[name] = std::move(node);
  }
  parent.pending_names.insert(name);
}

absl::StatusOr<std::unique_ptr<checkpoint::WritableFile>> CrashFilesystem::CreateFile(
    const std::string& path) {
  const Turn turn = Next();
  if (!turn.apply) return turn.result;
  SCM_ASSIGN_OR_RETURN(Slot slot, Find(path));
  if (slot.node != nullptr) return absl::AlreadyExistsError(path);
  auto node = std::make_shared<Node>();
  Set(*slot.parent, slot.name, node);
  SCM_RETURN_IF_ERROR(turn.result);
  return std::make_unique<CrashFile>(this, std::move(node));
}

absl::Status CrashFilesystem::Append(Node& node, absl::string_view data) {
  const Turn turn = Next();
  // A write that fails has often written a part.
  const size_t bytes = turn.apply ? data.size() : data.size() / 2;
  node.content.append(data.data(), bytes);
  node.pending_content = true;
  return turn.result;
}

absl::Status CrashFilesystem::Sync(Node& node) {
  const Turn turn = Next();
  if (turn.apply && node.pending_content) node.durable_content = node.content;
  if (!crashed_ || turn.apply) node.pending_content = false;
  return turn.result;
}

absl::Status CrashFilesystem::MakeDirectory(const std::string& path) {
  const Turn turn = Next();
  if (!turn.apply) return turn.result;
  SCM_ASSIGN_OR_RETURN(Slot slot, Find(path));
  if (slot.node != nullptr) return absl::AlreadyExistsError(path);
  auto node = std::make_shared<Node>();
  node->is_directory = true;
  Set(*slot.parent, slot.name, std::move(node));
  return turn.result;
}

absl::Status CrashFilesystem::RenameNoReplace(const std::string& from, const std::string& to) {
  const Turn turn = Next();
  if (!turn.apply) return turn.result;
  SCM_ASSIGN_OR_RETURN(Slot source, Find(from));
  SCM_ASSIGN_OR_RETURN(Slot target, Find(to));
  if (source.node == nullptr) return absl::NotFoundError(from);
  if (target.node != nullptr) return absl::AlreadyExistsError(to);
  Set(*target.parent, target.name, source.node);
  Set(*source.parent, source.name, nullptr);
  return turn.result;
}

absl::Status CrashFilesystem::SyncDirectory(const std::string& path) {
  const Turn turn = Next();
  SCM_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Existing(path, true));
  for (const std::string& name : node->pending_names) {
    if (!turn.apply) break;
    const auto now = node->names.find(name);
    if (now == node->names.end()) {
      node->durable_names.erase(name);
    } else {
      node->durable_names[name] = now->second;
    }
  }
  if (!crashed_ || turn.apply) node->pending_names.clear();
  return turn.result;
}

absl::Status CrashFilesystem::RemoveFile(const std::string& path) {
  const Turn turn = Next();
  if (!turn.apply) return turn.result;
  SCM_RETURN_IF_ERROR(Existing(path, false).status());
  SCM_ASSIGN_OR_RETURN(Slot slot, Find(path));
  Set(*slot.parent, slot.name, nullptr);
  return turn.result;
}

absl::Status CrashFilesystem::RemoveDirectory(const std::string& path) {
  const Turn turn = Next();
  if (!turn.apply) return turn.result;
  SCM_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Existing(path, true));
  if (!node->names.empty()) return absl::FailedPreconditionError(absl::StrCat(path, " not empty"));
  SCM_ASSIGN_OR_RETURN(Slot slot, Find(path));
  Set(*slot.parent, slot.name, nullptr);
  return turn.result;
}

absl::StatusOr<std::vector<checkpoint::DirectoryEntry>> CrashFilesystem::List(
    const std::string& path) {
  const Turn turn = Next();
  SCM_RETURN_IF_ERROR(turn.result);
  SCM_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Existing(path, true));
  std::vector<checkpoint::DirectoryEntry> entries;
  for (const auto& [name, child] : node->names) entries.push_back({name, child->is_directory});
  return entries;
}

absl::StatusOr<std::string> CrashFilesystem::ReadAt(const std::string& path, int64_t offset,
                                                    int64_t limit) {
  const Turn turn = Next();
  SCM_RETURN_IF_ERROR(turn.result);
  SCM_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Existing(path, false));
  const size_t from = std::min(static_cast<size_t>(offset), node->content.size());
  return node->content.substr(from, static_cast<size_t>(limit));
}

absl::StatusOr<int64_t> CrashFilesystem::FileSize(const std::string& path) {
  const Turn turn = Next();
  SCM_RETURN_IF_ERROR(turn.result);
  SCM_ASSIGN_OR_RETURN(const std::shared_ptr<Node> node, Existing(path, false));
  return static_cast<int64_t>(node->content.size());
}

absl::StatusOr<int64_t> CrashFilesystem::FreeBytes(const std::string&) {
  const Turn turn = Next();
  SCM_RETURN_IF_ERROR(turn.result);
  return free_bytes_;
}

absl::StatusOr<int64_t> CrashFilesystem::DiskBytes(const std::string&) {
  const Turn turn = Next();
  SCM_RETURN_IF_ERROR(turn.result);
  return disk_bytes_;
}

void CrashFilesystem::Settle(Node& node, Loss loss, Philox& rng) {
  if (loss != Loss::kNothing) {
    std::set<std::string> differing;
    for (const auto& [name, child] : node.names) differing.insert(name);
    for (const auto& [name, child] : node.durable_names) differing.insert(name);
    for (const std::string& name : differing) {
      if (loss == Loss::kRandom && rng.Below(2) == 0) continue;  // reached the disk in time
      const auto durable = node.durable_names.find(name);
      if (durable == node.durable_names.end()) {
        node.names.erase(name);
      } else {
        node.names[name] = durable->second;
      }
    }
    if (node.content != node.durable_content) {
      const size_t part = loss == Loss::kRandom ? rng.Below(node.content.size() + 1) : 0;
      node.content = part > 0 ? node.content.substr(0, part) : node.durable_content;
    }
    // After a start the disk is what there is; a mere process death leaves pending what was.
    node.durable_content = node.content;
    node.durable_names = node.names;
    node.pending_content = false;
    node.pending_names.clear();
  }
  for (const auto& [name, child] : node.names) Settle(*child, loss, rng);
}

void CrashFilesystem::Restart(Loss loss, Philox& rng) {
  crashed_ = false;
  FailCall(0, Fault::kNone);
  Settle(*root_, loss, rng);
}

void CrashFilesystem::Corrupt(const std::string& path) {
  const auto node = Existing(path, false);
  if (!node.ok() || (*node)->content.empty()) return;
  std::string& content = (*node)->content;
  content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 1);
  (*node)->durable_content = content;
}

}  // namespace scm::fake
