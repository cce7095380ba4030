#include "search/terms.hpp"

#include "briefwerk/base/limits/search.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/searched_text.hpp"
#include "briefwerk/mail/summary.hpp"

namespace briefwerk::search {

std::string make_name_term(std::string_view field_name) {
  if (field_name.size() > base::limits::search_field_name) return {};
  std::string term = "N";
  for (const char c : field_name) term += static_cast<char>(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
  return term;
}

message_terms::message_terms(const message_text& message) {
  if (const auto summary = mail::view_summary(message.summary)) {
    for (const auto& [as, of] : fields_of_envelope) {
      in_field_ = 0;
      if (const auto text = mail::envelope_text(summary->envelope, of)) add_text(as, *text);
    }
  }
  if (message.octets.empty()) {
    add(term_field::header, term_kind::incomplete);
    add(term_field::body, term_kind::incomplete);
    return;
  }
  mail::header_reader header(message.octets);
  for (mail::header_field one; header.next(one);) {
    if (auto name = make_name_term(one.name); !name.empty()) terms_.insert(std::move(name));
  }
  const auto visit = [this](term_field field) {
    in_field_ = 0;
    full_ = false;
    return [this, field](std::string_view text) {
      add_text(field, text);
      return full_;
    };
  };
  const mail::mime_tree tree(message.octets);
  const auto in_header = visit(term_field::header);
  if (!mail::visit_header_text(message.octets, in_header)) mail::visit_part_headers(tree, in_header);
  mail::visit_body_text(tree, visit(term_field::body));
}

void message_terms::add_text(term_field field, std::string_view text) {
  const std::string mapped = mail::casemap(text);
  run_reader reader(mapped);
  for (run one; reader.next(one) && in_field_ < base::limits::search_terms;) add_run(field, one);
  if (in_field_ < base::limits::search_terms) return;
  full_ = true;
  add(field, term_kind::incomplete);
}

void message_terms::add_run(term_field field, const run& one) {
  const bool is_code = one.kind == char_class::plain && one.is_code();
  if (one.kind == char_class::plain && !is_code) {
    add(field, term_kind::word, one.text);
    return;
  }
  if (is_code) add(field, term_kind::has_code);
  const auto add_group = [this, field](std::string_view group) {
    if (in_field_ < base::limits::search_terms) add(field, term_kind::group, group);
  };
  if (one.kind == char_class::dense) for_each_group(one.text, 1, add_group);
  for_each_group(one.text, group_size(one), add_group);
}

void message_terms::add(term_field field, term_kind kind, std::string_view text) {
  if (terms_.insert(make_term(field, kind, text)).second) ++in_field_;
}

}  // namespace briefwerk::search
