#pragma once

// The terms of the index, and those of one message.
//   FwWORD   a word in field F            FgGROUP  a group of a code, or of a script without spaces
//   Fj       F holds a code               Fx       not all of F is in the index
//   NNAME    the header has a field of that name, in capitals
// F is the letter of term_field.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "briefwerk/mail/envelope_text.hpp"
#include "briefwerk/search/index.hpp"
#include "search/runs.hpp"

namespace briefwerk::search {

enum class term_field : char {
  from = 'F', to = 'T', cc = 'C', bcc = 'K', subject = 'S', message_id = 'I', header = 'H', body = 'B',
};
enum class term_kind : char { word = 'w', group = 'g', has_code = 'j', incomplete = 'x' };

struct envelope_terms {
  term_field as;
  mail::envelope_field of;
};
inline constexpr std::array<envelope_terms, 6> fields_of_envelope{{
    {term_field::from, mail::envelope_field::from}, {term_field::to, mail::envelope_field::to},
    {term_field::cc, mail::envelope_field::cc}, {term_field::bcc, mail::envelope_field::bcc},
    {term_field::subject, mail::envelope_field::subject}, {term_field::message_id, mail::envelope_field::message_id},
}};

inline std::string make_term(term_field field, term_kind kind, std::string_view text = {}) {
  std::string term{static_cast<char>(field), static_cast<char>(kind)};
  return term.append(text);
}
// Empty where the name is longer than limits::search_field_name.
std::string make_name_term(std::string_view field_name);

// Characters in a group of a run.
inline unsigned group_size(const run& of) noexcept { return of.kind == char_class::plain ? 3 : 2; }

class message_terms {
 public:
  explicit message_terms(const message_text& message);
  const std::unordered_set<std::string>& all() const noexcept { return terms_; }

 private:
  void add_text(term_field field, std::string_view text);
  void add_run(term_field field, const run& one);
  void add(term_field field, term_kind kind, std::string_view text = {});

  std::unordered_set<std::string> terms_;
  std::size_t in_field_ = 0;
  bool full_ = false;
};

}  // namespace briefwerk::search
