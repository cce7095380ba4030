#include "apps/store/open_store.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>

#include "briefwerk/net/certificate.hpp"
#include "briefwerk/store/rocksdb_engine.hpp"

namespace briefwerk::apps {
namespace {

std::unexpected<net::explained_error> refuse(std::error_code code, std::string text) {
  return std::unexpected(net::explained_error{code, std::move(text)});
}

net::explained<void> make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  const bool not_ours = error == std::errc::permission_denied || error == std::errc::operation_not_permitted;
  if (error)
    return refuse(error, "cannot make the folder " + path + ": " + error.message() +
                             (not_ours ? " (all below the data folder must belong to the user that the server becomes)" : ""));
  return {};
}

}  // namespace

net::explained<std::unique_ptr<store::local_store>> open_store(const config& conf, const base::crypto& crypto,
                                                               base::log_sink& log, base::metrics& metrics) {
  for (const char* folder : {"", "/temporary"}) {
    if (auto made = make_folder(conf.data + folder); !made) return std::unexpected(made.error());
  }
  store::rocksdb_options settings;
  settings.cache_octets = conf.storage.block_cache;
  settings.log = &log;
  settings.figures = &metrics;
  std::string why;
  auto engine = store::open_rocksdb_engine(conf.data + "/store", settings, &why);
  if (!engine) {
    return refuse(engine.error(), "cannot open the store in " + conf.data + ": " + (why.empty() ? engine.error().message() : why));
  }
  store::local_store_options options;
  options.snapshot_cache = conf.storage.snapshot_cache;
  options.log = &log;
  options.figures = &metrics;
  return store::make_local_store(std::move(*engine), crypto, base::system_clock(), options);
}

net::explained<std::unique_ptr<search::index>> open_index(const config& conf) {
  if (!conf.search.enabled) return nullptr;
  auto opened = search::open_xapian_index(conf.search_path());
  if (opened) return std::move(*opened);
  if (opened.error() == base::errc::unsupported) return nullptr;
  return refuse(opened.error(), "cannot open the full-text index in " + conf.search_path() + ": " + opened.error().message());
}

net::explained<std::string> installation_secret(const std::string& data, const char* name, const base::crypto& crypto) {
  constexpr std::size_t size = 32;
  const std::string path = data + "/" + name;
  char kept[size];
  std::ifstream in(path, std::ios::binary);
  if (in.read(kept, size)) return std::string(kept, size);
  std::string secret = crypto.random_octets(size);
  if (auto written = net::write_file(path, secret, 0600); !written) return std::unexpected(written.error());
  return secret;
}

net::explained<base::siphash_key> derived_key(const std::string& data, const base::crypto& crypto, std::string_view purpose) {
  const auto secret = installation_secret(data, "decoy-secret", crypto);
  if (!secret) return std::unexpected(secret.error());
  const std::string octets = crypto.hmac(base::hash_kind::sha256, *secret, purpose);
  base::siphash_key key;
  std::memcpy(key.data(), octets.data(), sizeof key);
  return key;
}

}  // namespace briefwerk::apps
