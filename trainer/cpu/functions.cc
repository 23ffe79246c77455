// The table of one instruction set. Compiled once per set with its own flags and SCM_ISA.
#include "trainer/cpu/functions.h"

#include "trainer/cpu/attention_backward.h"
#include "trainer/cpu/elementwise.h"
#include "trainer/cpu/gemm.h"
#include "trainer/cpu/outer.h"

#define SCM_STRING_INNER(x) #x
#define SCM_STRING(x) SCM_STRING_INNER(x)

namespace scm::trainer {
namespace SCM_ISA {

const CpuFunctions* Table() {
  static constexpr CpuFunctions kTable = {SCM_STRING(SCM_ISA),
                                          Gemm,
                                          PackedFloats,
                                          PackMatrix,
                                          TransposePacked,
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
