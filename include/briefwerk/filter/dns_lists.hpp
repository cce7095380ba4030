#pragma once

// DNS-based lists of addresses and domains (RFC 5782): block lists, and allow lists (RFC 8904). Addresses are judged at
// connect, the name in HELO at hello, the sender's domain at mail, domains of links at message. All questions of a hook
// are asked side by side; an answer that takes longer than `limit` counts as none, so that no list delays mail. Answers
// are kept by the resolver's cache. Nothing but the address or domain that is looked up leaves the machine. Which allow
// lists know the client stands in the session's notes (allow_listing.hpp).

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/filter/stage.hpp"
#include "briefwerk/mailauth/public_suffix.hpp"

namespace briefwerk::filter {

// What an answer of a list means. An answer that no code of the list covers is not taken for a listing if the list has
// codes; a list without codes counts any answer from 127.0.0.0/8.
struct dns_list_code {
  base::ip_network answer;         // of IPv4; 127.0.0.4, or a whole network
  std::uint32_t bits = 0;          // not 0: one of these bits of the address's last 24 has to be set (URIBL, SURBL)
  double score = 0;
  std::optional<action> act;       // junk, quarantine, defer or reject at once, or accept: no objection
  std::string meaning;             // for people: "exploited machine"
};

enum class dns_list_kind : std::uint8_t { address, domain };

struct dns_list {
  std::string zone;                // "bl.example.org"
  dns_list_kind kind = dns_list_kind::address;
  bool v4 = true, v6 = true;       // of addresses: which families it lists
  bool helo = true, from = true, links = true;  // of domains: what is looked up
  bool allow = false;              // whom it lists is trusted: no other list rejects or defers; scores count
  double score = 0;                // of a listing without a code of its own; negative for trust
  std::optional<action> act;
  std::vector<dns_list_code> codes;
};

struct dns_lists_options {
  std::vector<dns_list> lists;
  std::vector<base::ip_network> networks;  // of clients that are never looked up
  std::chrono::milliseconds limit{5000};   // for the answers of one hook
  std::size_t links = 20;                  // domains of one message
};

class dns_lists final : public stage {
 public:
  // The resolver outlives the stage and its questions. `suffixes` finds the domain that a link's host belongs to; null:
  // hosts are looked up as they are. It outlives the stage as well.
  dns_lists(dns_lists_options options, base::resolver& resolver, const mailauth::public_suffix_list* suffixes);

  std::string_view name() const noexcept override { return "dns_lists"; }
  hook_set hooks() const noexcept override { return hook::connect | hook::hello | hook::mail | hook::message; }
  base::task<verdict> connect(session_facts& session) override;
  base::task<verdict> hello(session_facts& session) override;
  base::task<verdict> mail(session_facts& session, const mail::smtp_envelope& envelope) override;
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) override;

  // RFC 5782 §5: whether each list answers as a list does, to be asked at the start. One line for each that does not:
  // it lists what it must not, or not what it must (a list that refuses public resolvers looks like that as well).
  base::task<std::vector<std::string>> check() const;

 private:
  struct question;
  base::task<verdict> ask(session_facts& session, std::vector<question> questions);
  void add(std::vector<question>& to, std::string_view domain, bool dns_list::* wanted) const;

  dns_lists_options options_;
  base::resolver& resolver_;
  const mailauth::public_suffix_list* suffixes_;
};

// The labels of an address in a list's zone: "2.0.0.127" for 127.0.0.2, 32 of them for IPv6 (RFC 5782 §2.1, §2.4).
std::string dns_list_labels(const base::ip_address& address);

}  // namespace briefwerk::filter
