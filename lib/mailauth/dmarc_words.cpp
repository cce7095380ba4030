#include "mailauth/dmarc_words.hpp"

#include <array>
#include <utility>

#include "briefwerk/mail/header.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

template <class Value>
using word = std::pair<std::string_view, Value>;

constexpr std::array<word<action>, 4> actions = {
    {{"none", action::none}, {"quarantine", action::quarantine}, {"reject", action::reject}, {"pass", action::pass}}};
constexpr std::array<word<override_type>, 7> overrides = {{{"forwarded", override_type::forwarded},
                                                           {"sampled_out", override_type::sampled_out},
                                                           {"trusted_forwarder", override_type::trusted_forwarder},
                                                           {"mailing_list", override_type::mailing_list},
                                                           {"local_policy", override_type::local_policy},
                                                           {"policy_test_mode", override_type::policy_test_mode},
                                                           {"other", override_type::other}}};
constexpr std::array<word<spf_scope>, 2> scopes = {{{"helo", spf_scope::helo}, {"mfrom", spf_scope::mail_from}}};
constexpr std::array<word<discovery>, 2> methods = {
    {{"treewalk", discovery::tree_walk}, {"psl", discovery::public_suffix}}};
constexpr std::array<word<alignment>, 4> modes = {{{"r", alignment::relaxed},
                                                   {"s", alignment::strict},
                                                   {"relaxed", alignment::relaxed},
                                                   {"strict", alignment::strict}}};
constexpr std::array<word<bool>, 4> answers = {{{"y", true}, {"n", false}, {"yes", true}, {"no", false}}};
constexpr std::array<word<outcome>, 3> older_results = {
    {{"hardfail", outcome::fail}, {"unknown", outcome::temperror}, {"error", outcome::permerror}}};

template <class Table>
auto find(const Table& table, std::string_view text) noexcept
    -> std::optional<typename Table::value_type::second_type> {
  for (const auto& [name, value] : table) {
    if (mail::equals_ignoring_case(name, text)) return value;
  }
  return std::nullopt;
}

template <class Table, class Value>
std::string_view name_of(const Table& table, Value value) noexcept {
  for (const auto& one : table) {
    if (one.second == value) return one.first;
  }
  return {};
}

}  // namespace

std::optional<action> parse_action(std::string_view text) noexcept { return find(actions, text); }
std::optional<override_type> parse_override(std::string_view text) noexcept { return find(overrides, text); }
std::optional<spf_scope> parse_scope(std::string_view text) noexcept { return find(scopes, text); }
std::optional<discovery> parse_discovery(std::string_view text) noexcept { return find(methods, text); }
std::optional<alignment> parse_alignment(std::string_view text) noexcept { return find(modes, text); }
std::optional<bool> parse_yes_no(std::string_view text) noexcept { return find(answers, text); }
std::optional<outcome> parse_result(std::string_view text) noexcept {
  if (const auto known = parse_outcome(text)) return known;
  return find(older_results, text);
}

std::string_view to_string(action what) noexcept { return name_of(actions, what); }
std::string_view to_string(override_type type) noexcept { return name_of(overrides, type); }
std::string_view to_string(spf_scope scope) noexcept { return name_of(scopes, scope); }
std::string_view to_string(discovery method) noexcept { return name_of(methods, method); }

}  // namespace briefwerk::mailauth::dmarc
