// Tokens of any message.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "briefwerk/base/limits/filter.hpp"
#include "briefwerk/filter/tokens.hpp"

using namespace briefwerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto found = filter::tokens_of(input, {1, 2});
  if (found.size() > base::limits::spam_tokens) std::abort();
  if (std::ranges::adjacent_find(found, std::greater_equal()) != found.end()) std::abort();
  if (filter::identity_of(input, {1, 2}) != filter::identity_of(input, {1, 2})) std::abort();
  return 0;
}
