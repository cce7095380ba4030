#pragma once

// Casemapped text cut into runs of characters that terms are made of. Which class a character has depends on nothing
// else, so a text that holds another holds its runs: all but the first and the last one whole.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace briefwerk::search {

enum class char_class : std::uint8_t {
  separator,  // everything else
  plain,      // letters, marks and digits of scripts that put spaces between words
  dense,      // characters of scripts that do not
};

struct run {
  std::string_view text;
  char_class kind = char_class::plain;
  std::uint32_t characters = 0;
  bool has_letter = false, has_digit = false;
  bool at_start = false, at_end = false;  // of the whole text

  // Kept as groups of three. What holds a code is a code itself.
  bool is_code() const noexcept;
};

// Walks a text, which must be valid UTF-8.
class run_reader {
 public:
  explicit run_reader(std::string_view text) noexcept : text_(text) {}
  bool next(run& out);

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// Changes when texts may be cut in another way than before: an index of another version is built anew.
std::string text_version();

// Calls `f` with each group of `size` neighbouring characters of a run.
template <class F>
void for_each_group(std::string_view text, unsigned size, F&& f) {
  const auto after = [text](std::size_t i) {
    do ++i;
    while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0u) == 0x80u);
    return i;
  };
  std::size_t first = 0, last = 0;
  for (unsigned i = 0; i < size; ++i) {
    if (last == text.size()) return;
    last = after(last);
  }
  for (;; first = after(first), last = after(last)) {
    f(text.substr(first, last - first));
    if (last == text.size()) return;
  }
}

}  // namespace briefwerk::search
