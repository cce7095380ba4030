#include "filter/spam_tests.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "briefwerk/filter/spam_stage.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/date.hpp"
#include "filter/names.hpp"

namespace briefwerk::filter {
namespace {

using mailauth::outcome;

constexpr std::size_t many_hosts = 20;
constexpr std::size_t little_text = 200;  // octets, as they are encoded

bool lacks(const looked_at& m, std::string_view field) { return m.header.count(field) == 0; }

bool has_part(const looked_at& m, std::string_view type, std::string_view subtype = {}) {
  return std::ranges::any_of(m.tree.parts(), [&](const auto& part) { return m.tree.is(part, type, subtype); });
}

// A multipart that has no boundary or no parts, or parts past what anybody needs.
bool is_broken(const looked_at& m, const mail::mime_part& part) {
  if (part.opaque || part.kind == mail::part_kind::multipart) return part.opaque;
  return mail::parse_content_type(m.tree.view(part.content_type)).value.starts_with("multipart/");
}

bool has_broken_parts(const looked_at& m) {
  return std::ranges::any_of(m.tree.parts(), [&](const auto& part) { return is_broken(m, part); });
}

bool is_image_only(const looked_at& m) {
  std::size_t text = 0;
  for (const mail::mime_part& part : m.tree.parts()) {
    if (m.tree.is(part, "text") && part.kind == mail::part_kind::leaf) text += part.body.length;
  }
  return has_part(m, "image") && text < little_text;
}

bool is_loud(const looked_at& m) {
  const std::string subject = mail::decode_text(m.header.value("Subject"));
  const auto letters = std::ranges::count_if(subject, [](char c) { return c >= 'A' && c <= 'Z'; });
  return letters >= 8 && std::ranges::none_of(subject, [](char c) {
           return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
         });
}

// Positive: it was written later than now.
std::chrono::seconds ahead(const looked_at& m) {
  const auto date = mail::parse_date(m.header.value("Date"));
  return date ? date->instant - m.now : std::chrono::seconds(0);
}

mail::list_address first_address(const looked_at& m, std::string_view field) {
  for (mail::list_address& one : mail::parse_address_list(m.header.value(field))) {
    if (one.kind == mail::list_address::kind_type::mailbox) return std::move(one);
  }
  return {};
}

bool are_related(std::string_view a, std::string_view b) { return is_under(a, b) || is_under(b, a); }

// "From: service@bank.example <x@elsewhere.example>": many readers show the name alone.
bool names_another_address(const looked_at& m) {
  const mail::list_address from = first_address(m, "From");
  const std::string name = lower(mail::decode_text(from.name));
  const std::size_t at = name.find('@');
  if (at == name.npos || from.domain.empty()) return false;
  const std::string_view rest = std::string_view(name).substr(at + 1);
  const std::string_view domain = rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-"));
  return domain.find('.') != domain.npos && !are_related(domain, lower(from.domain));
}

bool wants_answers_elsewhere(const looked_at& m) {
  const std::string from = lower(first_address(m, "From").domain), answers = lower(first_address(m, "Reply-To").domain);
  return !from.empty() && !answers.empty() && !are_related(from, answers);
}

bool greets_without_name(const looked_at& m) {
  const std::string& hello = m.session.hello;
  return !hello.empty() && (hello.front() == '[' || hello.find('.') == hello.npos);
}

struct row {
  spam_test what;
  spam_test_function is_hit;
};
using enum outcome;

constexpr row rows[] = {
    {{"no_date", "no Date field"}, [](const looked_at& m) { return lacks(m, "Date"); }},
    {{"no_message_id", "no Message-ID field"}, [](const looked_at& m) { return lacks(m, "Message-ID"); }},
    {{"no_subject", "no Subject field"}, [](const looked_at& m) { return lacks(m, "Subject"); }},
    {{"no_from", "no From field"}, [](const looked_at& m) { return lacks(m, "From"); }},
    {{"no_to", "neither To nor Cc"}, [](const looked_at& m) { return lacks(m, "To") && lacks(m, "Cc"); }},
    {{"several_from", "more than one From field"}, [](const looked_at& m) { return m.header.count("From") > 1; }},
    {{"date_ahead", "written more than a day in the future"},
     [](const looked_at& m) { return ahead(m) > std::chrono::days(1); }},
    {{"date_past", "written more than a month ago"},
     [](const looked_at& m) { return ahead(m) < -std::chrono::days(31); }},
    {{"from_other_address", "the name in From is an address of another domain"}, names_another_address},
    {{"reply_to_elsewhere", "answers go to another domain than that of From"}, wants_answers_elsewhere},
    {{"loud_subject", "no lower-case letter in the subject"}, is_loud},
    {{"html_only", "HTML without the same as plain text"},
     [](const looked_at& m) { return has_part(m, "text", "html") && !has_part(m, "text", "plain"); }},
    {{"image_only", "a picture, and next to no text"}, is_image_only},
    {{"broken_mime", "parts that cannot be told apart"}, has_broken_parts},
    {{"many_links", "links to 20 hosts or more"}, [](const looked_at& m) { return m.hosts.size() >= many_hosts; }},
    {{"helo_no_name", "the client greets with an address or a name without a dot"}, greets_without_name},
    {{"client_no_name", "the client's address has no name that leads back to it"},
     [](const looked_at& m) { return m.checked && m.auth.client_name.empty(); }},
    {{"spf_pass", "SPF allows the client"}, [](const looked_at& m) { return m.auth.spf == pass; }},
    {{"spf_softfail", "SPF doubts the client"}, [](const looked_at& m) { return m.auth.spf == softfail; }},
    {{"spf_fail", "SPF forbids the client"}, [](const looked_at& m) { return m.auth.spf == fail; }},
    {{"dkim_pass", "a DKIM signature is right"}, [](const looked_at& m) { return !m.auth.dkim_domains.empty(); }},
    {{"dmarc_pass", "DMARC passes"}, [](const looked_at& m) { return m.auth.dmarc == pass; }},
    {{"dmarc_fail", "DMARC fails"}, [](const looked_at& m) { return m.auth.dmarc == fail; }},
    {{"unauthenticated", "neither SPF nor DKIM passes"},
     [](const looked_at& m) { return m.checked && m.auth.spf != pass && m.auth.dkim_domains.empty(); }},
};

}  // namespace

std::span<const spam_test> spam_tests() noexcept {
  static constexpr auto all = [] {
    std::array<spam_test, std::size(rows)> out;
    std::ranges::transform(rows, out.begin(), &row::what);
    return out;
  }();
  return all;
}

spam_test_function find_spam_test(std::string_view name) noexcept {
  const auto found = std::ranges::find(rows, name, [](const row& one) { return one.what.name; });
  return found == std::end(rows) ? nullptr : found->is_hit;
}

bool needs_links(std::string_view test) noexcept { return test == "many_links"; }

}  // namespace briefwerk::filter
