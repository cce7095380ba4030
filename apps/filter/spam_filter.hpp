#pragma once

// The judgement of spam in a server: its rules, its classifier, and who teaches it. Built by the filter chain.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/config/filter_config.hpp"
#include "apps/filter/spam_trainer.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/siphash.hpp"
#include "briefwerk/filter/bayes.hpp"
#include "briefwerk/filter/spam_stage.hpp"
#include "briefwerk/net/error.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::apps {

// Thread-safe.
class spam_filter {
 public:
  // References outlive the filter. `key`: of the installation; the tokens are hashed with it.
  static net::explained<std::unique_ptr<spam_filter>> create(const spam_config& conf, base::siphash_key key,
                                                             store::local_store& store, base::log_sink& log,
                                                             base::metrics* metrics);

  std::shared_ptr<filter::spam_stage> stage() const noexcept { return stage_; }
  // Null where the classifier is switched off.
  filter::bayes* classifier() noexcept { return classifier_.get(); }
  spam_trainer* trainer() noexcept { return trainer_.get(); }
  bool learns_from_users() const noexcept { return trainer_ != nullptr && conf_.classifier.users; }

  // Reads the file of rules anew. One that cannot be used changes nothing; the log says why.
  void reload();
  // Learning goes on in the background from now on, and has ended after stop().
  void start();
  void stop();

 private:
  spam_filter(const spam_config& conf, base::log_sink& log) : conf_(conf), log_(log) {}

  const spam_config conf_;
  base::log_sink& log_;
  std::shared_ptr<filter::bayes> classifier_;
  std::shared_ptr<filter::spam_stage> stage_;
  std::unique_ptr<spam_trainer> trainer_;
};

}  // namespace briefwerk::apps
