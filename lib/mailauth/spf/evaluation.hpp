#pragma once

// check_host() (RFC 7208 §4) for one identity: what is counted over all of its recursions lives here.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/mailauth/spf.hpp"
#include "mailauth/spf/macro.hpp"

namespace briefwerk::mailauth::spf {

class evaluation {
 public:
  struct identity_values {
    std::string sender, local, domain;  // domain in A-labels
  };

  evaluation(base::resolver& dns, const request& about, identity_values who, std::string helo, tracer trace,
             const check_options& options);

  // Fills the result, its reasons and the counts.
  base::task<void> run(verdict& out);

 private:
  // What check_host() of one domain ends with.
  struct host_result {
    outcome result = outcome::none;
    std::string mechanism, in_domain;
    std::optional<macro_string> explanation;
  };
  enum class match : std::uint8_t { yes, no, temperror, permerror };
  struct fetched {
    outcome result = outcome::pass;  // pass: there is a record
    record found;
  };

  base::task<host_result> check_host(std::string domain, tracer trace);
  base::task<fetched> fetch_record(const std::string& domain, tracer trace);
  base::task<host_result> follow_redirect(const macro_string& target, const std::string& domain, tracer trace);

  base::task<match> try_mechanism(const mechanism& which, const std::string& domain, tracer trace);
  base::task<match> try_include(const std::string& target, tracer trace);
  base::task<match> try_addresses(const std::string& target, const mechanism& which, tracer trace);
  base::task<match> try_mx(const std::string& target, const mechanism& which, tracer trace);
  base::task<match> try_ptr(const std::string& target, tracer trace);
  base::task<match> try_exists(const std::string& target, tracer trace);

  // The names that the client's address leads to and that lead back to it; asked once a check.
  base::task<match> find_validated(tracer trace);
  // match::no when the name cannot exist: the term does not match then.
  base::task<std::expected<std::string, match>> target_name(const macro_string& spec, const std::string& domain,
                                                            tracer trace);
  base::task<std::string> explain(const macro_string& spec, const std::string& domain, tracer trace);
  base::task<base::dns_answer> question(std::string name, base::dns_type type, tracer trace);

  macro_values values(const std::string& domain) const;
  std::string_view validated_name(std::string_view domain) const noexcept;
  bool count_lookup();
  bool count_void(const base::dns_answer& answer);
  match failed(outcome how, std::string why);

  base::resolver& dns_;
  const request& about_;
  identity_values who_;
  std::string helo_;
  tracer trace_;
  const check_options& options_;
  const base::clock& clock_;
  base::steady_time deadline_;
  bool ascii_local_;
  bool late_ = false;     // past the deadline
  bool counting_ = true;  // §4.6.4: the explanation counts nowhere
  unsigned lookups_ = 0, void_lookups_ = 0;
  std::optional<std::vector<std::string>> validated_;
  std::string problem_;
};

}  // namespace briefwerk::mailauth::spf
