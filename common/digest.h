// Content digests: SHA-256 for identity, CRC32C for cheap corruption checks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm {

// Incremental SHA-256. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Update(absl::string_view data);
  // Lower-case hexadecimal digest; the object must not be used afterwards.
  std::string Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string Sha256Hex(absl::string_view data);
// NOT_FOUND or another file error.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

// CRC32C (Castagnoli, polynomial 0x1EDC6F41), continuing from `crc` (0 at the start).
uint32_t Crc32c(absl::string_view data, uint32_t crc = 0);

}  // namespace scm
