#include "mailauth/arc/chain.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mail/ascii.hpp"
#include "mailauth/dkim/canonical_header.hpp"

namespace briefwerk::mailauth {
namespace {

using base::fail;
namespace limits = base::limits;

std::optional<chain_status> parse_status(std::string_view value) noexcept {
  if (value == "none") return chain_status::none;
  if (value == "pass") return chain_status::pass;
  if (value == "fail") return chain_status::fail;
  return std::nullopt;
}

// The fields of one instance as they are met.
struct open_set {
  std::optional<std::size_t> results, seal_index;
  std::string_view results_text;
  std::optional<seal_field> seal;
  const found_signature* message = nullptr;
};

class collector {
 public:
  explicit collector(const message_state& message) noexcept : message_(message) {}

  chain collect() && {
    const std::uint32_t results = name_hash("ARC-Authentication-Results"), seal = name_hash("ARC-Seal"),
                        signature = name_hash("ARC-Message-Signature");
    for (std::size_t i = 0; i < message_.fields.size(); ++i) {
      const std::string_view name = message_.fields[i].name;
      if (message_.hashes[i] == results && mail::equals_ignoring_case(name, "ARC-Authentication-Results"))
        add_results(i);
      else if (message_.hashes[i] == seal && mail::equals_ignoring_case(name, "ARC-Seal"))
        add_seal(i);
      else if (message_.hashes[i] == signature && mail::equals_ignoring_case(name, "ARC-Message-Signature"))
        add_message_signature(i);
    }
    if (out_.present) close();
    return std::move(out_);
  }

 private:
  void problem(std::string text) {
    if (out_.problem.empty()) out_.problem = std::move(text);
  }

  // The set of an instance; one more that could not be read makes no difference to the rest.
  open_set* set_of(unsigned instance, std::string_view name, std::error_code error) {
    out_.present = true;
    if (++fields_ > 3 * limits::arc_sets) {
      problem("more than 50 sets");
      return nullptr;
    }
    if (error || instance == 0) {
      problem(std::string(name) + ": " + (error ? error : make_error_code(dkim_errc::bad_instance)).message());
      return nullptr;
    }
    out_.highest = std::max(out_.highest, instance);
    return &open_[instance - 1];
  }

  void add_results(std::size_t index) {
    const std::string_view value = value_of(message_.fields[index].whole);
    std::string_view rest;
    const unsigned instance = value.size() > limits::authentication_results ? 0 : parse_results_instance(value, rest);
    open_set* set = set_of(instance, "ARC-Authentication-Results", {});
    if (set == nullptr) return;
    if (set->results) problem("two ARC-Authentication-Results fields of one instance");
    set->results = index;
    set->results_text = rest;
  }

  void add_seal(std::size_t index) {
    auto parsed = parse_seal(value_of(message_.fields[index].whole));
    open_set* set =
        set_of(parsed ? parsed->field.instance : 0, "ARC-Seal", parsed ? std::error_code{} : parsed.error());
    if (set == nullptr) return;
    if (set->seal) problem("two ARC-Seal fields of one instance");
    set->seal_index = index;
    set->seal = std::move(*parsed);
  }

  void add_message_signature(std::size_t index) {
    // message_state::arc holds the first fifty, in order.
    const auto found = std::ranges::find(message_.arc, index, &found_signature::field);
    const bool read = found != message_.arc.end() && found->parsed;
    std::error_code error;
    if (!read) error = found == message_.arc.end() ? make_error_code(dkim_errc::bad_instance) : found->parsed.error();
    open_set* set = set_of(read ? found->parsed->instance : 0, "ARC-Message-Signature", error);
    if (set == nullptr) return;
    if (set->message != nullptr) problem("two ARC-Message-Signature fields of one instance");
    set->message = &*found;
  }

  // §5.2 step 3: whole sets, without gaps, and the seals agree about the chain.
  void close() {
    for (unsigned i = 1; i <= out_.highest; ++i) {
      open_set& set = open_[i - 1];
      if (i == out_.highest) out_.newest_failed = set.seal && set.seal->status == chain_status::fail;
      if (!set.results || !set.seal || set.message == nullptr) {
        problem("set " + std::to_string(i) + " is not complete");
        continue;
      }
      if (set.seal->status != (i == 1 ? chain_status::none : chain_status::pass))
        problem("the seal of set " + std::to_string(i) + " says otherwise (cv=)");
      out_.sets.push_back({*set.results, set.results_text, set.message, *set.seal_index, std::move(*set.seal)});
    }
    if (out_.highest == 0) problem("no ARC field can be read");
  }

  const message_state& message_;
  chain out_;
  std::array<open_set, limits::arc_sets> open_;
  std::size_t fields_ = 0;
};

}  // namespace

base::result<seal_field> parse_seal(std::string_view value) {
  if (value.size() > limits::dkim_signature_size) return fail(dkim_errc::too_long);
  const auto tags = parse_tag_list(value);
  if (!tags) return fail(tags.error());
  seal_field out;
  const tag* i = find_tag(*tags, "i");
  const tag* cv = find_tag(*tags, "cv");
  if (i == nullptr || cv == nullptr) return fail(dkim_errc::missing_tag);
  out.field.instance = parse_instance(i->value);
  if (out.field.instance == 0) return fail(dkim_errc::bad_instance);
  if (const auto error = read_common_tags(*tags, out.field)) return fail(error);
  const auto status = parse_status(cv->value);
  if (!status) return fail(dkim_errc::bad_chain_status);
  out.status = *status;
  // "the DKIM "h" tag is NOT allowed and, if found, MUST result in a cv status of "fail"".
  if (find_tag(*tags, "h") != nullptr) return fail(dkim_errc::forbidden_tag);
  return out;
}

// [CFWS] "i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS] ";"
unsigned parse_results_instance(std::string_view value, std::string_view& rest) noexcept {
  const auto take = [&](char c) {
    mail::ascii::skip_cfws(value);
    if (value.empty() || value.front() != c) return false;
    value.remove_prefix(1);
    return true;
  };
  if (!take('i') || !take('=')) return 0;
  mail::ascii::skip_cfws(value);
  std::size_t digits = 0;
  while (digits < value.size() && mail::ascii::is_digit(value[digits])) ++digits;
  const unsigned instance = parse_instance(value.substr(0, digits));
  value.remove_prefix(digits);
  if (!take(';')) return 0;
  rest = value;
  return instance;
}

chain read_chain(const message_state& message) { return collector(message).collect(); }

void append_sealed(std::string& out, const message_state& message, const chain_set& set) {
  append_canonical_field(out, canonicalization::relaxed, message.fields[set.results_field].whole);
  append_canonical_field(out, canonicalization::relaxed, message.fields[set.message->field].whole);
  append_canonical_field(out, canonicalization::relaxed, message.fields[set.seal_index].whole);
}

}  // namespace briefwerk::mailauth
