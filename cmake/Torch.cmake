# An imported target over the torch wheel. find_package(Torch) of a CUDA wheel demands an installed
# CUDA toolkit although nothing here compiles CUDA code; this target does not, and serves the CPU
# and the CUDA wheel alike.
set(SCM_TORCH_PYTHON ${CMAKE_SOURCE_DIR}/.venv/bin/python CACHE FILEPATH
    "Python whose torch wheel is linked")
if(NOT SCM_TORCH_DIR)
  execute_process(
    COMMAND ${SCM_TORCH_PYTHON} -c "import os, importlib.util as u; print(os.path.dirname(u.find_spec('torch').origin))"
    OUTPUT_VARIABLE SCM_TORCH_DIR OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "No torch wheel behind ${SCM_TORCH_PYTHON}: run `make setup`, or pass "
                        "-DSCM_TORCH_PYTHON=PYTHON, or build without with -DSCM_WITH_TORCH=OFF")
  endif()
endif()
add_library(scm_torch INTERFACE)
target_include_directories(scm_torch SYSTEM INTERFACE ${SCM_TORCH_DIR}/include
                           ${SCM_TORCH_DIR}/include/torch/csrc/api/include)
# Headers include the operators they need, not all of them: a third of the time to parse.
target_compile_definitions(scm_torch INTERFACE AT_PER_OPERATOR_HEADERS)
target_link_directories(scm_torch INTERFACE ${SCM_TORCH_DIR}/lib)
set(torch_libraries torch torch_cpu c10)
if(EXISTS ${SCM_TORCH_DIR}/lib/libtorch_cuda.so)
  set(SCM_TORCH_CUDA ON)
  list(APPEND torch_libraries torch_cuda c10_cuda)
endif()
target_link_libraries(scm_torch INTERFACE -Wl,--no-as-needed ${torch_libraries} -Wl,--as-needed)
target_link_options(scm_torch INTERFACE -Wl,-rpath,${SCM_TORCH_DIR}/lib)
get_filename_component(site_packages ${SCM_TORCH_DIR} DIRECTORY)
foreach(part cu13 nccl cudnn cusparselt nvshmem)
  if(EXISTS ${site_packages}/nvidia/${part}/lib)
    target_link_options(scm_torch INTERFACE -Wl,-rpath-link,${site_packages}/nvidia/${part}/lib)
  endif()
endforeach()

# What includes headers of CUDA and NCCL (c10d's ProcessGroupNCCL, CUPTI) is compiled where the wheel's
# packages and nvidia-cuda-crt and nvidia-cuda-cccl beside them have all of these headers.
set(SCM_CUDA_INCLUDE_DIRS)
if(SCM_TORCH_CUDA)
  set(cuda ${site_packages}/nvidia/cu13/include)
  set(SCM_CUDA_INCLUDE_DIRS ${cuda} ${cuda}/cccl ${site_packages}/nvidia/nccl/include)
  foreach(header ${cuda}/cuda_runtime_api.h ${cuda}/crt/host_config.h ${cuda}/cccl/cuda/std/utility
          ${site_packages}/nvidia/nccl/include/nccl.h)
    if(NOT EXISTS ${header})
      message(STATUS "No ${header}: runs of several ranks on GPUs are left out. "
                     "pip install nvidia-cuda-crt nvidia-cuda-cccl brings it (versions: scripts/setup.sh)")
      set(SCM_CUDA_INCLUDE_DIRS)
      break()
    endif()
  endforeach()
endif()
