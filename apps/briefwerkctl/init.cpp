#include "apps/briefwerkctl/init.hpp"

#include <pwd.h>

#include <filesystem>

#include "apps/briefwerkctl/session.hpp"
#include "apps/store/open_store.hpp"
#include "apps/store/privileges.hpp"
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

// Throws failure for what the server would refuse, before anything is made.
void must_be_taken(const std::string& configuration, const init_options& options) {
  const auto conf = parse_config(configuration);
  if (!conf) throw failure("this makes no configuration: " + explained(conf.error()));
  std::vector<config_error> errors;
  if (!options.certificate.empty()) check_certificates(*conf, errors);
  if (!errors.empty()) throw failure(explained(errors));
  if (!options.user.empty() && !::getpwnam(options.user.c_str()))
    throw failure("no such user: " + options.user + " (useradd --system " + options.user + " makes it)");
}

}  // namespace

json init(const init_options& options) {
  if (fs::exists(options.config_file)) throw failure(options.config_file + " exists already; it is not overwritten");
  const fs::path folder = fs::absolute(options.config_file).parent_path();
  const bool own_certificate = options.certificate.empty();
  const std::string certificate = own_certificate ? (folder / "certificate.pem").string() : fs::absolute(options.certificate).string();
  const std::string key = own_certificate ? (folder / "key.pem").string() : fs::absolute(options.key).string();
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
  must_be_taken(text, options);

  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw failure("cannot make " + folder.string() + ": " + error.message());
  fs::create_directories(options.data, error);
  if (error) throw failure("cannot make " + options.data + ": " + error.message());
  fs::permissions(options.data, fs::perms::owner_all, error);
  const auto crypto = crypto::make_boringssl();
  for (const char* name : {"decoy-secret", "srs-secret"}) {
    if (auto made = installation_secret(options.data, name, *crypto); !made) throw failure(made.error().text);
    must(give_to((fs::path(options.data) / name).string(), options.user, {}));
  }
  must(give_to(options.data, options.user, {}));
  json done = json::object();
  if (own_certificate && (!fs::exists(certificate) || !fs::exists(key))) {
    make_certificate(options, certificate, key);
    must(give_to(key, options.user, {}));
    done["certificate"] = certificate;
  }
  must(net::write_file(options.config_file, text, 0644));
  done["config"] = options.config_file;
  return done;
}

}  // namespace briefwerk::apps::ctl
