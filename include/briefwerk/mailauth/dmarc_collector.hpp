#pragma once

// What a receiver keeps of the messages it evaluated until the day's reports are made.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
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

// All that was seen of one policy domain in one UTC day. Rows that are alike are one row with a count.
class collection {
 public:
  collection() = default;
  collection(const collection& other);
  collection& operator=(const collection&) = delete;

  // Counts the message; the policy published last is the one that the report will show. The number of the row, from
  // 0 in the order of their first message; nothing when a new row does not fit under `most_rows`: then the message
  // is only counted as left out.
  std::optional<std::uint32_t> add(const observation& seen, std::size_t most_rows = base::limits::dmarc_report_rows);

  // The collection in pieces of octets: a head and its rows, each complete in itself and with a version in front
  // (lib/mailauth/dmarc_collection.cpp has the form).
  std::string encode_head() const;
  std::string encode_row(std::uint32_t number) const;
  // Puts pieces back in any order into an empty collection. errc::corrupt; then nothing changed.
  base::status restore_head(std::string_view octets);
  base::status restore_row(std::uint32_t number, std::string_view octets);

  std::size_t size() const noexcept { return rows_.size(); }  // rows
  std::vector<std::uint32_t> numbers() const;                 // of the rows
  std::uint64_t left_out() const noexcept { return left_out_; }
  const published_policy& published() const noexcept { return published_; }
  const std::vector<report_uri>& rua() const noexcept { return rua_; }

  // Rows in the order of their sources; messages that were left out are told in an <error>.
  report make_report(report_metadata metadata) const;

 private:
  struct counted {
    std::uint32_t number = 0;
    std::uint64_t count = 0;
  };
  published_policy published_;
  std::vector<report_uri> rua_;
  std::map<std::string, counted> rows_;  // by the encoded row without its count
  std::map<std::uint32_t, const std::string*> by_number_;
  std::uint64_t left_out_ = 0;
};

// The collections of several days and domains, in memory. Each change is told to `keep` as a small row of octets, so
// that a store can write it behind; restore() takes such rows back after a restart. Thread-safe; `keep` is called under
// a lock, so it must be cheap and must not call the collector.
class collector {
 public:
  struct bounds {
    std::size_t domains = base::limits::dmarc_collected_domains;          // of all days together
    std::size_t rows = base::limits::dmarc_collected_rows;                // of all collections
    std::size_t rows_of_one = base::limits::dmarc_collected_domain_rows;  // of one collection
  };
  struct keeper {
    std::function<void(std::string key, std::string value)> put;
    std::function<void(std::string key)> erase;
  };

  collector() : collector(bounds{}) {}
  explicit collector(bounds limits, keeper keep = {}) : bounds_(limits), keep_(std::move(keep)) {}

  // False when there was no room: the message is in no row, and the report says so if it can.
  bool add(std::chrono::sys_seconds when, const observation& seen);

  // Before the first add(). errc::corrupt for what put() never had; other rows are not affected.
  base::status restore(std::string_view key, std::string_view value);

  struct period {
    std::chrono::sys_days day;  // UTC
    std::string domain;         // policy domain
    auto operator<=>(const period&) const = default;
  };
  // Days that are over before `today`, oldest first.
  std::vector<period> finished(std::chrono::sys_days today) const;
  // A copy; nothing when there is none.
  std::optional<collection> find(const period& which) const;
  void forget(const period& which);
  std::size_t rows() const;

 private:
  void keep(std::string key, std::string value) const {
    if (keep_.put) keep_.put(std::move(key), std::move(value));
  }

  bounds bounds_;
  keeper keep_;
  mutable std::mutex mutex_;
  std::map<period, collection> gathered_;
  std::size_t rows_ = 0;
};

}  // namespace briefwerk::mailauth::dmarc
