# The compute core. The CPU kernels are compiled once per instruction set into objects of their own;
# which of them runs is decided at start-up (trainer/cpu/dispatch.cc).
set(cpu_objects)
function(scm_cpu_kernels isa)
  add_library(scm_cpu_${isa} OBJECT ${CMAKE_SOURCE_DIR}/trainer/cpu/functions.cc)
  target_include_directories(scm_cpu_${isa} PRIVATE ${CMAKE_SOURCE_DIR})
  # O3 whatever the build type: without it the register tile lives in memory.
  target_compile_options(scm_cpu_${isa} PRIVATE ${SCM_WARNINGS} -O3 -ffp-contract=fast
                         -fno-math-errno -fopenmp -Wno-psabi ${ARGN})
  target_compile_definitions(scm_cpu_${isa} PRIVATE SCM_ISA=${isa})
  list(APPEND cpu_objects $<TARGET_OBJECTS:scm_cpu_${isa}>)
  set(cpu_objects ${cpu_objects} PARENT_SCOPE)
endfunction()
scm_cpu_kernels(baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  scm_cpu_kernels(avx2 -march=x86-64-v3)
  scm_cpu_kernels(avx512 -march=x86-64-v4 -mprefer-vector-width=512)
endif()

# One OpenMP runtime in the process: torch's own, whatever name the wheel gives it.
file(GLOB torch_openmp ${SCM_TORCH_DIR}/lib/libgomp*.so* ${SCM_TORCH_DIR}/../torch.libs/libgomp*.so*)
list(GET torch_openmp 0 torch_openmp)

scm_library(scm_model
  SRCS aten_kernels.cc cpu_kernels.cc dropout.cc llama_backward.cc llama_forward.cc llama_model.cc rotary.cc
       token_plan.cc weights.cc cpu/dispatch.cc ${cpu_objects}
  PUBLIC_DEPS scm_model_files scm_common scm_torch ${torch_openmp})
