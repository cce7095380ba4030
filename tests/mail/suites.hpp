#pragma once

// Reading of conformance data, and of inputs in exactly sized heap blocks, so that a sanitizer sees one octet too many.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/folders.hpp"

namespace briefwerk::test {

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// All files below the folder of a suite with that ending, sorted; says so and returns none when it is absent.
inline std::vector<std::filesystem::path> suite_files(std::string_view suite, std::string_view ending) {
  const auto folder = suites_folder() / suite;
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::is_directory(folder)) {
    MESSAGE("suite absent, not tested: ", folder.string());
    return files;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().string().ends_with(ending)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

// Calls f(view) with a copy of the text that ends where its block ends.
template <class F>
void with_exact_block(std::string_view text, F&& f) {
  auto block = std::make_unique<char[]>(text.size());
  std::memcpy(block.get(), text.data(), text.size());
  f(std::string_view(block.get(), text.size()));
}

// Whole, and cut at every octet.
template <class F>
void with_every_cut(std::string_view text, F&& f) {
  for (std::size_t size = 0; size <= text.size(); ++size) with_exact_block(text.substr(0, size), f);
}

inline std::string with_crlf(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) out += '\r';
    out += text[i];
  }
  return out;
}

}  // namespace briefwerk::test
