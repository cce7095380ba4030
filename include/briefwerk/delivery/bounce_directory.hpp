#pragma once

// A directory in which the rewritten senders of forwarded mail (SRS) are addresses like any other: a bounce to one
// leads to the original sender. Everything that asks the directory (RCPT, local delivery, the queue) so finds the way
// back.

#include <string>
#include <utility>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/mailauth/srs.hpp"
#include "briefwerk/store/directory.hpp"

namespace briefwerk::delivery {

class bounce_directory final : public store::directory {
 public:
  // References outlive this. Rewritten addresses are looked for in the domains that `accounts` serves.
  bounce_directory(store::directory& accounts, const mailauth::srs& rewriting, const base::clock& time)
      : accounts_(accounts), rewriting_(rewriting), time_(time) {}

  // A rewritten address by our hand that is not too old: kind local, with the original sender as its only remote
  // address. Catch-alls do not get such mail.
  base::task<base::result<store::resolution>> resolve(mail::mailbox_address address) override;

  base::task<base::result<store::account>> find_account(std::string login) override {
    return accounts_.find_account(std::move(login));
  }
  base::task<base::result<store::account>> get_account(store::account_id id) override {
    return accounts_.get_account(std::move(id));
  }
  base::task<base::result<bool>> may_send_as(store::account_id id, mail::mailbox_address address) override {
    return accounts_.may_send_as(std::move(id), std::move(address));
  }
  base::task<base::result<bool>> is_local_domain(std::string name) override {
    return accounts_.is_local_domain(std::move(name));
  }
  base::task<base::result<std::vector<store::domain>>> domains() override { return accounts_.domains(); }
  base::task<base::result<std::vector<store::account>>> accounts() override { return accounts_.accounts(); }
  base::task<base::result<std::vector<store::alias>>> aliases() override { return accounts_.aliases(); }
  base::task<base::status> put_domain(store::domain value) override { return accounts_.put_domain(std::move(value)); }
  base::task<base::status> remove_domain(std::string name) override { return accounts_.remove_domain(std::move(name)); }
  base::task<base::result<store::account>> add_account(store::account value) override {
    return accounts_.add_account(std::move(value));
  }
  base::task<base::status> update_account(store::account value) override {
    return accounts_.update_account(std::move(value));
  }
  base::task<base::status> remove_account(store::account_id id) override {
    return accounts_.remove_account(std::move(id));
  }
  base::task<base::status> put_alias(store::alias value) override { return accounts_.put_alias(std::move(value)); }
  base::task<base::status> remove_alias(std::string address) override {
    return accounts_.remove_alias(std::move(address));
  }

 private:
  store::directory& accounts_;
  const mailauth::srs& rewriting_;
  const base::clock& time_;
};

}  // namespace briefwerk::delivery
