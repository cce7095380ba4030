#pragma once

// A memory store with one account, an index in a folder of its own, and the answers that scanning gives.

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/envelope_text.hpp"
#include "briefwerk/mail/searched_text.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/search.hpp"
#include "briefwerk/store/local_store.hpp"
#include "search/account_indexer.hpp"

namespace briefwerk::search::testing {

using base::sync_wait;

class folder {
 public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "briefwerk-search-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::string path;
};

class house {
 public:
  house() : crypto_(crypto::make_boringssl()), store_(store::make_memory_store(*crypto_, base::system_clock())) {
    sync_wait(furnish());
    auto opened = open_xapian_index(folder_.path);
    REQUIRE(opened.has_value());
    index_ = std::move(*opened);
    inbox_ = sync_wait(mail().find(account, "INBOX"))->id;
  }

  void deliver(const std::string& message, const std::string& mailbox = "INBOX") {
    const std::string summary = mail::encode_summary(mail::summarise(message));
    const auto done = sync_wait(mail().deliver({message, summary}, {{.account = account, .mailbox = mailbox}}, {}));
    REQUIRE(done.has_value());
    REQUIRE((*done)[0].has_value());
  }
  account_indexer::turn build() {
    account_indexer indexer(*index_, mail(), options, [] { return false; }, [] {});
    account_indexer::turn sum;
    for (;;) {
      const auto done = indexer.run(account, true);
      REQUIRE(done.has_value());
      sum.indexed += done->indexed;
      sum.removed += done->removed;
      if (!done->more) return sum;
    }
  }
  void expunge(mail::uid_set uids) {
    REQUIRE(sync_wait(mail().change_flags(account, inbox_, uids, store::flag_change::add, {mail::flags::deleted, {}}, std::nullopt)));
    REQUIRE(sync_wait(mail().expunge(account, inbox_, uids)));
  }
  findings ask(std::vector<probe> probes) {
    auto found = index_->find(account, inbox_, probes);
    REQUIRE(found.has_value());
    return std::move(*found);
  }
  std::shared_ptr<const store::mailbox_snapshot> snapshot() { return *sync_wait(mail().snapshot(account, inbox_)); }

  store::mailbox_store& mail() { return store_->mailboxes(); }
  store::directory& directory() { return store_->directory(); }
  index& where() { return *index_; }
  store::mailbox_id inbox() const { return inbox_; }
  std::string index_folder() const { return folder_.path + "/" + account; }

  service_options options{.least_messages = 1, .batch = 1};
  store::account_id account;

 private:
  base::task<void> furnish() {
    store::domain here;
    here.name = "example.org";
    auto put = co_await store_->directory().put_domain(std::move(here));
    REQUIRE(put.has_value());
    store::account one;
    one.login = "alice@example.org";
    auto added = co_await store_->directory().add_account(std::move(one));
    REQUIRE(added.has_value());
    account = added->id;
    auto made = co_await store_->mailboxes().create_account(account);
    REQUIRE(made.has_value());
  }

  folder folder_;
  std::unique_ptr<base::crypto> crypto_;
  std::unique_ptr<store::local_store> store_;
  std::unique_ptr<index> index_;
  store::mailbox_id inbox_ = 0;
};

// Whether a message holds the text: by scanning it.
inline bool holds(const probe& asked, const std::string& message) {
  const mail::casemap_searcher needle(asked.text);
  const auto found = [&](std::string_view text) { return needle.found_in(text); };
  const auto kept = [&](mail::envelope_field of) {
    const std::string summary = mail::encode_summary(mail::summarise(message));
    const auto text = mail::envelope_text(mail::view_summary(summary)->envelope, of);
    return text && needle.found_in(*text);
  };
  switch (asked.in) {
    case field::from: return kept(mail::envelope_field::from);
    case field::to: return kept(mail::envelope_field::to);
    case field::cc: return kept(mail::envelope_field::cc);
    case field::bcc: return kept(mail::envelope_field::bcc);
    case field::subject: return kept(mail::envelope_field::subject);
    case field::message_id: return kept(mail::envelope_field::message_id);
    case field::header: return mail::visit_field_text(message, asked.name, found);
    case field::body: return mail::visit_body_text(mail::mime_tree(message), found);
    case field::text:
      return mail::visit_header_text(message, found) || mail::visit_part_headers(mail::mime_tree(message), found) ||
             mail::visit_body_text(mail::mime_tree(message), found);
  }
  return false;
}

}  // namespace briefwerk::search::testing
