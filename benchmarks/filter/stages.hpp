#pragma once

// The stages that both files measure.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>

#include "briefwerk/filter.hpp"

namespace briefwerk::benchmarks {

inline constexpr base::siphash_key key{1, 2};

inline mail::smtp_envelope envelope_of(std::string sender) {
  mail::smtp_envelope made;
  made.sender = mail::mailbox_address{std::move(sender), "far.example"};
  made.recipients.push_back({.address = {"alice", "example.org"}});
  return made;
}

// Five lists in DNS, three limits, greylisting that knows the envelope, and rules about content.
inline void add_small_stages(filter::chain& chain, base::resolver& names, base::manual_clock& time, const base::ip_address& client,
                             const mail::smtp_envelope& envelope) {
  filter::dns_lists_options lists;
  for (const char* zone : {"a.test", "b.test", "c.test"}) lists.lists.push_back({.zone = zone, .score = 1});
  for (const char* zone : {"d.test", "e.test"}) lists.lists.push_back({.zone = zone, .kind = filter::dns_list_kind::domain, .score = 1});
  chain.add(std::make_shared<filter::dns_lists>(lists, names, nullptr), {.on_failure = filter::failure_mode::open});
  filter::rate_options limits;
  for (const auto by : {filter::rate_key::address, filter::rate_key::network, filter::rate_key::sender_domain}) {
    limits.rules.push_back({by, filter::rate_unit::messages, 1000000000, std::chrono::seconds(1)});
  }
  chain.add(std::make_shared<filter::rate>(limits, base::system_clock(), key));
  const auto greylist = std::make_shared<filter::greylist>(filter::greylist_options{.trusted_after = 0}, names, time, key);
  chain.add(greylist, {.after = {"dns_lists", "rate"}});
  std::string wrong;
  filter::content_options rules{.senders = {"evil.example"}, .size = 50u << 20};
  rules.attachments.push_back({.extensions = {"exe", "js", "vbs"}, .types = {"windows_program"}, .encrypted = true});
  for (const char* pattern : {"(?i)you have won", "(?i)cheap pills", "\\$[0-9]+,[0-9]{3}", "^RE: RE: RE:"}) {
    rules.headers.push_back({.name = "r", .field = "Subject", .pattern = pattern, .score = 1});
  }
  chain.add(*filter::content::create(rules, wrong));
  filter::session_facts known;
  known.remote.address = client;
  for (int i = 0; i < 2; ++i, time.advance(std::chrono::seconds(400))) {
    (void)base::sync_wait(greylist->rcpt(known, envelope, envelope.recipients.front()));
  }
}

// A classifier with an opinion, and rules of each kind.
inline std::shared_ptr<filter::spam_stage> make_spam_stage(const base::clock& time) {
  const auto learned = std::make_shared<filter::bayes>(filter::bayes_options{.least_messages = 5}, key);
  for (int i = 0; i < 200; ++i) {
    const std::string number = std::to_string(i * 7919);
    learned->learn("Message-ID: <" + number + "@a.example>\r\nSubject: agenda " + number + "\r\n\r\nminutes of the meeting " + number,
                   filter::kind_of_mail::ham, {}, 1);
    learned->learn("Message-ID: <" + number + "@b.example>\r\nSubject: offer " + number + "\r\n\r\nbuy discount pills " + number,
                   filter::kind_of_mail::spam, {}, 1);
  }
  filter::spam_options options{.classifier = learned};
  for (const filter::spam_test& one : filter::spam_tests()) {
    options.rules.push_back({.name = std::string(one.name), .test = std::string(one.name), .score = 1});
  }
  for (const char* pattern : {"(?i)you have won", "(?i)cheap pills", "\\$[0-9]+,[0-9]{3}", "^RE: RE: RE:"}) {
    options.rules.push_back({.name = "subject", .field = "Subject", .pattern = pattern, .score = 1});
  }
  options.rules.push_back({.name = "link", .links = true, .pattern = "\\.(top|xyz)$", .score = 1});
  std::string wrong;
  return *filter::spam_stage::create(std::move(options), time, wrong);
}

}  // namespace briefwerk::benchmarks
