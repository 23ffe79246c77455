// The table of one instruction set. Compiled once per set with its own flags and SCM_ISA.
#include "trainer/compute/cpu/functions.h"

#include "trainer/compute/cpu/attention_backward.h"
#include "trainer/compute/cpu/elementwise.h"
#include "trainer/compute/cpu/gemm.h"
#include "trainer/compute/cpu/outer.h"

#define SCM_STRING_INNER(x) #x
#define SCM_STRING(x) SCM_STRING_INNER(x)

namespace scm::trainer {
namespace SCM_ISA {

const CpuFunctions* Table() {
  static constexpr CpuFunctions kTable = {SCM_STRING(SCM_ISA),
                                          Gemm,
                                          kPairs,
                                          PackedFloats,
                                          PackMatrix,
                                          UnpackRows,
                                          Outer,
                                          RmsNorm,
                                          RmsNormBackward,
                                          Rope,
                                          Attention,
                                          AttentionBackward,
                                          SwiGlu,
                                          SwiGluBackward,
                                          CrossEntropy,
                                          LogSumExp};
  return &kTable;
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
