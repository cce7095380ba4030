#pragma once

// The directory over an engine: partition "d".

#include "briefwerk/store/directory.hpp"
#include "store/directory/directory_reader.hpp"
#include "store/mailbox/core.hpp"

namespace briefwerk::store {

class engine_directory final : public directory {
 public:
  explicit engine_directory(store_core& core) : core_(core), cache_(core.options.directory_cache) {}

  base::task<base::result<resolution>> resolve(mail::mailbox_address address) override;
  base::task<base::result<account>> find_account(std::string login) override;
  base::task<base::result<account>> get_account(account_id id) override;
  base::task<base::result<bool>> may_send_as(account_id id, mail::mailbox_address address) override;
  base::task<base::result<bool>> is_local_domain(std::string name) override;

  base::task<base::result<std::vector<domain>>> domains() override;
  base::task<base::result<std::vector<account>>> accounts() override;
  base::task<base::result<std::vector<alias>>> aliases() override;
  base::task<base::status> put_domain(domain value) override;
  base::task<base::status> remove_domain(std::string name) override;
  base::task<base::result<account>> add_account(account value) override;
  base::task<base::status> update_account(account value) override;
  base::task<base::status> remove_account(account_id id) override;
  base::task<base::status> put_alias(alias value) override;
  base::task<base::status> remove_alias(std::string address) override;

 private:
  using read_function = std::function<base::status(const directory_reader& read)>;
  base::status read(const read_function& f);
  base::task<base::result<resolution>> resolve_bare(mail::mailbox_address address);
  using change = std::function<base::status(const directory_reader& read, batch& out)>;
  base::task<base::status> apply(const change& f);
  template <class T, class F>
  base::result<std::vector<T>> all(char kind, const F& decode);
  // One commit: the account's row and index in the directory, and its limits in its own partition.
  base::task<base::status> write_account(const account& value, bool is_new);

  store_core& core_;
  directory_cache cache_;
};

}  // namespace briefwerk::store
