// Counts and times of served calls, under the names that gRPC's ecosystem uses. Thread-safe.
#pragma once

#include <grpcpp/support/status.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace scm::rpc {

class RpcMetrics {
 public:
  // Upper bounds of the latency histogram, seconds.
  static constexpr std::array<double, 9> kBuckets = {0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600};
  struct Histogram {
    std::array<uint64_t, kBuckets.size()> counts{};  // not cumulative
    uint64_t total = 0;
    double sum = 0;
  };
  struct Values {
    // (service, method, code name) and (service, method).
    std::map<std::array<std::string, 3>, uint64_t> handled;
    std::map<std::array<std::string, 2>, Histogram> handling;
  };

  void Observe(const std::string& service, const std::string& method, grpc::StatusCode code,
               double seconds);
  Values Read() const;

 private:
  mutable std::mutex mutex_;
  Values values_;
};

// Measures one call: `return call.End(status);`.
class MeasuredCall {
 public:
  MeasuredCall(RpcMetrics* metrics, const char* service, const char* method)
      : metrics_(metrics),
        service_(service),
        method_(method),
        start_(std::chrono::steady_clock::now()) {}
  grpc::Status End(grpc::Status status) const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    metrics_->Observe(service_, method_, status.error_code(), elapsed.count());
    return status;
  }

 private:
  RpcMetrics* metrics_;
  const char* service_;
  const char* method_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace scm::rpc
