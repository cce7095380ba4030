#include <memory>

#include "apps/briefwerkctl/authentication_commands.hpp"
#include "apps/briefwerkctl/lookups.hpp"
#include "apps/briefwerkctl/mail_files.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mailauth.hpp"

namespace briefwerk::apps::ctl {
namespace {

using namespace mailauth;

struct verify_options {
  std::string file, ip, helo, from, server;
};

// The methods, one after the other, each with its steps.
class explanation {
 public:
  explicit explanation(bool silent) : silent_(silent) {}

  // Of the method that begins; the steps go there until the next one.
  tracer begin(const char* method) {
    method_ = method;
    steps_ = std::make_unique<trace_list>();
    return tracer(steps_.get());
  }
  // Its results; several for DKIM.
  void end(std::vector<method_result> results) {
    json row = {{"method", method_}, {"steps", json::array()}, {"results", json::array()}};
    if (!silent_) std::printf("%s\n", method_.c_str());
    for (const trace_step& step : steps_->steps()) {
      row["steps"].push_back({{"depth", step.depth}, {"what", step.what}, {"text", step.text}});
      if (!silent_)
        std::printf("%*s%.*s: %s\n", 2 + 2 * step.depth, "", static_cast<int>(step.what.size()), step.what.data(),
                    step.text.c_str());
    }
    for (method_result& one : results) {
      std::string said = one.result + (one.reason.empty() ? "" : " (" + one.reason + ")");
      for (const auto& property : one.properties)
        said += " " + property.type + "." + property.name + "=" + property.value;
      row["results"].push_back({{"result", one.result}, {"reason", one.reason}, {"text", said}});
      if (!silent_) std::printf("  => %s\n", said.c_str());
      all_.push_back(std::move(one));
    }
    methods_.push_back(std::move(row));
  }
  json methods() { return std::move(methods_); }
  std::vector<method_result> results() { return std::move(all_); }

 private:
  const bool silent_;
  std::string method_;
  std::unique_ptr<trace_list> steps_;
  json methods_ = json::array();
  std::vector<method_result> all_;
};

void explain_client(explanation& say, const verify_options& how, base::resolver& names, dmarc::input& found) {
  const auto ip = base::ip_address::parse(how.ip);
  if (!ip) throw failure(how.ip + " is no IP address");
  say.end({result_of(base::sync_wait(check_iprev(names, *ip, say.begin("iprev"))), *ip)});
  const spf::request about{.ip = *ip, .helo = how.helo, .sender = how.from, .receiver = "localhost"};
  if (!how.helo.empty() && !how.from.empty())
    say.end({result_of(base::sync_wait(spf::check_helo(names, about, say.begin("spf (HELO)"))))});
  const spf::verdict sender = base::sync_wait(spf::check_mail_from(names, about, say.begin("spf (MAIL FROM)")));
  say.end({result_of(sender)});
  found.spf = {sender.result, sender.domain};
}

void run_verify(const session& with, const verify_options& how) {
  const std::string message = read_message_file(how.file);
  std::vector<base::endpoint> servers;
  if (!how.server.empty())
    servers.push_back(lookups::server(how.server));
  else if (const auto conf = apps::load_config(with.config_file))
    servers = conf->delivery.dns_servers;
  lookups dns(servers);
  const auto crypto = crypto::make_boringssl();
  message_hasher hashed(*crypto);
  hashed.feed(message);
  hashed.finish();

  explanation say(with.as_json);
  dmarc::input input;
  if (!how.ip.empty()) explain_client(say, how, dns.names(), input);
  dkim_keys keys(*crypto, dns.names());
  const dkim_verifier dkim(keys, base::system_clock());
  std::vector<method_result> rows;
  for (const auto& one : base::sync_wait(dkim.verify(hashed, say.begin("dkim")))) {
    rows.push_back(result_of(facts_of(one)));
    input.dkim.push_back({one.what, one.domain, one.selector});
  }
  if (rows.empty()) rows.push_back(result_of(dkim_facts{}));
  say.end(std::move(rows));
  const arc_verifier arc(keys);
  say.end({result_of(facts_of(base::sync_wait(arc.verify(hashed, say.begin("arc")))))});
  const auto policy = base::sync_wait(
      dmarc::evaluate(dns.names(), read_author(hashed.header()), std::move(input), {}, say.begin("dmarc")));
  dmarc_facts facts{.result = policy.result,
                    .from_domain = policy.author_domain,
                    .policy = {},
                    .comment = {},
                    .reason = policy.reason};
  if (policy.published) facts.policy = to_string(policy.requested);
  say.end({result_of(facts)});

  const authentication_results all{.instance = {}, .authserv_id = "localhost", .version = 1, .results = say.results()};
  const std::string field = to_field(all);
  if (with.as_json) {
    print_json({{"methods", say.methods()}, {"disposition", to_string(policy.disposition)}, {"field", field}});
    return;
  }
  std::printf("\n%s", field.c_str());
}

}  // namespace

void add_verify(CLI::App& app, session& with) {
  auto* command = app.add_subcommand("verify", "Check SPF, DKIM, ARC and DMARC of a message, and explain each step");
  auto how = std::make_shared<verify_options>();
  command->add_option("file", how->file, "The message")->required();
  auto* ip = command->add_option("--ip", how->ip, "Address of the client that brought it; without it no SPF");
  command->add_option("--helo", how->helo, "What it said in EHLO")->needs(ip);
  command->add_option("--from", how->from, "Sender of the envelope (MAIL FROM); empty: the null sender")->needs(ip);
  command->add_option("--dns", how->server, "Name server to ask, as 192.0.2.53:53; default: as configured");
  command->callback([=, &with] { run_verify(with, *how); });
}

}  // namespace briefwerk::apps::ctl
