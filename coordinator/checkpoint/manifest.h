// manifest.json of a blob, and the checks on everything in it that becomes a path. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/checkpoint/checkpoint_store.h"

namespace scm::checkpoint {

inline constexpr char kManifestName[] = "manifest.json";
inline constexpr int64_t kMaxManifestBytes = int64_t{4} << 20;
inline constexpr size_t kMaxManifestFiles = 4096;
inline constexpr size_t kMaxPathDepth = 8;

// A server-made id: letter, dash, number, slash, one path component ("r-3/100", "k-9/report").
absl::Status CheckBlobId(absl::string_view id);

// INVALID_ARGUMENT names the field and the file: a bad id; a path that is absolute, empty, leaves
// the blob, holds other characters than A-Z a-z 0-9 . _ - or a component over 64; a path that is
// there twice, is the directory of another, or is manifest.json; a digest that is none; sizes below
// zero or beyond int64 in total.
absl::Status CheckManifest(const Manifest& manifest);

// Bytes of all files.
int64_t TotalBytes(const Manifest& manifest);

// Whether both describe the same content, whoever wrote it: id, step, paths, sizes and SHA-256.
bool SameContent(const Manifest& a, const Manifest& b);

// Round trip: ManifestFromJson(ManifestToJson(m)) equals m, for every m that CheckManifest accepts.
std::string ManifestToJson(const Manifest& manifest);
// DATA_LOSS: not a manifest, or one that CheckManifest refuses. `what` names it in the message.
absl::StatusOr<Manifest> ManifestFromJson(absl::string_view text, absl::string_view what);

}  // namespace scm::checkpoint
