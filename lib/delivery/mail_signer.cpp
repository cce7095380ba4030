#include "briefwerk/delivery/mail_signer.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "briefwerk/mailauth/author.hpp"
#include "briefwerk/mailauth/dkim.hpp"

namespace briefwerk::delivery {

using store::signing_key;
using store::signing_key_state;

// What the active keys of all domains can do, as of one version of them.
struct mail_signer::table {
  struct hand {
    std::optional<mailauth::dkim_signer> signer;
    std::optional<mailauth::arc_sealer> sealer;
  };
  store::version_number version = 0;
  std::map<std::string, hand, std::less<>> domains;

  // Of the domain itself, or of the nearest one above it.
  const hand* find(std::string_view domain) const {
    for (;;) {
      if (const auto found = domains.find(domain); found != domains.end()) return &found->second;
      const auto dot = domain.find('.');
      if (dot == std::string_view::npos) return nullptr;
      domain.remove_prefix(dot + 1);
    }
  }
};

namespace {

std::chrono::sys_seconds seconds(const base::clock& time) {
  return std::chrono::floor<std::chrono::seconds>(time.now());
}

}  // namespace

mail_signer::mail_signer(store::signing_key_store& keys, const base::crypto& crypto, const base::clock& time,
                         mail_signer_options options)
    : keys_(keys), crypto_(crypto), time_(time), options_(std::move(options)) {}
mail_signer::~mail_signer() = default;

void mail_signer::count(std::string_view what) const {
  if (options_.metrics != nullptr) options_.metrics->get_counter(what).add();
}

void mail_signer::tell(std::string_view event, std::string_view domain, std::error_code why) const {
  options_.log->log(base::log_level::warning, event, {{"domain", domain}, {"reason", why.message()}});
}

base::task<std::shared_ptr<const mail_signer::table>> mail_signer::current() {
  const auto version = keys_.version();
  if (!version) co_return nullptr;
  {
    std::lock_guard lock(mutex_);
    if (table_ && table_->version == *version) co_return table_;
  }
  auto made = std::make_shared<table>();
  made->version = *version;
  auto all = co_await keys_.list(std::string());
  if (!all) {
    tell("dkim.keys_unreadable", "", all.error());
    all.emplace();  // once for each version, not for each message
  }
  // RSA before Ed25519: what not every verifier knows comes second.
  std::ranges::stable_sort(*all, {}, &signing_key::kind);
  std::map<std::string, std::vector<mailauth::dkim_signing_key>> active;
  for (const signing_key& one : *all) {
    if (one.state != signing_key_state::active) continue;
    auto key = crypto_.parse_private_key(one.private_key);
    if (key)
      active[one.domain].push_back({one.selector, std::move(*key)});
    else
      tell("dkim.key_unusable", one.domain, key.error());
  }
  for (auto& [domain, keys] : active) {
    table::hand& hand = made->domains[domain];
    mailauth::arc_seal_options seal;
    seal.domain = domain;
    seal.key = keys.front();
    if (auto sealer = mailauth::arc_sealer::make(std::move(seal))) hand.sealer = std::move(*sealer);
    mailauth::dkim_sign_options sign;
    sign.domain = domain;
    sign.keys = std::move(keys);
    auto signer = mailauth::dkim_signer::make(std::move(sign));
    if (signer)
      hand.signer = std::move(*signer);
    else
      tell("dkim.key_unusable", domain, signer.error());
  }
  std::lock_guard lock(mutex_);
  if (!table_ || table_->version < made->version) table_ = made;
  co_return made;
}

base::task<std::string> mail_signer::sign(std::string_view message) {
  const mailauth::author from = mailauth::read_author(message);
  if (from.domains.size() != 1) co_return std::string();
  const auto keys = co_await current();
  const table::hand* hand = keys ? keys->find(from.domains.front()) : nullptr;
  if (hand == nullptr || !hand->signer) co_return std::string();
  mailauth::message_hasher hashed(crypto_, {hand->signer->body_hash()});
  hashed.feed(message);
  hashed.finish();
  auto fields = hand->signer->sign(hashed, seconds(time_));
  count(fields ? "dkim.signed" : "dkim.not_signed");
  if (fields) co_return std::move(*fields);
  tell("dkim.not_signed", from.domains.front(), fields.error());
  co_return std::string();
}

mailauth::body_hash_kind mail_signer::sealed_body() const noexcept { return {}; }

base::task<std::string> mail_signer::seal(const mailauth::message_hasher& message, const mailauth::arc_result& chain,
                                          std::string_view results, std::string domain) {
  const auto keys = co_await current();
  const table::hand* hand = keys ? keys->find(domain) : nullptr;
  if (hand == nullptr && keys) hand = keys->find(options_.hostname);
  if (hand == nullptr || !hand->sealer) co_return std::string();
  auto fields = hand->sealer->seal(message, chain, results, seconds(time_));
  if (fields) {
    count("arc.sealed");
    co_return std::move(*fields);
  }
  if (fields.error() != mailauth::dkim_errc::chain_ended) tell("arc.not_sealed", domain, fields.error());
  co_return std::string();
}

}  // namespace briefwerk::delivery
