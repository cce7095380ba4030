#include "apps/briefwerkctl/init.hpp"

#include <filesystem>

#include "apps/store/open_store.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/net/certificate.hpp"

namespace briefwerk::apps::ctl {

namespace fs = std::filesystem;

namespace {

void must(const net::explained<void>& done) {
  if (!done) throw failure(done.error().text);
}

json addresses(const init_options& options, unsigned port) {
  json list = json::array();
  for (const std::string& one : options.listen) list.push_back(one + ":" + std::to_string(port + options.port_offset));
  return list;
}

// A certificate that mail programs have to be told to trust; a real one replaces the files.
void make_certificate(const init_options& options, const std::string& certificate, const std::string& key) {
  net::certificate_request request;
  request.names = {options.hostname, "localhost", "127.0.0.1", "::1"};
  request.days = 825;
  auto made = net::make_self_signed(request);
  if (!made) throw failure("cannot make a certificate for " + options.hostname + ": " + made.error().message());
  must(net::write_file(key, made->key, 0600));
  must(net::write_file(certificate, made->certificate, 0644));
}

}  // namespace

json init(const init_options& options) {
  if (fs::exists(options.config_file)) throw failure(options.config_file + " exists already; it is not overwritten");
  std::error_code error;
  const fs::path folder = fs::absolute(options.config_file).parent_path();
  fs::create_directories(folder, error);
  fs::create_directories(options.data, error);
  if (error) throw failure("cannot make " + options.data + ": " + error.message());
  fs::permissions(options.data, fs::perms::owner_all, error);

  const auto crypto = crypto::make_boringssl();
  for (const char* name : {"decoy-secret", "srs-secret"}) {
    if (auto made = installation_secret(options.data, name, *crypto); !made) throw failure(made.error().text);
  }

  json done = json::object();
  std::string certificate = options.certificate, key = options.key;
  if (certificate.empty()) {
    certificate = (folder / "certificate.pem").string();
    key = (folder / "key.pem").string();
    if (!fs::exists(certificate) || !fs::exists(key)) {
      make_certificate(options, certificate, key);
      done["certificate"] = certificate;
    }
  }
  json conf = {{"hostname", options.hostname}, {"data", fs::absolute(options.data).string()}};
  if (!options.user.empty()) conf["user"] = options.user;
  conf["listen"] = {{"smtp", addresses(options, 25)},
                    {"submission", addresses(options, 587)},
                    {"submissions", addresses(options, 465)},
                    {"imap", addresses(options, 143)},
                    {"imaps", addresses(options, 993)}};
  conf["tls"] = {{"certificates", json::array({{{"certificate", certificate}, {"key", key}}})}};
  // A webmail program on this machine logs in for everybody.
  conf["login_guard"] = {{"allow", {"127.0.0.1", "::1"}}};
  conf["log"] = {{"file", "-"}, {"format", "text"}, {"level", "info"}};
  const std::string text = "// Configuration of briefwerkd. Every key: briefwerkd --schema. After a change: briefwerkd --check.\n" +
                           conf.dump(2) + "\n";
  must(net::write_file(options.config_file, text, 0644));
  done["config"] = options.config_file;
  return done;
}

}  // namespace briefwerk::apps::ctl
