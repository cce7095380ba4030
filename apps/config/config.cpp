#include "apps/config/config.hpp"

#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/config/conversions.hpp"
#include "apps/config/fields.hpp"
#include "apps/config/read_file.hpp"
#include "apps/filter/options.hpp"
#include "apps/filter/spam_rules.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/protocol/sasl/negotiation.hpp"

namespace briefwerk::apps {
namespace {

using json = nlohmann::ordered_json;

// Reads the keys of one object; what is left over is unknown and an error.
class reader {
 public:
  reader(const json& from, std::string path, std::vector<config_error>& errors)
      : from_(from), path_(std::move(path)), errors_(errors) {
    if (!from_.is_object()) report("", "must be an object");
  }

  void text(const char* key, std::string& value, const char*, needed must = needed::no) {
    const json* found = take(key);
    if (!found) {
      if (must == needed::yes) report("", std::string("the key \"") + key + "\" is missing");
    } else if (!found->is_string()) {
      report(key, "must be a text");
    } else {
      value = found->get<std::string>();
      if (must == needed::yes && value.empty()) report(key, "must not be empty");
    }
  }

  void number(const char* key, std::uint64_t& value, std::uint64_t least, std::uint64_t most, const char*) {
    const json* found = take(key);
    if (!found) return;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() < least || found->get<std::uint64_t>() > most) {
      report(key, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    } else {
      value = found->get<std::uint64_t>();
    }
  }

  void decimal(const char* key, double& value, double least, double most, const char*) {
    const json* found = take(key);
    if (!found) return;
    if (!found->is_number() || found->get<double>() < least || found->get<double>() > most) {
      report(key, "must be a number from " + json(least).dump() + " to " + json(most).dump());
    } else {
      value = found->get<double>();
    }
  }

  void flag(const char* key, bool& value, const char*) {
    const json* found = take(key);
    if (!found) return;
    if (found->is_boolean()) value = found->get<bool>();
    else report(key, "must be true or false");
  }

  void choice(const char* key, std::string& value, std::initializer_list<const char*> options, const char*) {
    const json* found = take(key);
    if (!found) return;
    if (found->is_string() && std::ranges::find(options, found->get<std::string>()) != options.end()) {
      value = found->get<std::string>();
      return;
    }
    std::string names;
    for (const char* one : options) names += (names.empty() ? "\"" : ", \"") + std::string(one) + "\"";
    report(key, "must be one of " + names);
  }

  void texts(const char* key, std::vector<std::string>& value, const char*) {
    if (from_.is_object() && from_.contains(key)) value.clear();  // not more than what stands there
    each(key, [&](const json& item, const std::string& where) {
      if (item.is_string()) value.push_back(item.get<std::string>());
      else report(where, "must be a text");
    });
  }

  void endpoints(const char* key, std::vector<base::endpoint>& value, const char*) {
    each(key, [&](const json& item, const std::string& where) {
      auto parsed = item.is_string() ? base::endpoint::parse(item.get<std::string>()) : base::fail(base::errc::malformed);
      if (parsed) value.push_back(*parsed);
      else report(where, "must be an address with a port, like \"192.0.2.1:25\" or \"[2001:db8::1]:25\"");
    });
  }

  void networks(const char* key, std::vector<base::ip_network>& value, const char*) {
    each(key, [&](const json& item, const std::string& where) {
      auto parsed = item.is_string() ? base::ip_network::parse(item.get<std::string>()) : base::fail(base::errc::malformed);
      if (parsed) value.push_back(*parsed);
      else report(where, "must be an address or a network, like \"192.0.2.0/24\" or \"2001:db8::/32\"");
    });
  }

  template <class T>
  void object(const char* key, T& value, const char*) {
    if (const json* found = take(key)) read_object(*found, path_ + "/" + key, value);
  }

  template <class T>
  void objects(const char* key, std::vector<T>& value, const char*) {
    each(key, [&](const json& item, const std::string& where) {
      read_object(item, path_ + "/" + where, value.emplace_back());
    });
  }

  void finish() {
    if (!from_.is_object()) return;
    for (const auto& [key, value] : from_.items()) {
      if (!known_.contains(key)) report(key, "is not a known key");
    }
  }

 private:
  const json* take(const char* key) {
    known_.insert(key);
    if (!from_.is_object()) return nullptr;
    const auto found = from_.find(key);
    return found == from_.end() ? nullptr : &*found;
  }

  template <class Each>
  void each(const char* key, Each use) {
    const json* found = take(key);
    if (!found) return;
    if (!found->is_array()) return report(key, "must be a list");
    std::size_t index = 0;
    for (const json& item : *found) use(item, key + ("/" + std::to_string(index++)));
  }

  template <class T>
  void read_object(const json& from, std::string path, T& value) {
    reader inner(from, std::move(path), errors_);
    describe(inner, value);
    inner.finish();
  }

  void report(const std::string& key, std::string text) {
    errors_.push_back({key.empty() ? path_ : path_ + "/" + key, std::move(text)});
  }

  const json& from_;
  std::string path_;
  std::vector<config_error>& errors_;
  std::set<std::string, std::less<>> known_;
};

class schema_writer {
 public:
  void text(const char* key, std::string& value, const char* meaning, needed must = needed::no) {
    json& field = add(key, "string", meaning);
    if (must == needed::yes) {
      field["minLength"] = 1;
      required_.push_back(key);
    } else {
      field["default"] = value;
    }
  }
  void number(const char* key, std::uint64_t& value, std::uint64_t least, std::uint64_t most, const char* meaning) {
    json& field = add(key, "integer", meaning);
    field["minimum"] = least;
    field["maximum"] = most;
    field["default"] = value;
  }
  void decimal(const char* key, double& value, double least, double most, const char* meaning) {
    json& field = add(key, "number", meaning);
    field["minimum"] = least;
    field["maximum"] = most;
    field["default"] = value;
  }
  void flag(const char* key, bool& value, const char* meaning) { add(key, "boolean", meaning)["default"] = value; }
  void choice(const char* key, std::string& value, std::initializer_list<const char*> options, const char* meaning) {
    json& field = add(key, "string", meaning);
    field["enum"] = json::array();
    for (const char* one : options) field["enum"].push_back(one);
    field["default"] = value;
  }
  void texts(const char* key, std::vector<std::string>&, const char* meaning) {
    add(key, "array", meaning)["items"] = {{"type", "string"}};
  }
  void endpoints(const char* key, std::vector<base::endpoint>&, const char* meaning) {
    add(key, "array", meaning)["items"] = {{"type", "string"},
                                           {"pattern", "^([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$"}};
  }
  void networks(const char* key, std::vector<base::ip_network>&, const char* meaning) {
    add(key, "array", meaning)["items"] = {{"type", "string"}, {"pattern", "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}};
  }
  template <class T>
  void object(const char* key, T&, const char* meaning) {
    json inner = of<T>();
    inner["description"] = meaning;
    properties_[key] = std::move(inner);
  }
  template <class T>
  void objects(const char* key, std::vector<T>&, const char* meaning) {
    add(key, "array", meaning)["items"] = of<T>();
  }

  template <class T>
  static json of() {
    schema_writer inner;
    T defaults;
    describe(inner, defaults);
    json schema = {{"type", "object"}, {"properties", inner.properties_}, {"additionalProperties", false}};
    if (!inner.required_.empty()) schema["required"] = inner.required_;
    return schema;
  }

 private:
  json& add(const char* key, const char* type, const char* meaning) {
    properties_[key] = {{"type", type}, {"description", meaning}};
    return properties_[key];
  }
  json properties_ = json::object();
  std::vector<std::string> required_;
};

// Finds keys that an object has twice: JSON lets the last one count, and the administrator may look at the first.
class repeated_keys {
 public:
  explicit repeated_keys(std::vector<config_error>& errors) : errors_(errors) {}

  void operator()(json::parse_event_t event, const json& parsed) {
    using enum json::parse_event_t;
    if (event == object_end || event == array_end) return open_.pop_back();
    if (event == key) {
      open_.back().key = parsed.get<std::string>();
      if (!open_.back().known.insert(open_.back().key).second) errors_.push_back({path(), "stands here twice"});
      return;
    }
    if (!open_.empty() && open_.back().is_array) open_.back().key = std::to_string(open_.back().elements++);
    if (event != value) open_.push_back({.is_array = event == array_start});
  }

 private:
  struct level {
    bool is_array;
    std::size_t elements = 0;
    std::string key;  // or the number of the element
    std::set<std::string> known;
  };
  std::string path() const {
    std::string all;
    for (const level& one : open_) all += "/" + one.key;
    return all;
  }

  std::vector<config_error>& errors_;
  std::vector<level> open_;
};

// One service has one entry: which of two were to be believed?
void check_proxies(const std::vector<proxy_config>& proxies, std::vector<config_error>& errors) {
  std::set<std::string> taken;
  std::size_t index = 0;
  for (const proxy_config& one : proxies) {
    const std::string where = "/listen/proxies/" + std::to_string(index++);
    if (one.networks.empty()) errors.push_back({where + "/networks", "is empty: whose headers are to be believed?"});
    for (const std::string& service : one.services.empty() ? all_services() : one.services) {
      if (std::ranges::find(all_services(), service) == all_services().end())
        errors.push_back({where + "/services", "\"" + service + "\" is no service: smtp, submission, submissions, imap, imaps"});
      else if (!taken.insert(service).second)
        errors.push_back({where + "/services", service + " stands in an entry before"});
    }
  }
}

// By whom something cannot be used, and why.
std::string not_by_us(int why) {
  const passwd* const us = ::getpwuid(::geteuid());
  return (us ? " as the user " + std::string(us->pw_name) + ": " : ": ") + std::generic_category().message(why);
}

template <class Use>
void each_endpoint(const listen_config& listen, Use use) {
  const std::vector<base::endpoint>* const all[] = {&listen.smtp, &listen.submission, &listen.submissions, &listen.imap, &listen.imaps};
  for (std::size_t service = 0; service < std::size(all); ++service) {
    for (std::size_t i = 0; i < all[service]->size(); ++i)
      use("/listen/" + all_services()[service] + "/" + std::to_string(i), (*all[service])[i]);
  }
}

// True where no interface of this machine has the address.
bool is_foreign(const base::ip_address& address) {
  sockaddr_storage where{};
  socklen_t size = sizeof(sockaddr_in);
  if (address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(where);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, address.octets().data(), sizeof v4.sin_addr);
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(where);
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, address.octets().data(), sizeof v6.sin6_addr);
    size = sizeof v6;
  }
  const int socket = ::socket(where.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return true;
  const bool foreign = ::bind(socket, reinterpret_cast<const sockaddr*>(&where), size) != 0 && errno == EADDRNOTAVAIL;
  ::close(socket);
  return foreign;
}

void check_addresses(const config& conf, std::vector<config_error>& errors) {
  const auto look = [&](const std::string& key, const base::ip_address& address) {
    if (is_foreign(address)) errors.push_back({key, "no interface of this machine has the address " + address.to_string()});
  };
  each_endpoint(conf.listen, [&](const std::string& key, const base::endpoint& one) { look(key, one.address); });
  for (const auto& [key, text] : {std::pair{"/delivery/source_v4", conf.delivery.source_v4},
                                  std::pair{"/delivery/source_v6", conf.delivery.source_v6}}) {
    if (const auto address = base::ip_address::parse(text)) look(key, *address);
  }
}

// What the server writes to must be its user's, down to the last file: briefwerkctl init sees to that.
void check_folders(const config& conf, std::vector<config_error>& errors) {
  namespace fs = std::filesystem;
  const auto refuse = [&](const char* key, const std::string& path, int why) {
    errors.push_back({key, "cannot use " + path + not_by_us(why)});
  };
  std::error_code error;
  const auto status = fs::status(conf.data, error);
  if (!fs::exists(status)) return errors.push_back({"/data", "no such folder: " + conf.data});
  if (!fs::is_directory(status)) return errors.push_back({"/data", conf.data + " is no folder"});
  if (::access(conf.data.c_str(), R_OK | W_OK | X_OK) != 0) return refuse("/data", conf.data, errno);
  for (fs::recursive_directory_iterator one(conf.data, error), end; !error && one != end; one.increment(error)) {
    // What goes away meanwhile is a running server's.
    if (one->is_symlink(error) || ::access(one->path().c_str(), R_OK | W_OK) == 0 || errno == ENOENT) continue;
    return refuse("/data", one->path(), errno);
  }
  if (error) return refuse("/data", conf.data, error.value());
  if (conf.log.file == "-" || ::access(conf.log.file.c_str(), W_OK) == 0) return;
  const int why = errno;
  const fs::path folder = fs::absolute(conf.log.file).parent_path();
  if (why != ENOENT) refuse("/log/file", conf.log.file, why);
  else if (::access(folder.c_str(), W_OK | X_OK) != 0) refuse("/log/file", folder, errno);
}

void check_endpoints(const listen_config& listen, std::vector<config_error>& errors) {
  std::set<base::endpoint> taken;
  each_endpoint(listen, [&](const std::string& key, const base::endpoint& one) {
    if (one.port != 0 && !taken.insert(one).second) errors.push_back({key, one.to_string() + " stands in an entry before"});
  });
}

// Rules that join several keys.
void check_together(const config& conf, std::vector<config_error>& errors) {
  const listen_config& l = conf.listen;
  if (!mail::is_domain(conf.hostname)) errors.push_back({"/hostname", "must be a domain name in ASCII, like \"mail.example.org\""});
  check_endpoints(l, errors);
  check_proxies(l.proxies, errors);
  if (conf.login_guard.allow.size() > base::limits::guard_allow) {
    errors.push_back({"/login_guard/allow", "has more than " + std::to_string(base::limits::guard_allow) + " networks"});
  }
  if (l.smtp.empty() && l.submission.empty() && l.submissions.empty() && l.imap.empty() && l.imaps.empty()) {
    errors.push_back({"/listen", "names no address: the server would do nothing"});
  }
  const bool clear_allowed = !conf.require_tls && conf.auth.without_tls;
  if (conf.tls.certificates.empty() && (!clear_allowed || !l.submissions.empty() || !l.imaps.empty())) {
    errors.push_back({"/tls/certificates", "is empty: encryption is required (briefwerkctl init makes a certificate)"});
  }
  check_filter(conf, errors);
  for (const auto& [key, text, v4] : {std::tuple{"/delivery/source_v4", conf.delivery.source_v4, true},
                                      std::tuple{"/delivery/source_v6", conf.delivery.source_v6, false}}) {
    if (text.empty()) continue;
    const auto address = base::ip_address::parse(text);
    if (!address || address->is_v4() != v4) errors.push_back({key, v4 ? "must be an IPv4 address" : "must be an IPv6 address"});
  }
  for (const auto& [key, networks] : {std::pair{"/authentication/exempt_networks/", &conf.authentication.exempt_networks},
                                      std::pair{"/delivery/ignored_networks/", &conf.delivery.ignored_networks}}) {
    for (std::size_t i = 0; i < networks->size(); ++i) {
      if (!base::ip_network::parse((*networks)[i]))
        errors.push_back({key + std::to_string(i), "must be a network, like \"192.0.2.0/24\""});
    }
  }
  const auto must_be_domain = [&](const std::string& key, const std::string& text) {
    const auto ascii = mail::domain_to_ascii(text);
    if (!text.empty() && (!ascii || !mail::is_domain(*ascii))) errors.push_back({key, "must be a domain name"});
  };
  must_be_domain("/forwarding/domain", conf.forwarding.domain);
  must_be_domain("/authentication/authserv_id", conf.authentication.authserv_id);
  for (std::size_t i = 0; i < conf.authentication.trusted_sealers.size(); ++i)
    must_be_domain("/authentication/trusted_sealers/" + std::to_string(i), conf.authentication.trusted_sealers[i]);
  for (std::size_t i = 0; i < conf.delivery.next_hops.size(); ++i) {
    const next_hop_config& hop = conf.delivery.next_hops[i];
    const std::string where = "/delivery/next_hops/" + std::to_string(i);
    if (hop.domain != "*") must_be_domain(where + "/domain", hop.domain);
    if (!base::ip_address::parse(hop.host)) must_be_domain(where + "/host", hop.host);
  }
  const auto known = protocol::sasl::all_mechanisms();
  for (std::size_t i = 0; i < conf.auth.disabled_mechanisms.size(); ++i) {
    const std::string& one = conf.auth.disabled_mechanisms[i];
    if (std::ranges::find(known, one) == known.end())
      errors.push_back({"/auth/disabled_mechanisms/" + std::to_string(i), "this server has no mechanism \"" + one + "\": they are written in capitals"});
  }
  const std::string& reporter = conf.dmarc.reports.address;
  if (!reporter.empty() && !mail::parse_mailbox(reporter, mail::utf8::allow)) errors.push_back({"/dmarc/reports/address", "must be a mail address"});
  if (conf.control_path().size() >= sizeof(sockaddr_un::sun_path))
    errors.push_back({"/control", "the path of the control socket is longer than a socket's may be: " + conf.control_path()});
}

}  // namespace

const std::vector<std::string>& all_services() {
  static const std::vector<std::string> names = {"smtp", "submission", "submissions", "imap", "imaps"};
  return names;
}

std::expected<config, std::vector<config_error>> parse_config(std::string_view text) {
  std::vector<config_error> errors;
  json tree;
  try {
    repeated_keys repeated(errors);
    const auto look = [&repeated](int, json::parse_event_t event, json& parsed) {
      repeated(event, parsed);
      return true;
    };
    tree = json::parse(text, look, true, true);
  } catch (const json::parse_error& bad) {
    const auto before = text.substr(0, std::min(bad.byte, text.size()));
    const auto line = std::ranges::count(before, '\n') + 1;
    return std::unexpected(std::vector<config_error>{{"", "line " + std::to_string(line) + ": not JSON: " + bad.what()}});
  }
  config conf;
  reader top(tree, "", errors);
  describe(top, conf);
  top.finish();
  if (errors.empty()) check_together(conf, errors);
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return conf;
}

std::expected<config, std::vector<config_error>> load_config(const std::string& file) {
  const auto text = read_file(file);
  if (!text) return std::unexpected(std::vector<config_error>{{"", text.error().text}});
  return parse_config(*text);
}

std::string config_schema() {
  json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Configuration of briefwerkd"}};
  schema.update(schema_writer::of<config>());
  return schema.dump(2) + "\n";
}

void check_certificates(const config& conf, std::vector<config_error>& errors) {
  std::size_t index = 0;
  for (const auto& one : conf.tls.certificates) {
    const std::string where = "/tls/certificates/" + std::to_string(index++);
    const std::size_t before = errors.size();
    for (const auto& [key, path] : {std::pair{"/certificate", one.certificate}, std::pair{"/key", one.key}}) {
      if (::access(path.c_str(), R_OK) != 0) errors.push_back({where + key, "cannot read " + path + not_by_us(errno)});
    }
    if (errors.size() != before) continue;
    net::tls_server_options options;
    options.certificates.push_back({one.certificate, one.key});
    if (const auto made = net::tls_context::server(std::move(options)); !made) errors.push_back({where, made.error().text});
  }
}

std::vector<config_error> check_environment(const config& conf) {
  std::vector<config_error> errors;
  check_addresses(conf, errors);
  check_certificates(conf, errors);
  if (conf.filter.spam.enabled) {
    if (std::string wrong = wrong_spam_rules(conf.filter.spam); !wrong.empty()) errors.push_back({"/filter/spam", wrong});
  }
  check_folders(conf, errors);
  if (!conf.user.empty() && !::getpwnam(conf.user.c_str())) errors.push_back({"/user", "no such user: " + conf.user});
  if (!conf.group.empty() && !::getgrnam(conf.group.c_str())) errors.push_back({"/group", "no such group: " + conf.group});
  return errors;
}

}  // namespace briefwerk::apps
