#pragma once

// Names and notes as several stages compare and keep them.

#include <algorithm>
#include <any>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/filter/stage.hpp"

namespace briefwerk::filter {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

inline std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

// "mx.example.org" is under "example.org", and so is "example.org" itself. Both in lower case.
inline bool is_under(std::string_view name, std::string_view domain) noexcept {
  if (!name.ends_with(domain) || domain.empty()) return false;
  return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

// A list of whole addresses and of domains (all below them included); in lower case, like the address.
inline bool is_address_listed(const std::vector<std::string>& list, std::string_view address) {
  const std::string_view domain = address.substr(address.rfind('@') + 1);
  return std::ranges::any_of(list, [&](const std::string& one) {
    return one.find('@') == std::string::npos ? is_under(domain, one) : one == address;
  });
}

// A stage's own note in the session, made where there is none.
template <class T>
T& note_of(session_facts& session, std::string_view name) {
  auto at = session.notes.find(name);
  if (at == session.notes.end()) at = session.notes.emplace(name, T()).first;
  return *std::any_cast<T>(&at->second);
}

}  // namespace briefwerk::filter
