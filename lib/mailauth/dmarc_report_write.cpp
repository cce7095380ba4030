// Aggregate reports as documents: the order of elements is that of the schemas (RFC 7489 appendix C, RFC 9990
// appendix A), which let nobody choose.

#include <zlib.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <stdexcept>
#include <utility>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/date.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

// XML 1.0 §2.2: no controls but tab and line ends, no U+FFFE and U+FFFF.
void append_text(std::string& out, std::string_view text) {
  std::string repaired;
  if (!mail::is_valid_utf8(text)) text = repaired = mail::repair_utf8(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    switch (c) {
      case '&':
        out += "&amp;";
        continue;
      case '<':
        out += "&lt;";
        continue;
      case '>':
        out += "&gt;";
        continue;
      default:
        break;
    }
    const bool no_character = text.substr(i, 3) == "\xef\xbf\xbe" || text.substr(i, 3) == "\xef\xbf\xbf";
    if (no_character) i += 2;
    if (no_character || c == 0x7f || (c < 0x20 && c != '\t' && c != '\n'))
      out += '?';
    else
      out += text[i];
  }
}

class document {
 public:
  explicit document(report_format format) : format_(format) {}

  std::string run(const report& what) {
    out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    out_ += modern() ? "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n" : "<feedback>\n";
    depth_ = 1;
    leaf("version", what.version.empty() ? "1.0" : what.version);
    metadata(what.metadata);
    policy_published(what.published);
    for (const auto& row : what.rows) record(row);
    out_ += "</feedback>\n";
    return std::move(out_);
  }

 private:
  bool modern() const noexcept { return format_ == report_format::rfc9990; }

  void indent() { out_.append(depth_ * 2, ' '); }
  void leaf(std::string_view name, std::string_view text) {
    indent();
    out_.append("<").append(name).append(">");
    append_text(out_, text);
    out_.append("</").append(name).append(">\n");
  }
  void leaf_unless_empty(std::string_view name, std::string_view text) {
    if (!text.empty()) leaf(name, text);
  }
  void leaf(std::string_view name, std::uint64_t number) { leaf(name, std::to_string(number)); }
  template <class Inside>
  void element(std::string_view name, Inside inside) {
    indent();
    out_.append("<").append(name).append(">\n");
    ++depth_;
    inside();
    --depth_;
    indent();
    out_.append("</").append(name).append(">\n");
  }

  void metadata(const report_metadata& about) {
    element("report_metadata", [&] {
      leaf("org_name", about.org_name);
      leaf("email", about.email);
      leaf_unless_empty("extra_contact_info", about.extra_contact_info);
      leaf("report_id", about.report_id);
      element("date_range", [&] {
        leaf("begin", std::to_string(about.begin.time_since_epoch().count()));
        leaf("end", std::to_string(about.end.time_since_epoch().count()));
      });
      errors(about.errors);
      if (modern()) leaf_unless_empty("generator", about.generator);
    });
  }

  void errors(const std::vector<std::string>& all) {
    if (!modern()) {
      for (const auto& one : all) leaf("error", one);
      return;
    }
    std::string joined;  // RFC 9990: one element
    for (const auto& one : all) joined += (joined.empty() ? "" : "; ") + one;
    leaf_unless_empty("error", joined);
  }

  void policy_published(const published_policy& what) {
    const auto word = [](std::optional<policy> one, policy fallback) { return to_string(one.value_or(fallback)); };
    const auto own = what.p.value_or(policy::none);
    element("policy_published", [&] {
      leaf("domain", what.domain);
      if (what.adkim) leaf("adkim", to_string(*what.adkim));
      if (what.aspf) leaf("aspf", to_string(*what.aspf));
      leaf("p", to_string(own));
      if (modern()) {
        if (what.sp) leaf("sp", to_string(*what.sp));
        if (what.np) leaf("np", to_string(*what.np));
        if (what.testing) leaf("testing", *what.testing ? "y" : "n");
        if (what.method) leaf("discovery_method", to_string(*what.method));
        leaf_unless_empty("fo", what.fo);
        return;
      }
      leaf("sp", word(what.sp, own));
      leaf("pct", what.pct.value_or(100));
      leaf("fo", what.fo.empty() ? "0" : what.fo);
    });
  }

  void record(const report_row& row) {
    element("record", [&] {
      element("row", [&] {
        leaf("source_ip", row.source_ip);
        leaf("count", row.count);
        policy_evaluated(row);
      });
      element("identifiers", [&] {
        if (row.envelope_to && !row.envelope_to->empty()) leaf("envelope_to", *row.envelope_to);
        if (!modern() || row.envelope_from) leaf("envelope_from", row.envelope_from.value_or(""));
        leaf("header_from", row.header_from);
      });
      element("auth_results", [&] {
        for (const auto& one : row.dkim_results) dkim(one);
        // RFC 7489 has one at least, RFC 9990 one at most.
        const std::size_t most = modern() ? 1 : row.spf_results.size();
        for (std::size_t i = 0; i < std::min(most, row.spf_results.size()); ++i) spf(row.spf_results[i]);
        if (row.spf_results.empty() && !modern())
          spf({.domain = row.envelope_from.value_or(""),
               .scope = spf_scope::mail_from,
               .result = outcome::none,
               .human_result = {}});
      });
    });
  }

  void policy_evaluated(const report_row& row) {
    element("policy_evaluated", [&] {
      auto done = row.disposition.value_or(action::none);
      if (done == action::pass && !modern()) done = action::none;
      leaf("disposition", to_string(done));
      leaf("dkim", row.dkim == outcome::pass ? "pass" : "fail");
      leaf("spf", row.spf == outcome::pass ? "pass" : "fail");
      for (const auto& one : row.reasons) reason(one);
    });
  }

  // Each schema has types that the other lacks: those become "other", and the comment says what they were.
  void reason(const override_reason& one) {
    using enum override_type;
    const bool foreign = modern() ? one.type == forwarded || one.type == sampled_out : one.type == policy_test_mode;
    element("reason", [&] {
      leaf("type", to_string(foreign ? other : one.type));
      std::string comment = foreign ? std::string(to_string(one.type)) : std::string();
      if (!comment.empty() && !one.comment.empty()) comment += ": ";
      leaf_unless_empty("comment", comment + one.comment);
    });
  }

  void dkim(const dkim_result& one) {
    element("dkim", [&] {
      leaf("domain", one.domain);
      if (modern())
        leaf("selector", one.selector);
      else
        leaf_unless_empty("selector", one.selector);
      const auto result = one.result.value_or(outcome::none);
      leaf("result", to_string(result == outcome::softfail ? outcome::fail : result));  // SPF's word alone
      leaf_unless_empty("human_result", one.human_result);
    });
  }

  void spf(const spf_result& one) {
    element("spf", [&] {
      leaf("domain", one.domain);
      const auto scope = one.scope.value_or(spf_scope::mail_from);
      if (!modern() || scope == spf_scope::mail_from) leaf("scope", to_string(scope));
      const auto result = one.result.value_or(outcome::none);
      leaf("result", to_string(result == outcome::policy && !modern() ? outcome::fail : result));
      if (modern()) leaf_unless_empty("human_result", one.human_result);
    });
  }

  report_format format_;
  std::string out_;
  std::size_t depth_ = 0;
};

// What a file name or a subject may hold of a domain or id.
std::string name_octets(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
    if (plain) out += c;
  }
  return out;
}

}  // namespace

std::string write_report(const report& what, report_format format) { return document(format).run(what); }

std::string gzip(std::string_view octets) {
  z_stream stream{};
  constexpr int gzip_window = 15 + 16, memory = 8;
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, gzip_window, memory, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::string out(deflateBound(&stream, octets.size()), '\0');
  // zlib's own type of the input is not const; it does not write there.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));  // NOLINT
  stream.avail_in = static_cast<uInt>(octets.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int end = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (end != Z_STREAM_END) throw std::length_error("gzip");  // past 4 GiB
  return out;
}

std::string report_file_name(std::string_view receiver, const report& what, std::string_view id) {
  std::string out = name_octets(receiver) + '!' + name_octets(what.published.domain) + '!' +
                    std::to_string(what.metadata.begin.time_since_epoch().count()) + '!' +
                    std::to_string(what.metadata.end.time_since_epoch().count());
  std::string unique;
  std::ranges::copy_if(id, std::back_inserter(unique), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  if (!unique.empty()) out += '!' + unique;
  return out + ".xml.gz";
}

std::string write_report_mail(const report& what, const report_mail& mail) {
  std::string out;
  const auto field = [&](std::string_view name, std::string_view value) { mail::write_header_field(out, name, value); };
  const auto from = mail::parse_mailbox(mail.from, mail::utf8::allow);
  field("From", from ? mail::format_address(mail.from_name, *from) : mail.from);
  std::string to;
  for (const auto& one : mail.to) to += (to.empty() ? "" : ", ") + one;
  field("To", to);
  field("Date", mail::format_date({mail.date, 0}));
  const auto domain = name_octets(what.published.domain);
  field("Subject", "Report Domain: " + domain + " Submitter: " + name_octets(mail.submitter) + " Report-ID: <" +
                       what.metadata.report_id + ">");
  field("Message-ID", "<" + mail.message_id + ">");
  field("Auto-Submitted", "auto-generated");  // RFC 3834: nobody answers it
  field("MIME-Version", "1.0");
  field("Content-Type", "multipart/mixed; boundary=\"" + mail.boundary + "\"");
  out += "\r\n--" + mail.boundary + "\r\n";
  field("Content-Type", "text/plain; charset=us-ascii");
  out += "\r\nThis is a DMARC aggregate report about mail from " + domain + ", received by " +
         name_octets(mail.submitter) + ".\r\nPeriod: " + mail::format_date({what.metadata.begin, 0}) + " to " +
         mail::format_date({what.metadata.end, 0}) + ".\r\n\r\n--" + mail.boundary + "\r\n";
  field("Content-Type", "application/gzip; name=\"" + mail.file_name + "\"");
  field("Content-Disposition", "attachment; filename=\"" + mail.file_name + "\"");
  field("Content-Transfer-Encoding", "base64");
  out += "\r\n" + mail::encode_base64_lines(mail.compressed) + "\r\n--" + mail.boundary + "--\r\n";
  return out;
}

}  // namespace briefwerk::mailauth::dmarc
