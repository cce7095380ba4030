#include <mutex>
#include <unordered_map>
#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mailauth/dkim.hpp"

namespace briefwerk::mailauth {

using base::fail;

// By the text of the record, so that it is right whatever DNS says next. When it is full it begins anew: parsing a
// key costs a few microseconds.
struct dkim_keys::cache {
  std::mutex mutex;
  std::unordered_map<std::string, std::shared_ptr<const key>> keys;
};

dkim_keys::dkim_keys(const base::crypto& crypto, base::resolver& resolver)
    : crypto_(crypto), resolver_(resolver), cache_(std::make_unique<cache>()) {}
dkim_keys::~dkim_keys() = default;

base::result<std::shared_ptr<const dkim_keys::key>> dkim_keys::parse(const std::string& text) {
  {
    const std::lock_guard lock(cache_->mutex);
    if (const auto known = cache_->keys.find(text); known != cache_->keys.end()) return known->second;
  }
  auto record = parse_dkim_key_record(text);
  if (!record) return fail(record.error());
  auto material = crypto_.parse_public_key(record->kind, record->octets);
  if (!material)
    return fail(material.error() == base::errc::limit_exceeded ? dkim_errc::key_too_large : dkim_errc::bad_key_data);
  auto made = std::make_shared<key>(key{std::move(*record), std::move(*material)});
  const std::lock_guard lock(cache_->mutex);
  if (cache_->keys.size() >= base::limits::dkim_cached_keys) cache_->keys.clear();
  cache_->keys.insert_or_assign(text, made);
  return made;
}

base::task<dkim_keys::answer> dkim_keys::find(std::string selector, std::string domain, tracer trace) {
  answer out;
  const base::dns_answer found =
      co_await ask(resolver_, selector + "._domainkey." + domain, base::dns_type::txt, trace);
  if (found.status == base::dns_status::failed) {
    out.what = outcome::temperror;
    out.reason = "DNS did not answer for the key";
    co_return out;
  }
  out.reason = "no key record";
  std::size_t records = 0;
  for (const base::dns_record& one : found.records) {
    const auto* record = std::get_if<base::dns_txt>(&one);
    if (record == nullptr) continue;
    if (++records > base::limits::dkim_key_records) break;
    auto parsed = parse(record->text);
    if (parsed) {
      out.keys.push_back(std::move(*parsed));
    } else {
      trace.step("dkim", [&] { return "key record: " + parsed.error().message(); });
      out.reason = parsed.error().message();
    }
  }
  if (!out.keys.empty()) {
    out.what = outcome::pass;
    out.reason.clear();
  }
  co_return out;
}

}  // namespace briefwerk::mailauth
