#pragma once

// What a stage thinks of a session or a message, as data. Nothing here acts: the chain combines verdicts by one rule,
// and whoever runs the chain applies the result in one place.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/mail/message_edit.hpp"

namespace briefwerk::filter {

// In ascending severity: of several verdicts the most severe acts (the chain's rule).
enum class action : std::uint8_t {
  accept,      // no objection
  tag,         // deliver with the added header fields and score
  junk,        // deliver, marked as spam
  quarantine,  // say yes, keep it apart until an administrator releases it
  discard,     // say yes and keep nothing; only an administrator's rule may
  defer,       // 4yz: come again later
  reject,      // 5yz
};

constexpr std::string_view to_string(action what) noexcept {
  switch (what) {
    case action::accept: return "accept";
    case action::tag: return "tag";
    case action::junk: return "junk";
    case action::quarantine: return "quarantine";
    case action::discard: return "discard";
    case action::defer: return "defer";
    case action::reject: return "reject";
  }
  return "accept";
}

struct header_addition {
  std::string name, value;  // unfolded
};

struct verdict {
  action what = action::accept;
  int code = 0;               // SMTP reply code of defer and reject; 0: 451 or 550
  std::string enhanced{};     // enhanced status code, RFC 3463; empty: 4.7.1 or 5.7.1
  std::string text{};         // what the peer is told
  std::string reason{};       // for the log; never content of the message
  double score = 0;           // added to the message's spam score, whatever the action
  std::vector<header_addition> add_fields{};
  std::vector<mail::message_edit> edits{};  // at message, in this order; done where the message is taken

  static verdict accepted() { return {}; }
  static verdict tagged(double score, std::string why) {
    return {.what = action::tag, .reason = std::move(why), .score = score};
  }
  static verdict junked(std::string why) { return {.what = action::junk, .reason = std::move(why)}; }
  static verdict quarantined(std::string why) { return {.what = action::quarantine, .reason = std::move(why)}; }
  static verdict deferred(std::string text, std::string why) {
    return {.what = action::defer, .text = std::move(text), .reason = std::move(why)};
  }
  static verdict rejected(std::string text, std::string why) {
    return {.what = action::reject, .text = std::move(text), .reason = std::move(why)};
  }
};

}  // namespace briefwerk::filter
