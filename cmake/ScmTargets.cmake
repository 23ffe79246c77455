# scm_library(NAME SRCS... DEPS...), scm_binary(NAME SRCS... DEPS...), scm_test(NAME SRCS... DEPS...):
# the only ways in which this project makes targets, so that warnings, include paths and the
# PRIVATE-by-default rule are decided in one place.
set(SCM_WARNINGS -Wall -Wextra -Wno-unused-parameter -Werror=return-type -Werror=switch)

# Tests are compiled without optimisation, which takes a third off their build; what they test is not.
set(SCM_TEST_OPTIONS ${SCM_WARNINGS} -O0)

# Several files of a target are compiled as one: the headers they share are parsed once, which halves a
# clean build. -DSCM_UNITY=OFF compiles each file alone, as is handier while one is being changed.
option(SCM_UNITY "Compile the files of a target together" ON)
function(scm_unity name)
  if(SCM_UNITY)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE BATCH
                          UNITY_BUILD_BATCH_SIZE 16)
  endif()
endfunction()

function(scm_library name)
  cmake_parse_arguments(A "" "" "SRCS;DEPS;PUBLIC_DEPS" ${ARGN})
  add_library(${name} STATIC ${A_SRCS})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${SCM_WARNINGS})
  target_link_libraries(${name} PUBLIC ${A_PUBLIC_DEPS} PRIVATE ${A_DEPS})
  target_precompile_headers(${name} REUSE_FROM scm_pch)
  scm_unity(${name})
endfunction()

function(scm_binary name)
  cmake_parse_arguments(A "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${A_SRCS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${SCM_WARNINGS})
  target_link_libraries(${name} PRIVATE ${A_DEPS})
  target_precompile_headers(${name} REUSE_FROM scm_pch)
  scm_unity(${name})
endfunction()

# A GoogleTest binary. LABELS and TIMEOUT apply to every case of it.
function(scm_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT SCM_BUILD_TESTS)
    return()
  endif()
  add_executable(${name} ${A_SRCS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${SCM_TEST_OPTIONS})
  target_compile_definitions(${name} PRIVATE SCM_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                             SCM_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  target_link_libraries(${name} PRIVATE ${A_DEPS} GTest::gmock GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM scm_test_pch)
  scm_unity(${name})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 900)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}")
endfunction()
