#include "net/dns_message.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::net {

using base::dns_answer;
using base::dns_status;
using base::dns_type;
using base::fail;

namespace {

constexpr std::size_t most_name = 255;  // RFC 1035 §2.3.4
constexpr std::size_t most_label = 63;
constexpr std::uint16_t type_soa = 6, type_opt = 41, class_in = 1;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

// Reads forward over the message; once it failed it stays failed and answers zeros.
class reader {
 public:
  explicit reader(std::string_view message, std::size_t at = 0) noexcept : message_(message), at_(at) {}

  bool ok() const noexcept { return ok_; }
  std::size_t at() const noexcept { return at_; }

  std::uint8_t u8() noexcept {
    const std::string_view octet = take(1);
    return octet.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(octet[0]);
  }
  std::uint16_t u16() noexcept {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() noexcept {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  std::string_view take(std::size_t size) noexcept {
    if (!ok_ || size > message_.size() - at_) {
      ok_ = false;
      return {};
    }
    at_ += size;
    return message_.substr(at_ - size, size);
  }

  // Uncompressed, in lower case. A pointer has to lead in front of the labels that it ends (RFC 1035 §4.1.4 says
  // "prior occurrence"), so each jump goes back and the chain ends.
  std::string name() {
    std::string out;
    std::size_t from = at_;  // start of the labels that are being read
    std::size_t at = at_;
    std::optional<std::size_t> resume;
    while (ok_) {
      if (at >= message_.size()) break;
      const auto length = static_cast<std::uint8_t>(message_[at]);
      if (length >= 0xc0) {
        if (message_.size() - at < 2) break;
        const std::size_t target =
            static_cast<std::size_t>(length & 0x3f) << 8 | static_cast<std::uint8_t>(message_[at + 1]);
        if (!resume) resume = at + 2;
        if (target >= from) break;
        from = at = target;
        continue;
      }
      if (length > most_label || out.size() + length + 1 > most_name || message_.size() - at - 1 < length) break;
      for (std::size_t i = 0; i <= length; ++i) out += lower(message_[at + i]);
      at += length + std::size_t{1};
      if (length == 0) {
        at_ = resume.value_or(at);
        return out;
      }
    }
    ok_ = false;
    return {};
  }

 private:
  std::string_view message_;
  std::size_t at_;
  bool ok_ = true;
};

struct resource_record {
  std::string name;
  std::uint16_t type = 0, rclass = 0;
  std::uint32_t ttl = 0;
  std::size_t data = 0, size = 0;  // offset in the message, since names in it may be compressed
};

resource_record read_record(reader& in) {
  resource_record out;
  out.name = in.name();
  out.type = in.u16();
  out.rclass = in.u16();
  out.ttl = in.u32();
  out.size = in.u16();
  out.data = in.at();
  in.take(out.size);
  if (out.type != type_opt && out.ttl > 0x7fffffff) out.ttl = 0;  // RFC 2181 §8
  return out;
}

// A name that fills the rest of the record's data.
std::optional<std::string> name_in(std::string_view message, const resource_record& record, std::size_t skip) {
  if (record.size < skip) return std::nullopt;
  reader in(message.substr(0, record.data + record.size), record.data + skip);
  std::string name = in.name();
  if (!in.ok() || in.at() != record.data + record.size) return std::nullopt;
  return name;
}

template <std::size_t Size>
std::optional<std::array<std::uint8_t, Size>> octets_of(std::string_view data) {
  if (data.size() != Size) return std::nullopt;
  std::array<std::uint8_t, Size> out;
  std::transform(data.begin(), data.end(), out.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return out;
}

std::optional<base::dns_record> decode_text(std::string_view data) {
  base::dns_txt out;
  for (std::size_t at = 0; at < data.size();) {
    const auto length = static_cast<std::uint8_t>(data[at++]);
    if (length > data.size() - at) return std::nullopt;
    out.text += data.substr(at, length);
    at += length;
  }
  return out;
}

std::optional<base::dns_record> decode_record(std::string_view message, const resource_record& record, dns_type type) {
  const std::string_view data = message.substr(record.data, record.size);
  switch (type) {
    case dns_type::a:
      if (const auto octets = octets_of<4>(data)) return base::ip_address::v4(*octets);
      break;
    case dns_type::aaaa:
      if (const auto octets = octets_of<16>(data)) return base::ip_address::v6(*octets);
      break;
    case dns_type::mx:
      if (const auto name = name_in(message, record, 2)) {
        reader in(data);
        const std::uint16_t preference = in.u16();
        return base::dns_mx{preference, from_wire_name(*name)};
      }
      break;
    case dns_type::txt:
      return decode_text(data);
    case dns_type::cname:
    case dns_type::ptr:
      if (const auto name = name_in(message, record, 0)) return base::dns_name{from_wire_name(*name)};
      break;
    case dns_type::srv:
      if (const auto name = name_in(message, record, 6)) {
        reader in(data);
        base::dns_srv out{in.u16(), in.u16(), in.u16(), {}};
        out.target = from_wire_name(*name);
        return out;
      }
      break;
    case dns_type::tlsa:
      if (data.size() > 3) {
        reader in(data);
        base::dns_tlsa out{in.u8(), in.u8(), in.u8(), {}};
        out.data = data.substr(3);
        return out;
      }
      break;
  }
  return std::nullopt;
}

struct sections {
  std::vector<resource_record> answers;
  std::optional<std::uint32_t> negative_ttl;  // RFC 2308 §5: the lesser of the SOA's TTL and its MINIMUM
  unsigned rcode = 0;
};

bool read_authority(std::string_view message, const resource_record& record, sections& out) {
  if (record.type != type_soa || record.rclass != class_in) return true;
  reader in(message.substr(0, record.data + record.size), record.data);
  in.name();
  in.name();
  for (int i = 0; i < 4; ++i) in.u32();
  const std::uint32_t minimum = in.u32();
  if (!in.ok()) return false;
  out.negative_ttl = std::min(record.ttl, minimum);
  return true;
}

bool read_sections(std::string_view message, reader& in, unsigned answers, unsigned authorities, unsigned others,
                   sections& out) {
  if (answers + authorities + others > base::limits::dns_records) return false;
  for (unsigned i = 0; i < answers && in.ok(); ++i) out.answers.push_back(read_record(in));
  for (unsigned i = 0; i < authorities && in.ok(); ++i)
    if (const resource_record record = read_record(in); in.ok() && !read_authority(message, record, out)) return false;
  for (unsigned i = 0; i < others && in.ok(); ++i)
    if (const resource_record record = read_record(in); record.type == type_opt)
      out.rcode |= record.ttl >> 24 << 4;  // RFC 6891 §6.1.3: the upper eight bits of the code
  return in.ok();
}

// Follows aliases (RFC 1034 §3.6.2) from the question's name to the records of the type asked for. False: malformed.
bool collect(std::string_view message, const sections& all, std::string at, dns_type type, dns_answer& out) {
  std::uint32_t ttl = 0x7fffffff;
  for (std::size_t steps = 0; steps <= base::limits::dns_cname_chain; ++steps) {
    const resource_record* alias = nullptr;
    for (const resource_record& record : all.answers) {
      if (record.rclass != class_in || record.name != at) continue;
      if (record.type == static_cast<std::uint16_t>(type)) {
        std::optional<base::dns_record> value = decode_record(message, record, type);
        if (!value) return false;
        out.records.push_back(std::move(*value));
        ttl = std::min(ttl, record.ttl);
      } else if (record.type == static_cast<std::uint16_t>(dns_type::cname)) {
        alias = &record;
      }
    }
    if (!out.records.empty() || alias == nullptr) {
      out.ttl = std::chrono::seconds(out.records.empty() ? std::min(ttl, all.negative_ttl.value_or(0)) : ttl);
      return true;
    }
    std::optional<std::string> next = name_in(message, *alias, 0);
    if (!next) return false;
    ttl = std::min(ttl, alias->ttl);
    at = std::move(*next);
    out.canonical_name = from_wire_name(at);
  }
  return false;  // a chain without end, or a circle
}

}  // namespace

base::result<std::string> to_wire_name(std::string_view name) {
  std::string out, label;
  if (name == ".") name = {};
  const auto close_label = [&] {
    if (label.empty() || label.size() > most_label) return false;
    out += static_cast<char>(label.size());
    out += label;
    label.clear();
    return true;
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '.') {
      if (!close_label()) return fail(base::errc::malformed);
      continue;
    }
    if (name[i] != '\\') {
      label += lower(name[i]);
      continue;
    }
    if (++i == name.size()) return fail(base::errc::malformed);
    if (!is_digit(name[i])) {
      label += lower(name[i]);
      continue;
    }
    if (name.size() - i < 3 || !is_digit(name[i + 1]) || !is_digit(name[i + 2])) return fail(base::errc::malformed);
    const int value = (name[i] - '0') * 100 + (name[i + 1] - '0') * 10 + (name[i + 2] - '0');
    if (value > 255) return fail(base::errc::malformed);
    label += lower(static_cast<char>(value));
    i += 2;
  }
  if (!label.empty() && !close_label()) return fail(base::errc::malformed);
  out += '\0';
  if (out.size() > most_name) return fail(base::errc::malformed);
  return out;
}

std::string from_wire_name(std::string_view wire) {
  std::string out;
  for (std::size_t at = 0; at < wire.size();) {
    const auto length = static_cast<std::uint8_t>(wire[at++]);
    if (length == 0) break;
    if (!out.empty()) out += '.';
    for (const char c : wire.substr(at, length)) {
      const auto octet = static_cast<std::uint8_t>(c);
      if (c == '.' || c == '\\') {
        out += '\\';
        out += c;
      } else if (octet <= 0x20 || octet >= 0x7f) {
        out += '\\';
        out += static_cast<char>('0' + octet / 100);
        out += static_cast<char>('0' + octet / 10 % 10);
        out += static_cast<char>('0' + octet % 10);
      } else {
        out += c;
      }
    }
    at += length;
  }
  return out;
}

std::string encode_dns_query(std::uint16_t id, std::string_view wire_name, dns_type type, std::uint16_t udp_size) {
  std::string out;
  put16(out, id);
  put16(out, 0x0120);  // RD, AD
  put16(out, 1);
  put16(out, 0);
  put16(out, 0);
  put16(out, 1);
  out += wire_name;
  put16(out, static_cast<std::uint16_t>(type));
  put16(out, class_in);
  out += '\0';
  put16(out, type_opt);
  put16(out, udp_size);
  put16(out, 0);
  put16(out, 0);
  put16(out, 0);
  return out;
}

base::result<dns_answer> decode_dns_answer(std::string_view message, std::string_view wire_name, dns_type type) {
  reader in(message);
  in.u16();
  const std::uint16_t flags = in.u16();
  const std::uint16_t questions = in.u16(), answers = in.u16(), authorities = in.u16(), others = in.u16();
  constexpr unsigned response = 0x8000, opcode = 0x7800, truncated = 0x0200, authentic = 0x0020;
  if (!in.ok() || (flags & response) == 0 || (flags & opcode) != 0 || (flags & truncated) != 0 || questions != 1)
    return fail(base::errc::malformed);
  const std::string asked = in.name();
  if (in.u16() != static_cast<std::uint16_t>(type) || in.u16() != class_in || !in.ok() || asked != wire_name)
    return fail(base::errc::malformed);
  sections all;
  all.rcode = flags & 0xfu;
  if (!read_sections(message, in, answers, authorities, others, all)) return fail(base::errc::malformed);

  dns_answer out;
  out.authenticated = (flags & authentic) != 0;
  constexpr unsigned no_error = 0, name_error = 3;
  if (all.rcode != no_error && all.rcode != name_error) return out;  // a failure, not to be kept
  if (!collect(message, all, asked, type, out)) return fail(base::errc::malformed);
  // RFC 6604 §3: the code speaks of the end of the chain of aliases.
  if (!out.records.empty())
    out.status = dns_status::found;
  else
    out.status = all.rcode == name_error ? dns_status::no_name : dns_status::no_data;
  return out;
}

}  // namespace briefwerk::net
