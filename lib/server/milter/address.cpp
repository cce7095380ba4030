#include <charconv>

#include "briefwerk/server/milter_stage.hpp"

namespace briefwerk::server {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<base::ip_address> parse_host(std::string_view text, bool v6) {
  if (text == "localhost") text = v6 ? "::1" : "127.0.0.1";
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  const auto address = base::ip_address::parse(text);
  if (!address) return std::nullopt;
  return *address;
}

std::optional<milter_address> parse_tcp(std::string_view text, bool v6) {
  std::string_view port, host;
  if (const std::size_t at = text.find('@'); at != text.npos) {
    port = text.substr(0, at);
    host = text.substr(at + 1);
  } else if (const std::size_t colon = text.rfind(':'); colon != text.npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const auto number = parse_port(port);
  const auto address = parse_host(host, v6);
  if (!number || !address) return std::nullopt;
  return milter_address{.tcp = {*address, *number}};
}

}  // namespace

std::optional<milter_address> parse_milter_address(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == text.npos) return std::nullopt;
  const std::string_view kind = text.substr(0, colon), rest = text.substr(colon + 1);
  if (kind == "inet") return parse_tcp(rest, false);
  if (kind == "inet6") return parse_tcp(rest, true);
  if ((kind != "unix" && kind != "local") || !rest.starts_with('/')) return std::nullopt;
  return milter_address{.path = std::string(rest)};
}

}  // namespace briefwerk::server
