#include "briefwerk/filter/content.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "briefwerk/filter/attachments.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "filter/names.hpp"

namespace briefwerk::filter {
namespace {

verdict too_large() {
  verdict v = verdict::rejected("Message too large", "size");
  v.code = 552;  // RFC 1870 §6.1
  v.enhanced = "5.3.4";
  return v;
}

verdict banned(std::string_view whom) {
  return verdict::rejected("Mail " + std::string(whom) + " is not taken here", "banned " + std::string(whom));
}

std::string address_of(const mail::mailbox_address& one) { return lower(one.local) + "@" + lower(one.domain); }

verdict of_rule(action act, double score, std::string text, std::string why) {
  verdict v{.what = act, .reason = std::move(why), .score = score};
  if (act >= action::defer) v.text = std::move(text);
  return v;
}

}  // namespace

struct content::patterns {
  std::vector<std::unique_ptr<re2::RE2>> all;  // one for each header rule
};

content::content(content_options options, std::unique_ptr<patterns> compiled)
    : options_(std::move(options)), patterns_(std::move(compiled)) {}
content::~content() = default;

base::result<std::shared_ptr<content>> content::create(content_options options, std::string& wrong) {
  auto compiled = std::make_unique<patterns>();
  re2::RE2::Options how(re2::RE2::Quiet);
  how.set_max_mem(1 << 20);  // of each pattern's automata
  for (const header_rule& one : options.headers) {
    compiled->all.push_back(std::make_unique<re2::RE2>(one.pattern, how));
    if (compiled->all.back()->ok()) continue;
    wrong = "the pattern of \"" + one.name + "\": " + compiled->all.back()->error();
    return base::fail(base::errc::malformed);
  }
  const auto types = attachment_types();
  for (const attachment_rule& rule : options.attachments) {
    for (const std::string& one : rule.types) {
      if (std::ranges::find(types, one) != types.end()) continue;
      wrong = "\"" + one + "\" is no type of attachments";
      return base::fail(base::errc::malformed);
    }
  }
  return std::shared_ptr<content>(new content(std::move(options), std::move(compiled)));
}

base::task<verdict> content::mail(session_facts&, const mail::smtp_envelope& envelope) {
  if (options_.size != 0 && envelope.announced_size > options_.size) co_return too_large();
  if (envelope.sender && is_address_listed(options_.senders, address_of(*envelope.sender))) co_return banned("from this sender");
  co_return verdict::accepted();
}

base::task<verdict> content::rcpt(session_facts&, const mail::smtp_envelope&, const mail::envelope_recipient& recipient) {
  if (is_address_listed(options_.recipients, address_of(recipient.address))) co_return banned("to this recipient");
  co_return verdict::accepted();
}

void content::judge_header(verdict& sum, std::string_view message) const {
  if (options_.headers.empty() && options_.senders.empty()) return;
  mail::header_reader reader(message);
  for (mail::header_field field; reader.next(field);) {
    if (!options_.senders.empty() && mail::equals_ignoring_case(field.name, "From")) {
      for (const auto& author : mail::parse_address_list(field.value)) {
        if (author.kind == mail::list_address::kind_type::mailbox && is_address_listed(options_.senders, lower(author.local) + "@" + lower(author.domain))) {
          combine(sum, banned("from this sender"));
        }
      }
    }
    std::string value;
    for (std::size_t i = 0; i < options_.headers.size(); ++i) {
      const header_rule& rule = options_.headers[i];
      if (!mail::equals_ignoring_case(field.name, rule.field)) continue;
      if (value.empty()) value = mail::decode_text(field.value);
      if (!re2::RE2::PartialMatch(value, *patterns_->all[i])) continue;
      combine(sum, of_rule(rule.act, rule.score, "The message is refused by a rule of this server", "header rule " + rule.name));
    }
  }
}

void content::judge_attachments(verdict& sum, std::string_view message) const {
  if (options_.attachments.empty()) return;
  const attachment_list all = find_attachments(message);
  const auto has = [](const std::vector<std::string>& list, std::string_view what) {
    return !what.empty() && std::ranges::find(list, what) != list.end();
  };
  for (const attachment_rule& rule : options_.attachments) {
    std::string why;
    for (const attachment& one : all.found) {
      if (one.in_archive && !rule.in_archives) continue;
      if (has(rule.extensions, one.extension)) why = "attachment ." + one.extension;
      else if (has(rule.types, one.type)) why = "attachment type " + std::string(one.type);
      else if (rule.encrypted && one.encrypted) why = "encrypted archive";
      if (!why.empty()) break;
    }
    if (why.empty() && rule.unreadable && !all.complete) why = "attachments beyond the bounds of a look";
    if (!why.empty()) combine(sum, of_rule(rule.act, rule.score, "Attachments of this kind are not taken here", why));
  }
}

base::task<verdict> content::message(session_facts&, const mail::smtp_envelope&, const message_facts& message) {
  if (options_.size != 0 && message.octets.size() > options_.size) co_return too_large();
  verdict sum;
  judge_header(sum, message.octets);
  judge_attachments(sum, message.octets);
  co_return sum;
}

}  // namespace briefwerk::filter
