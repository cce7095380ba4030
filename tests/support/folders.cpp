#include "support/folders.hpp"

namespace briefwerk::test {

std::filesystem::path suites_folder() { return BRIEFWERK_SUITES; }

std::filesystem::path data_folder(std::string_view room) { return std::filesystem::path(BRIEFWERK_TESTS) / room / "data"; }

}  // namespace briefwerk::test
