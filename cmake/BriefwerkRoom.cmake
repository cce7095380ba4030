# briefwerk_room(NAME [PUBLIC target...] [PRIVATE target...]): the library target of a room. Sources are all of
# lib/NAME/*.cpp, public headers all of include/briefwerk/NAME/*.hpp and NAME.hpp; the target is briefwerk_NAME, its exported
# name Briefwerk::NAME.

set(BRIEFWERK_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual -Wunused
    -Woverloaded-virtual -Wdouble-promotion -Wimplicit-fallthrough -Wno-missing-field-initializers)

# Parsed once for each target instead of once for each source. Only the standard library: public headers are compiled alone
# without it (all_verify_interface_header_sets), so what one of them forgets to include is still found.
set(BRIEFWERK_PRECOMPILED <algorithm> <array> <charconv> <chrono> <cstdint> <cstring> <expected> <functional> <map> <memory>
    <mutex> <optional> <span> <string> <string_view> <utility> <vector>)

function(briefwerk_compile_settings target)
  target_compile_features(${target} PUBLIC cxx_std_23)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE ${BRIEFWERK_WARNINGS} $<$<BOOL:${BRIEFWERK_WERROR}>:-Werror>)
  if(BRIEFWERK_SANITIZE)
    target_compile_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=${BRIEFWERK_SANITIZE}>
                           $<BUILD_INTERFACE:-fno-sanitize-recover=all> $<BUILD_INTERFACE:-fno-omit-frame-pointer>)
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=${BRIEFWERK_SANITIZE}>)
  endif()
  if(BRIEFWERK_FUZZ)
    target_compile_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=fuzzer-no-link>)
  endif()
endfunction()

function(briefwerk_room name)
  cmake_parse_arguments(room "" "" "PUBLIC;PRIVATE" ${ARGN})
  set(target briefwerk_${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/${name}/*.cpp)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/briefwerk/${name}/*.hpp)
  list(APPEND headers ${PROJECT_SOURCE_DIR}/include/briefwerk/${name}.hpp)  # the umbrella header
  if(sources)
    add_library(${target} STATIC ${sources})
    briefwerk_compile_settings(${target})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/lib)
    target_link_libraries(${target} PUBLIC ${room_PUBLIC} PRIVATE ${room_PRIVATE})
    target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
    target_precompile_headers(${target} PRIVATE ${BRIEFWERK_PRECOMPILED})
  else()
    add_library(${target} INTERFACE)
    target_compile_features(${target} INTERFACE cxx_std_23)
    target_link_libraries(${target} INTERFACE ${room_PUBLIC})
    target_sources(${target} INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  endif()
  add_library(Briefwerk::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
  install(TARGETS ${target} EXPORT BriefwerkTargets FILE_SET HEADERS COMPONENT ${name}
          ARCHIVE COMPONENT ${name} LIBRARY COMPONENT ${name})
endfunction()

# briefwerk_tests(ROOM [target...]): tests/ROOM/*.cpp becomes test_ROOM, one ctest entry a test source.
# tests/ROOM/fuzz/*.cpp become fuzz targets: with BRIEFWERK_FUZZ libFuzzer programs, else tests that replay
# tests/ROOM/fuzz/corpus/NAME/.
function(briefwerk_tests room)
  set(source_dir ${PROJECT_SOURCE_DIR}/tests/${room})
  file(GLOB sources CONFIGURE_DEPENDS ${source_dir}/*.cpp)
  if(sources AND NOT BRIEFWERK_FUZZ)
    set(target test_${room})
    add_executable(${target} ${sources})
    briefwerk_compile_settings(${target})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/lib)
    target_link_libraries(${target} PRIVATE ${ARGN} briefwerk_doctest_main)
    target_precompile_headers(${target} PRIVATE <doctest/doctest.h> ${BRIEFWERK_PRECOMPILED})
    if(BRIEFWERK_SANITIZE)
      # Instrumented assertions take more than twice as long to optimise as to run unoptimised; the rooms stay at the preset's level.
      target_compile_options(${target} PRIVATE -O0)
    endif()
    foreach(source IN LISTS sources)
      get_filename_component(stem ${source} NAME_WE)
      add_test(NAME ${room}.${stem} COMMAND ${target} --source-file=*/tests/${room}/${stem}.cpp --no-intro)
      set_tests_properties(${room}.${stem} PROPERTIES LABELS unit TIMEOUT 300)
    endforeach()
  endif()

  file(GLOB fuzzers CONFIGURE_DEPENDS ${source_dir}/fuzz/*.cpp)
  foreach(source IN LISTS fuzzers)
    get_filename_component(stem ${source} NAME_WE)
    set(target fuzz_${room}_${stem})
    add_executable(${target} ${source})
    briefwerk_compile_settings(${target})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/lib)
    target_link_libraries(${target} PRIVATE ${ARGN})
    if(BRIEFWERK_FUZZ)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/replay_main.cpp)
    endif()
    add_test(NAME fuzz.${room}.${stem} COMMAND ${target} ${source_dir}/fuzz/corpus/${stem})
    set_tests_properties(fuzz.${room}.${stem} PROPERTIES LABELS "unit;fuzz" TIMEOUT 300)
    set_property(GLOBAL APPEND PROPERTY BRIEFWERK_FUZZERS ${target})
  endforeach()
endfunction()

function(briefwerk_benchmarks room)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/benchmarks/${room}/*.cpp)
  if(sources)
    add_executable(bench_${room} ${sources})
    briefwerk_compile_settings(bench_${room})
    target_include_directories(bench_${room} PRIVATE ${PROJECT_SOURCE_DIR}/lib)
    target_link_libraries(bench_${room} PRIVATE benchmark::benchmark benchmark::benchmark_main ${ARGN})
  endif()
endfunction()
