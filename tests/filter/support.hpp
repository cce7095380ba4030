#pragma once

// What the tests of the stages share.

#include <doctest/doctest.h>

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/filter/state_store.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"

namespace briefwerk::testing {

inline base::ip_address ip(std::string_view text) {
  const auto parsed = base::ip_address::parse(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

// "" is the null sender.
inline mail::smtp_envelope envelope_of(const std::string& from, std::initializer_list<std::string> to) {
  mail::smtp_envelope made;
  const auto split = [](const std::string& address) {
    const std::size_t at = address.rfind('@');
    return mail::mailbox_address{address.substr(0, at), address.substr(at + 1)};
  };
  if (!from.empty()) made.sender = split(from);
  for (const std::string& one : to) made.recipients.push_back({.address = split(one)});
  return made;
}

// Rows in memory, counted.
class memory_store final : public filter::state_store {
 public:
  base::status load(const std::function<void(std::string_view, std::string_view)>& each) override {
    for (const auto& [row, value] : kept) each(row, value);
    return {};
  }
  void put(std::string row, std::string value) override {
    kept[std::move(row)] = std::move(value);
    ++writes;
  }
  void erase(std::string row) override {
    kept.erase(row);
    ++writes;
  }
  std::map<std::string, std::string> kept;
  int writes = 0;
};

}  // namespace briefwerk::testing
