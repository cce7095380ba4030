#pragma once

// Where tests find what they read. Compiled once: a path in the command line of each test source would let no compiler
// cache serve another folder.

#include <filesystem>
#include <string_view>

namespace briefwerk::test {

// The conformance suites by others. It may be absent: tests say so and check nothing.
std::filesystem::path suites_folder();

// What the tests of a room read: tests/ROOM/data.
std::filesystem::path data_folder(std::string_view room);

}  // namespace briefwerk::test
