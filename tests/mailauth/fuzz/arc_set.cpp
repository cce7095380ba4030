#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "mailauth/arc/chain.hpp"

// A header block as a chain: a chain without a problem has all its sets, and instances stay within their bounds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace briefwerk;
  static const auto provider = crypto::make_boringssl();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  mailauth::message_hasher message(*provider);
  message.feed(text);
  message.finish();
  const auto& state = mailauth::message_access::of(message);
  const auto chain = mailauth::read_chain(state);
  if (chain.highest > base::limits::arc_sets || chain.sets.size() > chain.highest) std::abort();
  if (chain.present && chain.problem.empty() && chain.sets.size() != chain.highest) std::abort();
  if (chain.present && chain.problem.empty() && chain.sets.empty()) std::abort();
  std::string data_signed;
  for (const auto& set : chain.sets) mailauth::append_sealed(data_signed, state, set);
  std::string_view rest;
  if (mailauth::parse_results_instance(text, rest) > base::limits::arc_sets) std::abort();
  const auto seal = mailauth::parse_seal(text);
  if (seal && (seal->field.instance == 0 || seal->field.end > size || seal->field.begin > seal->field.end))
    std::abort();
  return 0;
}
