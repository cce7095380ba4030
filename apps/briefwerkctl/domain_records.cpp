#include "apps/briefwerkctl/domain_records.hpp"

#include <algorithm>
#include <set>

#include "apps/config/read_file.hpp"
#include "briefwerk/base/encoding.hpp"
#include "briefwerk/net/certificate.hpp"

namespace briefwerk::apps::ctl {
namespace {

using base::dns_type;

bool is_wildcard(const base::ip_address& address) {
  return std::ranges::all_of(address.octets(), [](char c) { return c == 0; });
}

class builder {
 public:
  builder(std::string domain, const config& conf, const base::crypto& crypto)
      : domain_(std::move(domain)), conf_(conf), crypto_(crypto) {}

  domain_records take() { return std::move(out_); }

  void host() {
    std::set<base::ip_address> addresses;
    for (const auto& one : conf_.listen.smtp)
      if (!is_wildcard(one.address)) addresses.insert(one.address);
    if (addresses.empty())
      note("A, AAAA and PTR records of " + conf_.hostname + ": its addresses are not in the configuration");
    for (const auto& one : addresses) {
      add(conf_.hostname, one.is_v4() ? dns_type::a : dns_type::aaaa, one.to_string(), "address of the server");
      note("in the zone of the address: " + one.reverse_name() + ". IN PTR " + conf_.hostname + ".");
    }
    for (const auto& one : conf_.tls.certificates) tlsa(one.certificate);
  }

  void mail() {
    add(domain_, dns_type::mx, "10 " + conf_.hostname + ".", "mail server");
    std::string sources;
    for (const auto& one : source_addresses(conf_)) sources += (one.is_v4() ? " ip4:" : " ip6:") + one.to_string();
    add(domain_, dns_type::txt, "v=spf1 mx" + sources + " -all", "SPF of senders");
    if (conf_.hostname != domain_)
      add(conf_.hostname, dns_type::txt, "v=spf1 a" + sources + " -all", "SPF of the server's own name");
    add("_dmarc." + domain_, dns_type::txt, "v=DMARC1; p=quarantine; rua=mailto:postmaster@" + domain_, "DMARC policy");
  }

  void keys(const json& all) {
    bool any = false;
    for (const json& key : all.at("keys")) {
      const std::string name = key.at("name").get<std::string>();
      if (key.at("state") == "retired") {
        note(name + " may be taken out: its key is retired");
        continue;
      }
      any = true;
      add(name, dns_type::txt, key.at("record").get<std::string>(), "DKIM key, " + key.at("state").get<std::string>());
    }
    if (!any) note("no DKIM keys yet: briefwerkctl dkim generate " + domain_);
  }

  // RFC 8461 §3.1: the id changes with the policy, so it is made from it.
  void transport() {
    const std::string policy = "version: STSv1\nmode: enforce\nmx: " + conf_.hostname + "\nmax_age: 604800\n";
    const std::string id = base::hex_encode(crypto_.hash(base::hash_kind::sha256, policy)).substr(0, 20);
    add("_mta-sts." + domain_, dns_type::txt, "v=STSv1; id=" + id, "MTA-STS");
    note("MTA-STS needs this text at https://mta-sts." + domain_ +
         "/.well-known/mta-sts.txt: version: STSv1 / mode: enforce / mx: " + conf_.hostname + " / max_age: 604800");
    add("_smtp._tls." + domain_, dns_type::txt, "v=TLSRPTv1; rua=mailto:postmaster@" + domain_, "reports on TLS");
  }

  // RFC 6186 §3, RFC 8314 §5.1.
  void services() {
    service("_submissions._tcp.", conf_.listen.submissions);
    service("_submission._tcp.", conf_.listen.submission);
    service("_imaps._tcp.", conf_.listen.imaps);
    service("_imap._tcp.", conf_.listen.imap);
  }

 private:
  bool is_inside(const std::string& name) const { return name == domain_ || name.ends_with("." + domain_); }
  void note(std::string text) { out_.notes.push_back(std::move(text)); }
  void add(std::string name, dns_type type, std::string value, std::string purpose) {
    auto& list = is_inside(name) ? out_.records : out_.elsewhere;
    list.push_back({std::move(name), type, std::move(value), std::move(purpose)});
  }
  void service(const std::string& name, const std::vector<base::endpoint>& where) {
    if (where.empty()) return;
    add(name + domain_, dns_type::srv, "0 1 " + std::to_string(where.front().port) + " " + conf_.hostname + ".",
        "set-up of mail programs");
  }
  void tlsa(const std::string& file) {
    const auto pem = read_file(file);
    const auto digest = net::public_key_digest(pem.value_or(""));
    if (!digest) return note("no TLSA record: the certificate " + file + " cannot be read");
    add("_25._tcp." + conf_.hostname, dns_type::tlsa, "3 1 1 " + base::hex_encode(*digest),
        "certificate of the server (DANE; only in a signed zone)");
  }

  const std::string domain_;
  const config& conf_;
  const base::crypto& crypto_;
  domain_records out_;
};

}  // namespace

std::vector<base::ip_address> source_addresses(const config& conf) {
  std::vector<base::ip_address> found;
  for (const std::string* text : {&conf.delivery.source_v4, &conf.delivery.source_v6}) {
    if (const auto address = base::ip_address::parse(*text)) found.push_back(*address);
  }
  return found;
}

domain_records records_for(const std::string& domain, const config& conf, const json& keys,
                           const base::crypto& crypto) {
  builder made(domain, conf, crypto);
  made.mail();
  made.keys(keys);
  made.host();
  made.transport();
  made.services();
  return made.take();
}

}  // namespace briefwerk::apps::ctl
