#include "briefwerk/filter/mailauth_stage.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "briefwerk/base/when_all.hpp"
#include "briefwerk/base/within.hpp"
#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/client_network.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "filter/auth_verdict.hpp"
#include "filter/in_background.hpp"

namespace briefwerk::filter {

using mailauth::outcome;

// What a session knows before its message: shared with the checks that run behind its back.
struct mailauth_stage::early {
  std::shared_ptr<in_background<mailauth::iprev_verdict>> iprev =
      std::make_shared<in_background<mailauth::iprev_verdict>>();
  std::shared_ptr<in_background<mailauth::spf::verdict>> helo;  // null: not asked for
  std::string helo_name;
  std::optional<mailauth::spf::verdict> mail_from;
};

namespace {

constexpr std::chrono::seconds patience{1};

class hashing final : public message_observer {
 public:
  hashing(const base::crypto& crypto, std::vector<mailauth::body_hash_kind> wanted)
      : hasher_(std::make_shared<mailauth::message_hasher>(crypto, std::move(wanted))) {}

  void octets(std::string_view piece) noexcept override {
    try {
      if (hasher_) hasher_->feed(piece);
    } catch (...) {
      hasher_.reset();  // no memory; message() tries once more
    }
  }
  std::shared_ptr<mailauth::message_hasher> take() noexcept { return std::exchange(hasher_, nullptr); }

 private:
  std::shared_ptr<mailauth::message_hasher> hasher_;
};

std::string sender_of(const mail::smtp_envelope& envelope) {
  return envelope.sender ? mail::format_mailbox(*envelope.sender) : std::string();
}

// The recipients' domain, where they share one.
std::string common_domain(const mail::smtp_envelope& envelope) {
  std::string common;
  for (const auto& one : envelope.recipients) {
    auto domain = mail::domain_to_ascii(one.address.domain).value_or(std::string());
    if (!common.empty() && domain != common) return {};
    common = std::move(domain);
  }
  return common;
}

void fill(auth_facts& facts, const mail_authentication& found) {
  facts.spf = found.mail_from.result;
  facts.spf_domain = found.mail_from.domain;
  facts.client_name = found.iprev.result == outcome::pass
                          ? mail::domain_to_ascii(found.iprev.name).value_or(std::string())
                          : std::string();
  facts.dkim_domains.clear();
  for (const auto& one : found.dkim)
    if (one.what == outcome::pass) facts.dkim_domains.push_back(one.domain);
  facts.dmarc = found.dmarc.result;
  facts.author_domain = found.dmarc.fault == mailauth::author_fault::none ? found.dmarc.author_domain : std::string();
}

}  // namespace

mailauth_stage::mailauth_stage(base::resolver& names, const base::crypto& crypto, const base::clock& time,
                               mailauth_options options)
    : names_(names),
      crypto_(crypto),
      time_(time),
      options_(std::move(options)),
      keys_(crypto, names),
      dkim_(keys_, time),
      arc_(keys_) {}
mailauth_stage::~mailauth_stage() = default;

hook_set mailauth_stage::hooks() const noexcept { return hook::connect | hook::hello | hook::mail | hook::message; }

bool mailauth_stage::applies(const session_facts& session) const noexcept {
  return session.where == scope::inbound && session.account.empty() && !is_in(options_.exempt, session.remote.address);
}

std::shared_ptr<mailauth_stage::early> mailauth_stage::early_of(session_facts& session) const {
  std::any& kept = session.notes[std::string(name())];
  if (!kept.has_value()) kept = std::make_shared<early>();
  return *std::any_cast<std::shared_ptr<early>>(&kept);
}

base::task<verdict> mailauth_stage::connect(session_facts& session) {
  if (!applies(session)) co_return verdict::accepted();
  const auto known = early_of(session);
  base::executor* const here = co_await base::this_executor();
  in_background<mailauth::iprev_verdict>::begin(known->iprev, here,
                                                mailauth::check_iprev(names_, session.remote.address));
  co_return verdict::accepted();
}

base::task<verdict> mailauth_stage::hello(session_facts& session) {
  if (!applies(session)) co_return verdict::accepted();
  const auto known = early_of(session);
  if (known->helo && known->helo_name == session.hello)
    co_return verdict::accepted();  // the second EHLO, after STARTTLS
  known->helo_name = session.hello;
  known->helo = std::make_shared<in_background<mailauth::spf::verdict>>();
  base::executor* const here = co_await base::this_executor();
  mailauth::spf::request about{
      .ip = session.remote.address, .helo = session.hello, .sender = {}, .receiver = options_.authserv_id};
  in_background<mailauth::spf::verdict>::begin(known->helo, here, mailauth::spf::check_helo(names_, std::move(about)));
  co_return verdict::accepted();
}

base::task<void> mailauth_stage::check_spf(const session_facts& session, const mail::smtp_envelope& envelope,
                                           early& into) {
  mailauth::spf::request about{.ip = session.remote.address,
                               .helo = session.hello,
                               .sender = sender_of(envelope),
                               .receiver = options_.authserv_id};
  into.mail_from = co_await mailauth::spf::check_mail_from(names_, std::move(about));
}

base::task<verdict> mailauth_stage::mail(session_facts& session, const mail::smtp_envelope& envelope) {
  session.notes.erase(std::string(mail_authentication::note));
  auth_facts& facts = auth_facts_of(session);
  facts = {};
  if (!applies(session)) co_return verdict::accepted();
  const auto known = early_of(session);
  co_await check_spf(session, envelope, *known);
  facts.spf = known->mail_from->result;
  facts.spf_domain = known->mail_from->domain;
  if (const auto& reverse = known->iprev->value(); reverse && reverse->result == outcome::pass) {
    facts.client_name = mail::domain_to_ascii(reverse->name).value_or(std::string());
  }
  co_return verdict::accepted();
}

std::vector<mailauth::body_hash_kind> mailauth_stage::wanted() const {
  std::vector<mailauth::body_hash_kind> kinds;
  if (options_.may_seal) kinds.emplace_back();
  return kinds;
}

std::shared_ptr<message_observer> mailauth_stage::observe(session_facts& session, const mail::smtp_envelope&) {
  if (!applies(session)) return nullptr;
  return std::make_shared<hashing>(crypto_, wanted());
}

std::shared_ptr<mailauth::message_hasher> mailauth_stage::hashed(const message_facts& message) const {
  std::shared_ptr<mailauth::message_hasher> hasher;
  if (auto* watched = dynamic_cast<hashing*>(message.observer)) hasher = watched->take();
  if (!hasher) {
    hasher = std::make_shared<mailauth::message_hasher>(crypto_, wanted());
    hasher->feed(message.octets);
  }
  hasher->finish();
  return hasher;
}

base::task<bool> mailauth_stage::verify_dkim(mail_authentication& found) const {
  found.dkim = co_await dkim_.verify(*found.message);
  co_return true;
}

base::task<bool> mailauth_stage::verify_arc(mail_authentication& found) const {
  found.arc = co_await arc_.verify(*found.message);
  co_return true;
}

// What was begun long ago and is still not there is not worth holding up the mail.
base::task<void> mailauth_stage::take_early(const session_facts& session, const early& known,
                                            mail_authentication& into) const {
  base::executor* const here = co_await base::this_executor();
  if (!known.iprev->is_begun()) {
    in_background<mailauth::iprev_verdict>::begin(known.iprev, here,
                                                  mailauth::check_iprev(names_, session.remote.address));
  }
  auto iprev = co_await base::within(patience, in_background<mailauth::iprev_verdict>::wait(known.iprev));
  into.iprev = iprev ? std::move(*iprev) : mailauth::iprev_verdict{outcome::temperror, {}, "no answer in time"};
  if (!known.helo) co_return;
  auto helo = co_await base::within(patience, in_background<mailauth::spf::verdict>::wait(known.helo));
  if (helo) into.helo = std::move(*helo);
}

base::task<verdict> mailauth_stage::message(session_facts& session, const mail::smtp_envelope& envelope,
                                            const message_facts& message) {
  if (!applies(session)) co_return verdict::accepted();
  const auto known = early_of(session);
  auto kept = std::make_shared<mail_authentication>();
  mail_authentication& found = *kept;
  found.message = hashed(message);
  if (!known->mail_from) co_await check_spf(session, envelope, *known);
  found.mail_from = *std::exchange(known->mail_from, std::nullopt);

  std::vector<base::task<bool>> checks;
  checks.push_back(verify_dkim(found));
  checks.push_back(verify_arc(found));
  (void)co_await base::when_all(std::move(checks));
  co_await take_early(session, *known, found);

  mailauth::dmarc::input input;
  input.spf = {found.mail_from.result, found.mail_from.domain};
  for (const auto& one : found.dkim) input.dkim.push_back({one.what, one.domain, one.selector});
  mailauth::author from = mailauth::read_author(found.message->header());
  found.dmarc = co_await mailauth::dmarc::evaluate(names_, std::move(from), std::move(input), options_.dmarc);
  found.vouched_for = is_vouched_for(found.arc, options_.trusted_sealers);
  found.results = results_of(found, options_.authserv_id, session.remote.address, allow_listings_of(session));

  verdict said = judge(found);
  said.add_fields.push_back({"Authentication-Results", mailauth::to_value(found.results)});
  if (options_.add_received_spf) {
    const std::string field = mailauth::spf::received_spf(found.mail_from, {.ip = session.remote.address,
                                                                            .helo = session.hello,
                                                                            .sender = sender_of(envelope),
                                                                            .receiver = options_.authserv_id});
    said.add_fields.push_back({"Received-SPF", mail::unfold(std::string_view(field).substr(field.find(':') + 1))});
  }
  fill(auth_facts_of(session), found);
  session.notes[std::string(mail_authentication::note)] = kept;
  if (!session.trial) {
    tell(session, found);
    report(session, envelope, found, said);
  }
  co_return said;
}

verdict mailauth_stage::judge(const mail_authentication& found) const {
  const mailauth::dmarc::evaluation& dmarc = found.dmarc;
  if (found.vouched_for) return verdict::accepted();
  if (dmarc.disposition != mailauth::dmarc::policy::none) {
    if (options_.on_dmarc_fail == dmarc_failure::obey && dmarc.disposition == mailauth::dmarc::policy::reject) {
      return verdict::rejected("Refused, as the domain of the From address asks by DMARC: " + dmarc.author_domain,
                               "dmarc: reject");
    }
    return verdict::junked("dmarc: " + std::string(to_string(dmarc.disposition)));
  }
  if (!options_.mark_unauthenticated) return verdict::accepted();
  // None of the two is said of mail that DNS may still have shown to be good.
  const bool trouble = dmarc.result == outcome::temperror || found.mail_from.result == outcome::temperror ||
                       std::ranges::any_of(found.dkim, [](const auto& one) { return one.what == outcome::temperror; });
  if (trouble) return verdict::accepted();
  if (dmarc.fault != mailauth::author_fault::none)
    return verdict::junked("From: " + std::string(to_string(dmarc.fault)));
  const bool signed_well = std::ranges::any_of(found.dkim, [](const auto& one) { return one.what == outcome::pass; });
  if (found.mail_from.result != outcome::pass && !signed_well) return verdict::junked("neither SPF nor DKIM passed");
  return verdict::accepted();
}

void mailauth_stage::report(const session_facts& session, const mail::smtp_envelope& envelope,
                            const mail_authentication& found, const verdict& said) const {
  if (!options_.evaluated) return;
  namespace dmarc = mailauth::dmarc;
  dmarc::message_facts facts;
  facts.source = session.remote.address;
  if (envelope.sender)
    facts.envelope_from = mail::domain_to_ascii(envelope.sender->domain).value_or(std::string());
  else
    facts.scope = dmarc::spf_scope::helo;
  facts.envelope_to = common_domain(envelope);
  facts.applied = said.what == action::reject ? dmarc::action::reject
                  : said.what == action::junk ? dmarc::action::quarantine
                                              : dmarc::action::none;
  if (found.vouched_for)
    facts.reasons.push_back({dmarc::override_type::trusted_forwarder, "arc=pass"});
  else if (said.what == action::junk && found.dmarc.disposition != dmarc::policy::quarantine) {
    facts.reasons.push_back({dmarc::override_type::local_policy, "delivered as spam"});
  }
  options_.evaluated(found.dmarc, facts);
}

void mailauth_stage::tell(const session_facts& session, const mail_authentication& found) const {
  const auto best = std::ranges::find(found.dkim, outcome::pass, &mailauth::dkim_result::what);
  const outcome dkim = best != found.dkim.end() ? outcome::pass
                       : found.dkim.empty()     ? outcome::none
                                                : found.dkim.front().what;
  const std::pair<std::string_view, outcome> all[] = {{"iprev", found.iprev.result},
                                                      {"spf", found.mail_from.result},
                                                      {"dkim", dkim},
                                                      {"arc", found.arc.what},
                                                      {"dmarc", found.dmarc.result}};
  if (options_.metrics != nullptr) {
    for (const auto& [method, result] : all) {
      options_.metrics->get_counter("mailauth." + std::string(method) + "." + std::string(to_string(result))).add();
    }
  }
  options_.log->log(base::log_level::info, "mailauth.checked",
                    {{"session", session.session_id},
                     {"iprev", to_string(found.iprev.result)},
                     {"spf", to_string(found.mail_from.result)},
                     {"spf_domain", found.mail_from.domain},
                     {"dkim", to_string(dkim)},
                     {"dkim_domain", best != found.dkim.end() ? best->domain : std::string()},
                     {"arc", to_string(found.arc.what)},
                     {"dmarc", to_string(found.dmarc.result)},
                     {"dmarc_domain", found.dmarc.author_domain}});
}

}  // namespace briefwerk::filter
