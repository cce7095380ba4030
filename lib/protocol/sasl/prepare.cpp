#include "briefwerk/protocol/sasl/prepare.hpp"

#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/protocol/sasl/error.hpp"

namespace briefwerk::protocol::sasl {
namespace {

struct close_profile {
  void operator()(UStringPrepProfile* profile) const { usprep_close(profile); }
};

using utf16 = std::vector<UChar>;

base::result<utf16> widen(std::string_view utf8) {
  utf16 out(utf8.size());  // UTF-16 never has more units than UTF-8 has octets
  std::int32_t length = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strFromUTF8(out.data(), static_cast<std::int32_t>(out.size()), &length, utf8.data(),
                static_cast<std::int32_t>(utf8.size()), &status);
  if (U_FAILURE(status)) return base::fail(errc::prohibited_character);
  out.resize(static_cast<std::size_t>(length));
  return out;
}

std::string narrow(const utf16& text) {
  std::string out(text.size() * 3, '\0');
  std::int32_t length = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &length, text.data(),
              static_cast<std::int32_t>(text.size()), &status);
  out.resize(U_FAILURE(status) ? 0 : static_cast<std::size_t>(length));
  return out;
}

base::result<utf16> apply_profile(const utf16& in) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UStringPrepProfile, close_profile> profile(usprep_openByType(USPREP_RFC4013_SASLPREP, &status));
  if (U_FAILURE(status)) return base::fail(base::errc::unsupported);
  // NFKC makes at most eighteen units of one (U+FDFA).
  utf16 out(in.size() * 18 + 1);
  const std::int32_t length =
      usprep_prepare(profile.get(), in.data(), static_cast<std::int32_t>(in.size()), out.data(),
                     static_cast<std::int32_t>(out.size()), USPREP_ALLOW_UNASSIGNED, nullptr, &status);
  if (U_FAILURE(status)) return base::fail(errc::prohibited_character);
  out.resize(static_cast<std::size_t>(length));
  return out;
}

}  // namespace

base::result<std::string> saslprep(std::string_view utf8) {
  if (utf8.empty()) return base::fail(errc::empty_after_preparation);
  if (utf8.size() > base::limits::sasl_message) return base::fail(base::errc::limit_exceeded);
  if (std::ranges::all_of(utf8, [](char c) { return c >= ' ' && c <= '~'; })) return std::string(utf8);
  const auto wide = widen(utf8);
  if (!wide) return base::fail(wide.error());
  const auto prepared = apply_profile(*wide);
  if (!prepared) return base::fail(prepared.error());
  if (prepared->empty()) return base::fail(errc::empty_after_preparation);
  return narrow(*prepared);
}

}  // namespace briefwerk::protocol::sasl
