// Any octets as a message: its terms are bounded and well formed; and as a record of the index.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/base/limits/search.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/summary.hpp"
#include "search/mailbox_record.hpp"
#include "search/terms.hpp"

using namespace briefwerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string summary = mail::encode_summary(mail::summarise(input));
  const search::message_terms terms({.entry = nullptr, .summary = summary, .octets = input});
  for (const auto& term : terms.all()) {
    if (term.size() > base::limits::search_field_name + 1 || term.find('\n') != term.npos) std::abort();
  }
  const std::string mapped = mail::casemap(input);
  search::run_reader reader(mapped);
  std::size_t last = 0;
  for (search::run one; reader.next(one);) {
    const auto at = static_cast<std::size_t>(one.text.data() - mapped.data());
    if (at < last || one.text.empty()) std::abort();
    last = at + one.text.size();
    search::for_each_group(one.text, 3, [&](std::string_view group) {
      if (group.empty() || group.size() > 12) std::abort();
    });
  }
  if (const auto record = search::decode_record(input); record && search::decode_record(search::encode(*record)) == std::nullopt) std::abort();
  return 0;
}
