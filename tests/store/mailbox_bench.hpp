#pragma once

// A store with one account, and what the conformance tests ask of it all the time.

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "briefwerk/base/task.hpp"
#include "store/mailbox_conformance.hpp"

namespace briefwerk::store::testing {

using base::sync_wait;
namespace flags = mail::flags;
using uids = mail::uid_set;
using list_of_names = std::vector<std::string>;

inline std::vector<std::string> keywords_of(const mailbox_snapshot& s, const message_entry& e) {
  std::vector<std::string> out;
  for (unsigned slot = 0; slot < s.keywords.size(); ++slot)
    if ((e.flags & mail::keyword_bit(slot)) != 0) out.push_back(s.keywords[slot]);
  return out;
}

struct bench {
  explicit bench(const mailbox_factory& make) : subject(make(time)), store(*subject.made) {
    REQUIRE(sync_wait(store.create_account("alice")));
  }
  base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'123))};
  mailbox_subject subject;
  mailbox_store& store;

  mailbox_id id(std::string name, account_id account = "alice") {
    auto found = sync_wait(store.find(account, name));
    CAPTURE(name);
    REQUIRE(found);
    return found->id;
  }
  snapshot_ptr look(mailbox_id box, account_id account = "alice") {
    auto seen = sync_wait(store.snapshot(account, box));
    REQUIRE(seen);
    check_snapshot(**seen);
    return *seen;
  }
  snapshot_ptr look(std::string name) { return look(id(name)); }
  std::uint32_t put(std::string octets, local_target target = {.account = "alice"}) {
    const std::string summary = "summary of " + octets;
    auto done = sync_wait(store.append({{octets, summary}}, {std::move(target)}));
    REQUIRE(done);
    return done->front().uid;
  }
  std::vector<std::string> names(account_id account = "alice") {
    auto all = sync_wait(store.list(account));
    REQUIRE(all);
    std::vector<std::string> out;
    for (const auto& info : *all)
      out.push_back(info.name + (info.selectable ? "" : " noselect") + (info.subscribed ? "" : " unsubscribed"));
    return out;
  }
  flags_changed set(mailbox_id box, uids which, flag_change how, flag_list list) {
    auto done = sync_wait(store.change_flags("alice", box, which, how, list, std::nullopt));
    REQUIRE(done);
    return *done;
  }
};

inline std::vector<std::uint32_t> uids_of(const mailbox_snapshot& s) {
  std::vector<std::uint32_t> out;
  for (const auto& p : s.pages())
    for (const auto& e : *p) out.push_back(e.uid);
  return out;
}

}  // namespace briefwerk::store::testing
