// Reading of Authentication-Results: RFC 8601 §2.2.

#include <expected>
#include <string>
#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"
#include "mail/ascii.hpp"
#include "mailauth/results/reader.hpp"

namespace briefwerk::mailauth {
namespace {

namespace ascii = mail::ascii;
namespace limits = base::limits;

class payload_reader {
 public:
  explicit payload_reader(std::string_view value) : in_(value) {}

  std::expected<authentication_results, results_error> read(bool with_instance) {
    authentication_results out;
    const bool good = (!with_instance || read_instance(out)) && read_head(out) && read_results(out);
    if (!good) return std::unexpected(results_error{in_.position(), problem_});
    return out;
  }

 private:
  bool bad(const char* problem) noexcept {
    problem_ = problem;
    return false;
  }
  bool space(std::string* comment = nullptr) {
    return in_.skip_space(comment) || bad("a comment that does not end, or is nested too deep");
  }
  bool expect(char c, const char* problem) {
    if (!space()) return false;
    return in_.take(c) || bad(problem);
  }

  // RFC 8617 §4.1.1: i=1 to 50, and a ";".
  bool read_instance(authentication_results& out) {
    if (!space()) return false;
    if (in_.keyword() != "i") return bad("\"i=\" expected");
    if (!expect('=', "\"=\" expected") || !space()) return false;
    out.instance = in_.number();
    if (!out.instance || *out.instance < 1 || *out.instance > 50) return bad("no instance between 1 and 50");
    return expect(';', "\";\" expected");
  }

  // [CFWS] authserv-id [ CFWS authres-version ]
  bool read_head(authentication_results& out) {
    if (!space()) return false;
    std::optional<std::string> id = in_.token_or_quoted();
    if (!id) return bad("authserv-id expected");
    out.authserv_id = std::move(*id);
    const std::size_t behind = in_.position();
    if (!space()) return false;
    if (const auto version = in_.number()) {
      if (in_.position() == behind || *version == 0) return bad("no version of the field");
      out.version = *version;
    }
    return true;
  }

  bool read_results(authentication_results& out) {
    bool any = false;
    for (;;) {
      if (!space()) return false;
      if (in_.at_end()) return any || bad("\";\" and results, or \"none\", expected");
      if (!in_.take(';')) return bad("\";\" expected");
      any = true;
      if (!space()) return false;
      if (in_.at_end()) return true;
      if (out.results.size() == limits::authentication_methods) return bad("too many results");
      method_result one;
      bool none = false;
      if (!read_result(one, none)) return false;
      if (!none) out.results.push_back(std::move(one));
    }
  }

  // methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]; or "none" alone.
  bool read_result(method_result& out, bool& none) {
    out.method = in_.keyword();
    if (out.method.empty()) return bad("name of a method expected");
    if (!space()) return false;
    none = out.method == "none" && in_.at_end_or_semicolon();
    if (none) return true;
    if (in_.take('/')) {
      if (!space()) return false;
      const auto version = in_.number();
      if (!version) return bad("version of the method expected");
      out.version = *version;
    }
    if (!expect('=', "\"=\" and a result expected") || !space()) return false;
    out.result = in_.keyword();
    if (out.result.empty()) return bad("result expected");
    if (!space(&out.comment)) return false;
    while (!in_.at_end_or_semicolon())
      if (!read_property(out) || !space()) return false;
    return true;
  }

  bool read_property(method_result& out) {
    result_property one;
    one.name = in_.keyword();
    if (one.name.empty()) return bad("property expected");
    if (!space()) return false;
    if (in_.take('.')) {
      if (!space()) return false;
      one.type = std::exchange(one.name, in_.keyword());
      if (one.name.empty()) return bad("name of a property expected");
    }
    if (!expect('=', "\"=\" expected") || !space()) return false;
    std::optional<std::string> value = in_.property_value();
    if (!value) return bad("value expected");
    if (one.type.empty() && one.name == "reason" && out.properties.empty() && out.reason.empty()) {
      out.reason = std::move(*value);
      return true;
    }
    if (out.properties.size() == limits::authentication_properties) return bad("too many properties");
    one.value = std::move(*value);
    out.properties.push_back(std::move(one));
    return true;
  }

  results_reader in_;
  const char* problem_ = "";
};

bool same_id(std::string_view a, std::string_view b) {
  const auto normal = [](std::string_view id) {
    if (id.ends_with('.')) id.remove_suffix(1);
    base::result<std::string> ascii_id = mail::domain_to_ascii(id);
    return ascii_id ? std::move(*ascii_id) : ascii::to_lower(id);
  };
  return normal(a) == normal(b);
}

// [ instance ";" ] [CFWS] authserv-id
std::optional<std::string> read_authserv_id(std::string_view value) {
  results_reader in(value);
  if (!in.skip_space()) return {};
  results_reader instance = in;
  if (instance.keyword() == "i" && instance.skip_space() && instance.take('=') && instance.skip_space() &&
      instance.number() && instance.skip_space() && instance.take(';') && instance.skip_space())
    in = instance;
  return in.token_or_quoted();
}

}  // namespace

std::expected<authentication_results, results_error> parse_authentication_results(std::string_view value) {
  if (value.size() > limits::authentication_results)
    return std::unexpected(results_error{limits::authentication_results, "field too long"});
  return payload_reader(value).read(false);
}

std::expected<authentication_results, results_error> parse_arc_authentication_results(std::string_view value) {
  if (value.size() > limits::authentication_results)
    return std::unexpected(results_error{limits::authentication_results, "field too long"});
  return payload_reader(value).read(true);
}

bool claims_authserv_id(std::string_view value, std::string_view authserv_id) {
  if (const std::optional<std::string> id = read_authserv_id(value)) return same_id(*id, authserv_id);
  return ascii::to_lower(mail::unfold(value)).find(ascii::to_lower(authserv_id)) != std::string::npos;
}

const std::string* method_result::find(std::string_view type, std::string_view name) const noexcept {
  for (const result_property& each : properties)
    if (ascii::equals(each.type, type) && ascii::equals(each.name, name)) return &each.value;
  return nullptr;
}

method_result& method_result::add(std::string_view type, std::string_view name, std::string_view value) {
  if (!value.empty()) properties.push_back({std::string(type), std::string(name), std::string(value)});
  return *this;
}

const method_result* authentication_results::find(std::string_view method) const noexcept {
  for (const method_result& each : results)
    if (ascii::equals(each.method, method)) return &each;
  return nullptr;
}

}  // namespace briefwerk::mailauth
