#pragma once

// What a receiver keeps of the messages it evaluated until the day's reports are made.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"

namespace briefwerk::mailauth::dmarc {

// One message, ready to be counted.
struct observation {
  published_policy published;
  std::vector<report_uri> rua;
  report_row row;  // count 1
};

// What the evaluation does not know.
struct message_facts {
  base::ip_address source;
  std::string envelope_from;               // domain of MAIL FROM; empty for the null reverse-path
  std::string envelope_to;                 // domain of the recipients when they share one; may be empty
  spf_scope scope = spf_scope::mail_from;  // which identity SPF's result is about
  action applied = action::none;           // what was really done
  std::vector<override_reason> reasons;    // why that is not what the domain asked for; t and pct are added here
};

// Nothing when there is nothing to report: no policy was found, its record asks for no reports, the author's domain
// could not be told, or DNS failed.
std::optional<observation> observe(const evaluation& found, const message_facts& facts);

// All that was seen of one policy domain in one UTC day.
class collection {
 public:
  explicit collection(std::size_t max_rows = base::limits::dmarc_report_rows) : max_rows_(max_rows) {}

  // Counts the message; the policy published last is the one that the report will show. Past max_rows different rows a
  // message is only counted as left out.
  void add(const observation& seen);
  // Adds what encode() wrote. errc::corrupt; then nothing was added.
  base::status merge(std::string_view octets);
  // Self-contained octets of a versioned form (lib/mailauth/dmarc_collection.cpp describes it).
  std::string encode() const;

  bool empty() const noexcept { return rows_.empty(); }
  std::size_t size() const noexcept { return rows_.size(); }
  std::uint64_t left_out() const noexcept { return left_out_; }
  const published_policy& published() const noexcept { return published_; }
  const std::vector<report_uri>& rua() const noexcept { return rua_; }
  // Rows by source; messages that were left out are told in an <error>.
  report make_report(report_metadata metadata) const;

 private:
  std::size_t max_rows_;
  published_policy published_;
  std::vector<report_uri> rua_;
  std::map<std::string, std::uint64_t> rows_;  // an encoded row and how often it was seen
  std::uint64_t left_out_ = 0;
};

// Gathers in memory between two writes to a store. Thread-safe.
class collector {
 public:
  struct bounds {
    std::size_t domains = base::limits::dmarc_collected_domains;  // policy domains at one time
    std::size_t rows = base::limits::dmarc_collected_rows;        // of all of them
  };
  collector() : collector(bounds{}) {}
  explicit collector(bounds limits) : bounds_(limits) {}

  // False when it is full; the message is then in no report.
  bool add(std::chrono::sys_seconds when, const observation& seen);

  struct batch {
    std::chrono::sys_days day;  // UTC
    std::string domain;         // policy domain
    std::string octets;         // collection::encode()
  };
  // Everything gathered so far, which is forgotten here. Batches of one day and domain add up (collection::merge).
  std::vector<batch> take();
  // Puts back what could not be stored.
  void give_back(std::vector<batch> batches);
  std::size_t rows() const;

 private:
  using key = std::pair<std::chrono::sys_days, std::string>;
  bounds bounds_;
  mutable std::mutex mutex_;
  std::map<key, collection> gathered_;
  std::size_t rows_ = 0;
};

}  // namespace briefwerk::mailauth::dmarc
