#include "store/keys/engine_signing_keys.hpp"

#include <algorithm>

#include "store/keys/key_records.hpp"

namespace briefwerk::store {

base::result<std::vector<signing_key>> engine_signing_keys::read(const view& now, const key_range& range) const {
  std::vector<signing_key> keys;
  for (key_range rest = range;;) {
    auto rows = now.scan(rest);
    if (!rows) return base::fail(rows.error());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      auto one = decode_signing_key((*rows)[i].key, (*rows)[i].value);
      if (!one) return core_.report.corrupt(signing_keys::partition, (*rows)[i].key);
      keys.push_back(std::move(*one));
    }
    if (!rows->more()) return keys;
    rest = rest.after(rows->back().key);
  }
}

base::task<base::result<std::vector<signing_key>>> engine_signing_keys::list(std::string domain) {
  auto now = core_.where.read(signing_keys::partition);
  if (!now) co_return base::fail(now.error());
  const std::string prefix = domain.empty() ? std::string(1, signing_keys::key) : signing_keys::of_domain(domain);
  co_return read(**now, key_range::prefix(prefix));
}

base::result<version_number> engine_signing_keys::version() const {
  return core_.where.version(signing_keys::partition);
}

base::task<base::status> engine_signing_keys::change(std::string domain, edit how) {
  co_return co_await core_.commit(std::string(signing_keys::partition),
                                  [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
                                    const auto before = read(now, key_range::prefix(signing_keys::of_domain(domain)));
                                    if (!before) return base::fail(before.error());
                                    std::vector<signing_key> after = *before;
                                    if (auto done = how(after); !done) return done;
                                    for (const signing_key& one : *before) {
                                      const bool kept = std::ranges::any_of(
                                          after, [&](const auto& key) { return key.selector == one.selector; });
                                      if (!kept) out.erase(signing_keys::of(one));
                                    }
                                    for (signing_key& one : after) {
                                      one.domain = domain;
                                      if (std::ranges::find(*before, one) == before->end())
                                        out.put(signing_keys::of(one), encode(one));
                                    }
                                    return {};
                                  });
}

}  // namespace briefwerk::store
