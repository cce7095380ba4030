#pragma once

// The filter chain of a server, as the configuration wants it: built here for the server and for `briefwerkctl filter
// test`, with the state of its stages.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "apps/config/config.hpp"
#include "apps/filter/spam_filter.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/dns_lists.hpp"
#include "briefwerk/filter/mailauth_stage.hpp"
#include "briefwerk/filter/rate.hpp"
#include "briefwerk/filter/state_table.hpp"
#include "briefwerk/filter/virus_stage.hpp"
#include "briefwerk/mailauth/public_suffix.hpp"
#include "briefwerk/net/error.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::apps {

// References outlive the chain.
struct filter_parts {
  base::resolver& resolver;
  const base::crypto& crypto;
  store::local_store& store;
  base::log_sink& log;
  base::metrics* metrics = nullptr;
  std::function<void(const filter::rate_notice&)> notify{};  // from any thread; must not block or throw
  // Likewise: each message whose DMARC policy was evaluated.
  std::function<void(const mailauth::dmarc::evaluation&, const mailauth::dmarc::message_facts&)> evaluated{};
  std::function<void(const filter::virus_notice&)> infected{};  // as notify
};

class filter_chain {
 public:
  // Reads the state that is kept: blocks on the disk.
  static net::explained<std::unique_ptr<filter_chain>> create(const config& conf, filter_parts parts);
  ~filter_chain();  // writes what has changed
  filter_chain(const filter_chain&) = delete;

  const filter::chain& chain() const noexcept { return chain_; }
  spam_filter* spam() noexcept { return spam_.get(); }  // null: switched off

  // Writes changes of the state behind, and learns, on threads of its own.
  void start();
  // Reads the rules about spam anew.
  void reload();
  // Asks the lists in DNS for their test entries and logs which do not work.
  base::task<void> check_lists() const;

 private:
  struct kept {
    filter::kept_table* table;
    std::unique_ptr<store::state_rows> rows;
  };

  filter_chain(const config& conf, filter_parts parts);
  net::explained<void> build(const config& conf);
  net::explained<void> build_spam(const config& conf);
  net::explained<void> keep(filter::kept_table& table, std::string_view name);
  void add(std::shared_ptr<filter::stage> stage, const filter_config& conf, filter::stage_options usual);
  void save();

  filter_parts parts_;
  std::optional<mailauth::public_suffix_list> suffixes_;
  filter::chain chain_;
  std::shared_ptr<filter::dns_lists> lists_;
  std::unique_ptr<spam_filter> spam_;
  std::vector<kept> kept_;
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::jthread saver_;
};

}  // namespace briefwerk::apps
