#pragma once

// Who is served here: domains, accounts, aliases, and what an account may do. Addresses compare by domain (lower-case
// A-labels) and by local part without regard to case (i;unicode-casemap), which is this server's choice for its own
// domains (RFC 5321 §2.4). Addresses are stored with ASCII letters in lower case and in NFC.

#include <cstdint>
#include <string>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::store {

struct domain {
  std::string name;                 // lower case, A-labels
  std::string catch_all;            // address that takes what nobody else has; empty: none
  char subaddress_separator = '+';  // user+tag; 0: off
};

struct account {
  account_id id;                         // made by the directory on insertion
  std::string login;                     // the primary address, normalised
  std::vector<std::string> credentials;  // "{SCRAM-SHA-256}…", "{SCRAM-SHA-1}…", "{PLAIN}…" or crypt(3) text; never logged
  std::uint64_t quota_octets = 0;        // 0: none
  std::uint64_t quota_messages = 0;
  bool enabled = true;                   // false: mail is taken, logins are refused
  std::vector<std::string> send_as;      // further addresses, or "@domain", that it may send as
};

struct alias {
  std::string address;                   // normalised
  std::vector<std::string> targets;      // local or remote addresses, or other aliases (loops end, depth is bounded)
};

// What an address means for incoming mail.
struct resolution {
  enum class kind : std::uint8_t { local, unknown_user, not_local_domain } what = kind::not_local_domain;
  struct delivery {
    account_id account;
    std::string login;
    std::string detail;                  // the tag of user+tag; empty where there is none
  };
  std::vector<delivery> accounts;        // each once
  std::vector<std::string> remote;       // addresses elsewhere that an alias names
};

class directory {
 public:
  virtual ~directory() = default;

  // In this order: an account of this name, an alias (its targets in turn, remote ones as they are), the same without
  // the tag of user+tag, the domain's catch-all. Loops of aliases end; limits::alias_depth and alias_expansion bound it.
  // Without a domain (<postmaster>, RFC 5321 §4.5.1) the first domain that knows the name answers.
  virtual base::task<base::result<resolution>> resolve(mail::mailbox_address address) = 0;
  // By login name: the primary address, or an alias that names this account alone. store::errc::no_such_account
  // where there is none.
  virtual base::task<base::result<account>> find_account(std::string login) = 0;
  virtual base::task<base::result<account>> get_account(account_id id) = 0;  // errc::no_such_account
  // May this account use the address as envelope sender or From? Own address (with any tag), aliases that lead to it
  // alone, send_as.
  virtual base::task<base::result<bool>> may_send_as(account_id id, mail::mailbox_address address) = 0;
  virtual base::task<base::result<bool>> is_local_domain(std::string name) = 0;

  virtual base::task<base::result<std::vector<domain>>> domains() = 0;
  virtual base::task<base::result<std::vector<account>>> accounts() = 0;
  virtual base::task<base::result<std::vector<alias>>> aliases() = 0;
  // Changes. base::errc::malformed: an address or a domain name that is none.
  virtual base::task<base::status> put_domain(domain value) = 0;         // adds or replaces
  virtual base::task<base::status> remove_domain(std::string name) = 0;  // errc::domain_in_use, base::errc::not_found
  // Answers the account with its id and its address as stored, and sets its quota in the mailbox store.
  // base::errc::already_exists: an account or alias has the address; errc::no_such_domain. Its mailboxes:
  // mailbox_store::create_account.
  virtual base::task<base::result<account>> add_account(account value) = 0;
  virtual base::task<base::status> update_account(account value) = 0;  // by id; as above, and errc::no_such_account
  virtual base::task<base::status> remove_account(account_id id) = 0;  // its mail: mailbox_store::remove_account
  // Adds or replaces. base::errc::already_exists: an account has the address; errc::no_such_domain.
  virtual base::task<base::status> put_alias(alias value) = 0;
  virtual base::task<base::status> remove_alias(std::string address) = 0;  // base::errc::not_found
};

}  // namespace briefwerk::store
