#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/date.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/preview.hpp"
#include "mail/subject.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// Header decoding and writing: what is decoded is UTF-8, what is written stays one field and can be read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mail = briefwerk::mail;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto decoded = mail::decode_text(text);
  require(mail::is_valid_utf8(decoded));
  for (const auto& p : mail::parse_content_type(text).parameters) require(mail::is_valid_utf8(p.value));
  for (const auto& p : mail::parse_content_disposition(text).parameters) require(mail::is_valid_utf8(p.value));
  mail::parse_message_ids(text);
  mail::base_subject(text);
  mail::strip_html(text);
  if (const auto date = mail::parse_date(text)) require(mail::parse_date(mail::format_date(*date)).has_value());
  (void)mail::parse_internal_date(text);
  if (const auto name = mail::decode_modified_utf7(text)) require(mail::encode_modified_utf7(*name) == text);

  const mail::header_block fields(text);
  for (const auto& field : fields.fields())
    require(field.whole.data() >= text.data() && field.whole.data() + field.whole.size() <= text.data() + text.size());

  for (const auto context : {mail::word_context::text, mail::word_context::phrase}) {
    const auto coded = mail::encode_text(decoded, context);
    require(mail::is_ascii(coded));
    std::string field;
    mail::write_header_field(field, "Subject", coded);
    const mail::header_block block(field);
    require(block.fields().size() == 1 && block.length() == field.size());
  }
  std::string disposition = "attachment";
  mail::append_parameter(disposition, "filename", decoded);
  const auto parsed = mail::parse_content_disposition(disposition);
  require(parsed.parameters.size() <= 1);
  return 0;
}
