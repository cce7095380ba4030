#pragma once

// Header canonicalization (RFC 6376 §3.4.1, §3.4.2), and the choice of the fields that a signature covers.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/mail/header.hpp"
#include "briefwerk/mailauth/message_hasher.hpp"

namespace briefwerk::mailauth {

// Appends "name:value" CRLF in canonical form. `whole` is the field as it stands, with or without its final line end.
void append_canonical_field(std::string& out, canonicalization how, std::string_view whole);

// The same for a signature's own field: the octets [begin, end) of the value, those of b=, are left out, and there is
// no final CRLF (§3.7).
void append_canonical_signature(std::string& out, canonicalization how, std::string_view whole, std::size_t begin,
                                std::size_t end);

// The value behind the colon, without the final line end; not cut, as header_field::value may be.
std::string_view value_of(std::string_view whole) noexcept;

// A number for a field's name, the same for every case.
std::uint32_t name_hash(std::string_view name) noexcept;

// Chooses fields as h= says: each name takes the lowest field of that name that is not taken yet (§5.4.2).
class field_chooser {
 public:
  field_chooser(std::span<const mail::header_field> fields, std::span<const std::uint32_t> hashes)
      : fields_(fields), hashes_(hashes), taken_(fields.size()) {}

  // A signature's own field is never chosen: it was not there when the others were.
  void leave_out(std::size_t field) { taken_[field] = true; }

  // nullptr when there is none (more), which is signed too: as nothing.
  const mail::header_field* next(std::string_view name) noexcept;
  bool all_taken(std::string_view name) const noexcept;

 private:
  std::span<const mail::header_field> fields_;
  std::span<const std::uint32_t> hashes_;
  std::vector<bool> taken_;
};

}  // namespace briefwerk::mailauth
