# The headers that nearly every file includes cost more to parse than the file itself: they are
# compiled once for programs and once for tests; the files of each family must be compiled alike.
function(scm_precompiled name)
  add_library(${name} OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cc)
  target_precompile_headers(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h ${ARGN})
endfunction()

scm_precompiled(scm_pch)
target_compile_options(scm_pch PRIVATE ${SCM_WARNINGS})
if(SCM_BUILD_TESTS)
  scm_precompiled(scm_test_pch <gmock/gmock.h> <gtest/gtest.h>)
  target_compile_options(scm_test_pch PRIVATE ${SCM_TEST_OPTIONS})
  target_link_libraries(scm_test_pch PRIVATE GTest::gmock)
endif()
