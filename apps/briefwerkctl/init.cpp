#include "apps/briefwerkctl/init.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

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

// The folder itself, where a symbolic link leads to it (from the usual place to a larger disk).
fs::path behind_links(const std::string& data) {
  std::error_code error;
  if (!fs::is_symlink(fs::absolute(data), error)) return fs::absolute(data).lexically_normal();
  const fs::path found = fs::canonical(data, error);
  if (error) throw failure(data + " is a symbolic link that leads nowhere: make the folder that it names first");
  if (!fs::is_directory(found, error)) throw failure(data + " leads to " + found.string() + ", which is no folder");
  return found;
}

// Where others may rename what is there they could put mail and secrets of their own in its place; a folder that is theirs
// may hold such already.
void must_be_safe(const fs::path& data, const std::string& user) {
  struct stat state {};
  const passwd* const owner = user.empty() ? nullptr : ::getpwnam(user.c_str());
  if (::stat(data.c_str(), &state) == 0 && state.st_uid != ::geteuid() && state.st_uid != 0 && !(owner && state.st_uid == owner->pw_uid))
    throw failure(data.string() + " belongs to another user: give it to the server's user, or name another folder");
  for (fs::path level = data.parent_path();; level = level.parent_path()) {
    const bool open_to_all = ::stat(level.c_str(), &state) == 0 && (state.st_mode & S_IWOTH) != 0 && (state.st_mode & S_ISVTX) == 0;
    if (open_to_all)
      throw failure("everybody may write to " + level.string() + ", and so could replace " + data.string() + ": chmod o-w " + level.string());
    if (level == level.parent_path()) return;
  }
}

// It becomes the server's alone, with all that is in it: not a folder that others live in. Beside the configuration is no
// other's place.
void must_be_its_own(const fs::path& data, const fs::path& configuration) {
  std::error_code error;
  if (!fs::exists(data, error) || fs::equivalent(data, configuration, error)) return;
  if (fs::exists(data / "decoy-secret", error) || fs::exists(data / "store", error)) return;
  for (const auto& one : fs::directory_iterator(data, error)) {
    if (one.path().filename() == "lost+found") continue;
    throw failure(data.string() + " holds " + one.path().filename().string() + " and no data of Briefwerk: name a folder of its own");
  }
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
  const fs::path data = behind_links(options.data);
  must_be_safe(data, options.user);
  must_be_its_own(data, folder);

  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw failure("cannot make " + folder.string() + ": " + error.message());
  fs::create_directories(data, error);
  if (error) throw failure("cannot make " + data.string() + ": " + error.message());
  fs::permissions(data, fs::perms::owner_all, error);
  if (error) throw failure("cannot keep others out of " + data.string() + ": " + error.message());
  const auto crypto = crypto::make_boringssl();
  for (const char* name : {"decoy-secret", "srs-secret"}) {
    if (auto made = installation_secret(data.string(), name, *crypto); !made) throw failure(made.error().text);
    must(give_to((data / name).string(), options.user, {}));
  }
  must(give_to(data.string(), options.user, {}));
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
