#include "trainer/compute/cuda/graph_runner.h"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// From torch 2.13 on.
#if __has_include(<ATen/accelerator/Graph.h>)
#include <ATen/accelerator/Graph.h>
#define SCM_HAS_GRAPHS 1
#endif

namespace scm::trainer {
namespace {

bool SwitchedOff() {
  const char* const text = std::getenv("SCM_CUDA_GRAPHS");
  return text != nullptr && absl::string_view(text) == "off";
}

#ifdef SCM_HAS_GRAPHS

// Passes of a kind before it is recorded: by then memory has grown, and libraries have chosen.
constexpr int kPassesBefore = 2;
// Kinds that are recorded; what comes beyond runs as it is.
constexpr size_t kMostGraphs = 24;

class GraphRunner : public PassRunner {
 public:
  explicit GraphRunner(const c10::Device& device)
      : guard_(device.type()), device_(device.has_index() ? device : guard_.getDevice()) {}

  absl::Status Run(const std::string& key, const std::function<void()>& pass) override {
    if (!on_) {
      pass();
      return absl::OkStatus();
    }
    const auto found = graphs_.find(key);
    if (found != graphs_.end()) {
      found->second->replay();
      return absl::OkStatus();
    }
    if (graphs_.size() >= kMostGraphs || ++passes_[key] <= kPassesBefore || !Record(key, pass)) {
      pass();
    } else {
      graphs_.at(key)->replay();
    }
    return absl::OkStatus();
  }

  void Forget() override {
    graphs_.clear();
    passes_.clear();
    pool_.reset();
  }

 private:
  // Recording runs nothing. False where it fails: a line says so, and nothing is recorded again.
  bool Record(const std::string& key, const std::function<void()>& pass) {
    const c10::Stream usual = guard_.getStream(device_);
    const c10::Stream aside = guard_.getStreamFromGlobalPool(device_, false);
    Await(usual, aside);
    guard_.exchangeStream(aside);
    auto graph = std::make_unique<at::accelerator::Graph>();
    bool begun = false;
    std::string problem;
    try {
      graph->capture_begin(pool_.value_or(at::MempoolId_t{0, 0}),
                           at::GraphCaptureMode::ThreadLocal);
      begun = true;
      pass();
      begun = false;
      graph->capture_end();
    } catch (const c10::Error& error) {
      problem = error.what_without_backtrace();
    }
    if (begun) EndBroken(graph.get());
    guard_.exchangeStream(usual);
    Await(aside, usual);
    if (problem.empty()) {
      if (!pool_) pool_ = graph->pool();
      graphs_[key] = std::move(graph);
      return true;
    }
    std::fprintf(stderr, "training goes on without CUDA graphs, a little slower: %s\n",
                 problem.c_str());
    on_ = false;
    Forget();
    return false;
  }

  // What a failed pass leaves open.
  static void EndBroken(at::accelerator::Graph* graph) {
    try {
      graph->capture_end();
    } catch (const c10::Error&) {
      // It says once more what is known.
    }
  }

  void Await(const c10::Stream& first, const c10::Stream& then) const {
    c10::Event event(device_.type());
    event.record(first);
    event.block(then);
  }

  const c10::impl::VirtualGuardImpl guard_;
  const c10::Device device_;
  bool on_ = true;
  std::map<std::string, std::unique_ptr<at::accelerator::Graph>> graphs_;
  std::map<std::string, int> passes_;
  std::optional<at::MempoolId_t> pool_;  // all graphs take turns in one
};

#endif

}  // namespace

std::unique_ptr<PassRunner> MakeGraphRunner([[maybe_unused]] const c10::Device& device) {
  if (SwitchedOff()) return nullptr;
#ifdef SCM_HAS_GRAPHS
  if (!at::has_graph_impl(device.type())) return nullptr;
  return std::make_unique<GraphRunner>(device);
#else
  return nullptr;
#endif
}

}  // namespace scm::trainer
