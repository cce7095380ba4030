// Runs a fuzz target over the files of the folders given: the corpus as an ordinary test.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string content{std::istreambuf_iterator<char>(file), {}};
      // A block of exactly the input's size: a sanitizer sees one octet too many.
      auto block = std::make_unique<std::uint8_t[]>(content.size());
      std::memcpy(block.get(), content.data(), content.size());
      LLVMFuzzerTestOneInput(block.get(), content.size());
      ++count;
    }
  }
  std::printf("%zu inputs replayed\n", count);
  return count == 0 ? 1 : 0;
}
