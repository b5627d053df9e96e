# DELTOID_TEST_ENVIRONMENT: what the sanitizers' run-time libraries are told in every test, NAME=VALUE each.
set(DELTOID_TEST_ENVIRONMENT)

# In all of them a refused allocation returns NULL, as malloc does, so that the code under test answers it.
if(DELTOID_SANITIZE MATCHES address)
  list(APPEND DELTOID_TEST_ENVIRONMENT
       ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1
       "LSAN_OPTIONS=print_suppressions=0:suppressions=\"${CMAKE_SOURCE_DIR}/cmake/leaks.supp\"")
endif()

if(DELTOID_SANITIZE MATCHES undefined)
  list(APPEND DELTOID_TEST_ENVIRONMENT UBSAN_OPTIONS=print_stacktrace=1)
endif()

if(DELTOID_SANITIZE MATCHES thread)
  # ThreadSanitizer learns OpenMP's barriers and locks from Archer, which comes with LLVM's libomp; without it every parallel
  # region would be a false alarm. Libraries that were built without the sanitizer are left out.
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "DELTOID_SANITIZE=thread needs clang and libomp: gcc's libgomp tells ThreadSanitizer nothing. Use --preset tsan")
  endif()
  get_filename_component(libomp_folder "${OpenMP_omp_LIBRARY}" REALPATH)
  get_filename_component(libomp_folder "${libomp_folder}" DIRECTORY)
  find_library(DELTOID_ARCHER archer HINTS "${libomp_folder}")
  if(NOT DELTOID_ARCHER)
    message(FATAL_ERROR "libarcher.so is not beside ${OpenMP_omp_LIBRARY}; install libomp-dev")
  endif()
  list(APPEND DELTOID_TEST_ENVIRONMENT OMP_TOOL_LIBRARIES=${DELTOID_ARCHER}
       TSAN_OPTIONS=ignore_noninstrumented_modules=1:allocator_may_return_null=1)
endif()
