// Aggregate reports from documents. expat reads XML; the schema is followed by the names of elements and their
// parents alone, since reporters differ in namespaces, order and what they leave out.

#include <expat.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <utility>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"
#include "mailauth/dmarc_words.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

namespace limits = base::limits;
using base::errc;
using base::fail;

constexpr std::string_view blanks = " \t\r\n";

std::string_view trim(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

// The digits at the front: some write "1661558400.0".
template <class Number>
std::optional<Number> leading_number(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

std::string address_text(std::string_view text) {
  const auto parsed = base::ip_address::parse(text);
  return parsed ? parsed->to_string() : std::string(text);
}

// Of an element that occurs twice the first counts.
void set(std::string& member, std::string_view text) {
  if (member.empty()) member = text;
}
template <class Value>
void set(std::optional<Value>& member, std::optional<Value> value) {
  if (!member) member = std::move(value);
}

// The elements that hold others.
enum class place : std::uint8_t {
  outside,
  feedback,
  metadata,
  date_range,
  policy,
  record,
  row,
  evaluated,
  reason,
  identifiers,
  auth,
  dkim,
  spf,
  unknown
};

struct child {
  place parent;
  std::string_view name;
  place opens;
};
constexpr child children[] = {
    {place::outside, "feedback", place::feedback},
    {place::feedback, "report_metadata", place::metadata},
    {place::metadata, "date_range", place::date_range},
    {place::feedback, "policy_published", place::policy},
    {place::feedback, "record", place::record},
    {place::record, "row", place::row},
    {place::row, "policy_evaluated", place::evaluated},
    {place::evaluated, "reason", place::reason},
    {place::record, "identifiers", place::identifiers},
    {place::record, "identities", place::identifiers},  // a draft's name, still sent
    {place::record, "auth_results", place::auth},
    {place::auth, "dkim", place::dkim},
    {place::auth, "spf", place::spf},
};

place opened_by(place parent, std::string_view name) noexcept {
  for (const auto& one : children) {
    if (one.parent == parent && one.name == name) return one.opens;
  }
  return place::unknown;
}

class reader {
 public:
  explicit reader(const report_limits& bounds) : bounds_(bounds) {}

  void start(std::string_view name) {
    if (stopped_) return;  // expat may still call what it had at hand
    text_.clear();
    if (stack_.size() >= bounds_.depth) return stop(errc::limit_exceeded);
    const auto parent = stack_.empty() ? place::outside : stack_.back();
    const auto opens = opened_by(parent, name);
    stack_.push_back(opens);
    switch (opens) {
      case place::feedback:
        seen_ = true;
        break;
      case place::record:
        if (out_.rows.size() >= bounds_.rows) return stop(errc::limit_exceeded);
        out_.rows.emplace_back();
        break;
      case place::reason:
        open_item(row().reasons, reason_);
        break;
      case place::dkim:
        open_item(row().dkim_results, dkim_);
        break;
      case place::spf:
        open_item(row().spf_results, spf_);
        break;
      default:
        break;
    }
  }

  void end(std::string_view name) {
    const auto closed = stack_.back();
    stack_.pop_back();
    if (closed == place::feedback) ended_ = true;
    // A container holds text of its own when its name means a leaf there: <dkim> of policy_evaluated has no such
    // parent, so it is unknown as a container.
    if (closed == place::unknown && !stack_.empty()) leaf(stack_.back(), name, trim(text_));
    text_.clear();
  }

  void characters(std::string_view text) {
    // Enough for the longest value and the white space round it.
    if (text_.size() < limits::dmarc_report_text) text_ += text;
  }

  void stop(errc why) {
    if (!stopped_) stopped_ = why;
    if (parser != nullptr) XML_StopParser(parser, XML_FALSE);
  }

  std::optional<errc> stopped() const noexcept { return stopped_; }
  bool ended() const noexcept { return ended_; }
  base::result<report> take() {
    if (!seen_) return fail(errc::malformed);
    const bool named = !out_.published.domain.empty() ||
                       std::ranges::any_of(out_.rows, [](const auto& one) { return !one.header_from.empty(); });
    if (!named) return fail(errc::malformed);
    return std::move(out_);
  }

  XML_Parser parser = nullptr;

 private:
  report_row& row() { return out_.rows.back(); }

  template <class Item>
  void open_item(std::vector<Item>& all, Item*& current) {
    current = nullptr;
    if (all.size() < limits::dmarc_report_results) current = &all.emplace_back();
  }

  void leaf(place parent, std::string_view name, std::string_view text) {
    text = text.substr(0, mail::utf8_prefix(text, limits::dmarc_report_text));
    switch (parent) {
      case place::feedback:
        if (name == "version") set(out_.version, text);
        break;
      case place::metadata:
        return metadata_leaf(name, text);
      case place::date_range:
        return date_leaf(name, text);
      case place::policy:
        return policy_leaf(name, text);
      case place::row:
        return row_leaf(name, text);
      case place::evaluated:
        return evaluated_leaf(name, text);
      case place::identifiers:
        return identifier_leaf(name, text);
      case place::reason:
        if (reason_ != nullptr && name == "type") reason_->type = parse_override(text).value_or(override_type::other);
        if (reason_ != nullptr && name == "comment") set(reason_->comment, text);
        break;
      case place::dkim:
        if (dkim_ != nullptr) dkim_leaf(name, text);
        break;
      case place::spf:
        if (spf_ != nullptr) spf_leaf(name, text);
        break;
      default:
        break;
    }
  }

  void metadata_leaf(std::string_view name, std::string_view text) {
    auto& about = out_.metadata;
    if (name == "org_name") set(about.org_name, text);
    if (name == "email") set(about.email, text);
    if (name == "extra_contact_info") set(about.extra_contact_info, text);
    if (name == "report_id") set(about.report_id, text);
    if (name == "generator") set(about.generator, text);
    if (name == "error" && !text.empty() && about.errors.size() < limits::dmarc_report_results)
      about.errors.emplace_back(text);
  }

  void date_leaf(std::string_view name, std::string_view text) {
    const auto seconds = leading_number<std::int64_t>(text);
    // Past the year 9999 it is no date, and arithmetic on it could overflow.
    constexpr std::int64_t last = 253402300799;
    if (!seconds || *seconds < 0 || *seconds > last) return;
    if (name == "begin") out_.metadata.begin = std::chrono::sys_seconds(std::chrono::seconds(*seconds));
    if (name == "end") out_.metadata.end = std::chrono::sys_seconds(std::chrono::seconds(*seconds));
  }

  void policy_leaf(std::string_view name, std::string_view text) {
    auto& what = out_.published;
    if (name == "domain") set(what.domain, text);
    if (name == "version_published") set(what.version_published, text);
    if (name == "adkim") set(what.adkim, parse_alignment(text));
    if (name == "aspf") set(what.aspf, parse_alignment(text));
    if (name == "p") set(what.p, parse_policy(text));
    if (name == "sp") set(what.sp, parse_policy(text));
    if (name == "np") set(what.np, parse_policy(text));
    if (name == "pct") set(what.pct, leading_number<unsigned>(text));
    if (name == "testing") set(what.testing, parse_yes_no(text));
    if (name == "discovery_method") set(what.method, parse_discovery(text));
    if (name == "fo") set(what.fo, text);
  }

  void row_leaf(std::string_view name, std::string_view text) {
    if (name == "source_ip" && row().source_ip.empty()) row().source_ip = address_text(text);
    if (name == "count" && row().count == 0) row().count = leading_number<std::uint64_t>(text).value_or(0);
  }

  void evaluated_leaf(std::string_view name, std::string_view text) {
    if (name == "disposition") set(row().disposition, parse_action(text));
    if (name == "dkim") set(row().dkim, parse_result(text));
    if (name == "spf") set(row().spf, parse_result(text));
  }

  void identifier_leaf(std::string_view name, std::string_view text) {
    if (name == "header_from") set(row().header_from, text);
    if (name == "envelope_from") set(row().envelope_from, std::optional(std::string(text)));
    if (name == "envelope_to") set(row().envelope_to, std::optional(std::string(text)));
  }

  void dkim_leaf(std::string_view name, std::string_view text) {
    if (name == "domain") set(dkim_->domain, text);
    if (name == "selector") set(dkim_->selector, text);
    if (name == "result") set(dkim_->result, parse_result(text));
    if (name == "human_result") set(dkim_->human_result, text);
  }

  void spf_leaf(std::string_view name, std::string_view text) {
    if (name == "domain") set(spf_->domain, text);
    if (name == "scope") set(spf_->scope, parse_scope(text));
    if (name == "result") set(spf_->result, parse_result(text));
    if (name == "human_result") set(spf_->human_result, text);
  }

  report_limits bounds_;
  report out_;
  std::vector<place> stack_;
  std::string text_;
  override_reason* reason_ = nullptr;
  dkim_result* dkim_ = nullptr;
  spf_result* spf_ = nullptr;
  bool seen_ = false, ended_ = false;
  std::optional<errc> stopped_;
};

std::string_view local_name(const XML_Char* name) noexcept {
  const std::string_view whole(name);
  const auto colon = whole.rfind(':');
  return colon == whole.npos ? whole : whole.substr(colon + 1);
}

// expat asks for the table of a charset of one octet a character.
int XMLCALL single_octet_charset(void*, const XML_Char* name, XML_Encoding* table) {
  if (!mail::is_known_charset(name)) return XML_STATUS_ERROR;
  for (int i = 0; i < 256; ++i) {
    const char octet = static_cast<char>(i);
    const auto text = mail::to_utf8({&octet, 1}, name);
    table->map[i] = -1;
    if (!text || text->empty()) continue;
    const auto* at = reinterpret_cast<const unsigned char*>(text->data());
    if (text->size() == 1)
      table->map[i] = at[0];
    else if (text->size() == 2)
      table->map[i] = (at[0] & 0x1f) << 6 | (at[1] & 0x3f);
    else if (text->size() == 3)
      table->map[i] = (at[0] & 0x0f) << 12 | (at[1] & 0x3f) << 6 | (at[2] & 0x3f);
    if (table->map[i] == 0xfffd) table->map[i] = -1;
  }
  table->data = nullptr;
  table->convert = nullptr;
  table->release = nullptr;
  return XML_STATUS_OK;
}

struct parsed_document {
  base::result<report> found = fail(errc::malformed);
  bool encoding_wrong = false;  // worth another attempt with the encoding given
};

parsed_document parse_once(std::string_view xml, const char* encoding, const report_limits& bounds) {
  const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreate(encoding), XML_ParserFree);
  if (parser == nullptr) return {.found = fail(errc::unavailable)};
  reader state(bounds);
  state.parser = parser.get();
  XML_SetUserData(parser.get(), &state);
  XML_SetElementHandler(
      parser.get(),
      [](void* user, const XML_Char* name, const XML_Char**) { static_cast<reader*>(user)->start(local_name(name)); },
      [](void* user, const XML_Char* name) {
        auto& self = *static_cast<reader*>(user);
        if (!self.stopped()) self.end(local_name(name));
      });
  XML_SetCharacterDataHandler(parser.get(), [](void* user, const XML_Char* text, int length) {
    static_cast<reader*>(user)->characters({text, static_cast<std::size_t>(length)});
  });
  // No document type, so no entity but the five of XML: nothing can expand, nothing outside can be named.
  XML_SetStartDoctypeDeclHandler(parser.get(), [](void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    static_cast<reader*>(user)->stop(errc::malformed);
  });
  XML_SetUnknownEncodingHandler(parser.get(), single_octet_charset, nullptr);

  const auto state_of_parser = XML_Parse(parser.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE);
  if (state.stopped()) return {.found = fail(*state.stopped())};
  if (state_of_parser != XML_STATUS_OK) {
    const auto error = XML_GetErrorCode(parser.get());
    // What follows the end of the root does no harm to what was read.
    if (!state.ended()) {
      return {.found = fail(errc::malformed),
              .encoding_wrong = error == XML_ERROR_INVALID_TOKEN || error == XML_ERROR_INCORRECT_ENCODING ||
                                error == XML_ERROR_UNKNOWN_ENCODING || error == XML_ERROR_PARTIAL_CHAR};
    }
  }
  return {.found = state.take()};
}

}  // namespace

base::result<report> parse_report(std::string_view xml, const report_limits& bounds) {
  if (xml.size() > std::min<std::size_t>(bounds.octets, std::numeric_limits<int>::max()))
    return fail(errc::limit_exceeded);
  constexpr std::string_view mark = "\xef\xbb\xbf";
  // White space before the XML declaration is an error to expat, and sent.
  if (xml.starts_with(mark)) xml.remove_prefix(mark.size());
  xml.remove_prefix(std::min(xml.find_first_not_of(blanks), xml.size()));
  auto parsed = parse_once(xml, nullptr, bounds);
  if (!parsed.encoding_wrong || !xml.starts_with('<') || xml.substr(0, 2).find('\0') != xml.npos)
    return std::move(parsed.found);
  // The declaration says UTF-16 over eight-bit text, or UTF-8 over another charset: text of unknown making.
  return parse_once(mail::guess_utf8(xml), "UTF-8", bounds).found;
}

}  // namespace briefwerk::mailauth::dmarc
