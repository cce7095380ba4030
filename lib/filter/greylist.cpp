#include "briefwerk/filter/greylist.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "briefwerk/base/within.hpp"
#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/client_network.hpp"
#include "briefwerk/mailauth/iprev.hpp"
#include "filter/names.hpp"

namespace briefwerk::filter {
namespace {

// Operators that send the next attempt from another of their many networks.
constexpr std::string_view big_senders[] = {
    "google.com",       "outlook.com",    "yahoo.com",     "yahoo.co.jp",     "icloud.com",     "apple.com",
    "me.com",           "amazonses.com",  "amazon.com",    "facebook.com",    "linkedin.com",   "sendgrid.net",
    "mailgun.net",      "mcsv.net",       "mcdlv.net",     "rsgsv.net",       "mandrillapp.com", "sparkpostmail.com",
    "mtasv.net",        "exacttarget.com", "salesforce.com", "messagelabs.com", "mimecast.com",  "pphosted.com",
    "messagingengine.com", "protonmail.ch", "zoho.com",    "gmx.net",         "web.de",         "kundenserver.de",
    "t-online.de",      "mail.ru",        "yandex.net",    "yandex.ru",       "qq.com",         "163.com",
    "orange.fr",        "free.fr",        "laposte.net",   "comcast.net",     "github.com",     "github.net",
    "ebay.com",         "paypal.com",     "twitter.com",   "booking.com",     "hubspotemail.net", "mailjet.com",
};

constexpr std::chrono::seconds name_limit{5};

}  // namespace

// Kept in the session's notes.
struct greylist::pending {
  std::optional<bool> listed_host;  // of the session
  std::chrono::seconds wait{0};     // of the transaction: what a recipient would have waited, had no signature been hoped for
};

std::string greylist_sender(const mail::smtp_envelope& envelope) {
  if (!envelope.sender) return "<>";
  const std::string_view local = std::string_view(envelope.sender->local).substr(0, envelope.sender->local.find('+'));
  std::string out;
  bool in_digits = false;
  for (const char c : local) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) out += lower(c);
    else if (!in_digits) out += '#';
    in_digits = digit;
  }
  return out + "@" + lower(envelope.sender->domain);
}

greylist::greylist(greylist_options options, base::resolver& resolver, const base::clock& time,
                   base::siphash_key hash_key)
    : options_(std::move(options)), resolver_(resolver), time_(time), table_(options_.entries, hash_key) {
  if (options_.big_senders) options_.hosts.insert(options_.hosts.end(), std::begin(big_senders), std::end(big_senders));
}

std::int64_t greylist::now() const noexcept {
  return std::chrono::floor<std::chrono::seconds>(time_.now()).time_since_epoch().count();
}

bool greylist::is_trusted(const state_key& who) const {
  if (options_.trusted_after == 0) return false;
  const auto found = table_.find(who, now());
  return found && found->good >= options_.trusted_after;
}

void greylist::learn(const state_key& who) {
  const std::int64_t time = now();
  table_.update(who, time, [&](record& r) {
    r.expires = time + options_.lifetime.count();
    if (r.good < UINT32_MAX) ++r.good;
  });
}

// Zero: the triplet may pass. In a trial nothing is written down.
std::chrono::seconds greylist::wait_of(const state_key& triplet, bool trial) {
  const std::int64_t time = now();
  const auto judge = [&](record& r) {
    if (r.expires == 0) {  // new, or it did not come again in time
      r.first = time;
      r.expires = time + options_.window.count();
    }
    r.first = std::min(r.first, time);  // the clock was set back
    const std::int64_t left = r.passed ? 0 : r.first + options_.delay.count() - time;
    if (left > 0) return std::chrono::seconds(left);
    r.passed = 1;
    r.expires = time + options_.lifetime.count();
    return std::chrono::seconds(0);
  };
  if (!trial) return table_.update(triplet, time, judge);
  record copy = table_.find(triplet, time).value_or(record{});
  return judge(copy);
}

base::task<bool> greylist::is_listed_host(session_facts& session) {
  if (options_.hosts.empty()) co_return false;
  auto& kept = note_of<pending>(session, name());
  if (kept.listed_host) co_return *kept.listed_host;
  std::string host = auth_facts_of(session).client_name;
  if (host.empty()) {
    const base::ip_address address = session.remote.address;
    const auto found = co_await base::within(name_limit, mailauth::check_iprev(resolver_, address));
    if (found && found->result == mailauth::outcome::pass) host = lower(found->name);
  }
  const bool listed = std::ranges::any_of(options_.hosts, [&](const std::string& one) { return is_under(host, one); });
  note_of<pending>(session, name()).listed_host = listed;
  co_return listed;
}

base::task<verdict> greylist::mail(session_facts& session, const mail::smtp_envelope&) {
  note_of<pending>(session, name()).wait = {};
  co_return verdict::accepted();
}

base::task<verdict> greylist::rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                                   const mail::envelope_recipient& recipient) {
  const base::ip_address& client = session.remote.address;
  const std::string to = lower(recipient.address.local) + "@" + lower(recipient.address.domain);
  if (is_in(options_.networks, client) || is_address_listed(options_.recipients, to)) co_return verdict::accepted();

  const std::string sender = greylist_sender(envelope);
  const state_key triplet = table_.key_of({"triplet", client_network(client), sender, to});
  const auto known = table_.find(triplet, now());
  if (!known || !known->passed) {
    const auth_facts& proven = auth_facts_of(session);
    const bool by_spf = proven.spf == mailauth::outcome::pass && is_trusted(table_.key_of({"spf", proven.spf_domain}));
    if (by_spf || is_trusted(table_.key_of({"network", client_network(client)}))) co_return verdict::accepted();
    const bool listed = co_await is_listed_host(session);
    if (listed) co_return verdict::accepted();
  }
  const std::chrono::seconds wait = wait_of(triplet, session.trial);
  if (wait.count() == 0) co_return verdict::accepted();
  // Mail of this domain is signed as a rule: the signature will tell whether it has to wait.
  if (envelope.sender && is_trusted(table_.key_of({"signs", lower(envelope.sender->domain)}))) {
    std::chrono::seconds& longest = note_of<pending>(session, name()).wait;
    longest = std::max(longest, wait);
    co_return verdict::accepted();
  }
  co_return delayed(wait);
}

verdict greylist::delayed(std::chrono::seconds wait) {
  return verdict::deferred("Greylisted, please try again in " + std::to_string(wait.count()) + " seconds", "first contact");
}

base::task<verdict> greylist::message(session_facts& session, const mail::smtp_envelope&, const message_facts&) {
  const std::chrono::seconds wait = note_of<pending>(session, name()).wait;
  if (wait.count() == 0) co_return verdict::accepted();
  for (const std::string& domain : auth_facts_of(session).dkim_domains) {
    if (is_trusted(table_.key_of({"dkim", domain}))) co_return verdict::accepted();
  }
  co_return delayed(wait);
}

void greylist::settled(session_facts& session, const mail::smtp_envelope& envelope, const verdict& sum) noexcept {
  if (sum.what > action::tag || session.trial) return;
  try {
    learn(table_.key_of({"network", client_network(session.remote.address)}));
    const auth_facts& proven = auth_facts_of(session);
    if (proven.spf == mailauth::outcome::pass) learn(table_.key_of({"spf", proven.spf_domain}));
    bool own = false;
    for (const std::string& domain : proven.dkim_domains) {
      learn(table_.key_of({"dkim", domain}));
      own = own || (envelope.sender && is_under(lower(envelope.sender->domain), domain));
    }
    if (own) learn(table_.key_of({"signs", lower(envelope.sender->domain)}));
  } catch (const std::exception&) {
    // No memory to learn: the sender waits another time.
  }
}

}  // namespace briefwerk::filter
