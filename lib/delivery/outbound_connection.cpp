#include "delivery/outbound_connection.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::delivery {

namespace smtp = protocol::smtp;

namespace {

constexpr std::uint64_t messages_at_most = 100;  // over one connection
constexpr std::chrono::milliseconds farewell{3000};  // for last words, on which nothing depends

smtp::client_options options_for(const outbound_connection::options& how) {
  smtp::client_options made;
  made.hostname = how.hostname;
  made.require_8bitmime = true;  // what kind of body it is was found by looking at it
  switch (how.tls) {
    case hop_tls::verified:
    case hop_tls::required: made.tls = smtp::tls_policy::required; break;
    case hop_tls::optional: made.tls = smtp::tls_policy::if_offered; break;
    case hop_tls::none: made.tls = smtp::tls_policy::never; break;
  }
  return made;
}

}  // namespace

outbound_connection::outbound_connection(next_hop hop, options how)
    : hop_(std::move(hop)), options_(std::move(how)), client_options_(options_for(options_)), session_(client_options_) {}

base::task<std::optional<smtp::reply>> outbound_connection::open(net::io_thread& thread, base::ip_address address) {
  auto connected = co_await net::connect(thread, {address, hop_.port}, options_.connect);
  if (!connected) {
    timed_out_ = connected.error() == base::errc::timed_out;
    co_return smtp::reply{451, {4, 4, 1}, "Cannot connect to " + address.to_string() + ": " + connected.error().message()};
  }
  stream_ = std::move(*connected);
  peer_ = stream_.peer();
  stream_.set_deadline(options_.deadline);
  input_ = std::make_unique_for_overwrite<char[]>(base::limits::session_input_buffer);
  co_await drive(stop_at::ready);
  if (ready_) co_return std::nullopt;
  if (tls_failure_) co_return std::move(*tls_failure_);
  if (session_.failure()) co_return *session_.failure();
  co_return smtp::replies::connection_lost;
}

base::task<void> outbound_connection::send(const mail::smtp_envelope& envelope, std::string_view octets) {
  message_ = octets;
  ++messages_;
  session_.send(envelope, {.size = octets.size(), .auth = {}});
  co_await drive(stop_at::finished);
  if (!stream_.is_open()) co_return;
  co_await drive(stop_at::ready);
  last_used = std::chrono::steady_clock::now();
}

bool outbound_connection::nothing_taken() const noexcept {
  return std::ranges::all_of(outcomes(), [](const smtp::recipient_outcome& one) {
    // RFC 5321 §3.8: 421 may come in reply to anything. After the final dot nobody knows what the server did.
    const bool left = one.answer.code == 421 || one.answer == smtp::replies::connection_lost;
    // What came before the first command of this message was no answer to it: a farewell, mostly.
    if (one.stage == smtp::outcome_stage::connection) return true;
    // RFC 8689 §4.2.1: every host is asked before such a message is given up.
    const bool unable = one.answer == smtp::replies::requiretls_not_offered;
    return (left || unable) && one.stage != smtp::outcome_stage::end_of_data;
  });
}

bool outbound_connection::may_go_on() const noexcept {
  const auto most = session_.offered().mail_max.value_or(messages_at_most);
  return ready_ && messages_ < std::min<std::uint64_t>(most, messages_at_most);
}

base::task<void> outbound_connection::quit() {
  if (!ready_) co_return;
  options_.deadline = std::min(options_.deadline, farewell);
  session_.quit();
  co_await drive(stop_at::closed);
}

base::task<void> outbound_connection::drive(stop_at until) {
  ready_ = false;
  bool going = true;
  while (going) {
    const smtp::client_step step = session_.next();
    going = co_await handle(step, until);
  }
}

base::task<bool> outbound_connection::handle(const smtp::client_step& step, stop_at until) {
  if (const auto* out = std::get_if<smtp::write>(&step)) {
    stream_.set_deadline(options_.deadline);
    const auto sent = co_await stream_.write(out->bytes);
    replies_due_ = 0;
    if (!sent) {
      stream_.set_deadline(farewell);
      const auto said = co_await stream_.read_some({input_.get(), base::limits::session_input_buffer});
      session_.cut_off({input_.get(), said.value_or(0)});
    }
  } else if (std::holds_alternative<smtp::need_bytes>(step)) {
    stream_.set_deadline(patience());
    const auto got = co_await stream_.read_some({input_.get(), base::limits::session_input_buffer});
    timed_out_ = !got && got.error() == base::errc::timed_out;
    if (got) session_.feed({input_.get(), *got});
    else session_.connection_lost();
  } else if (std::holds_alternative<smtp::start_tls>(step)) {
    const bool done = co_await handshake();
    if (!done) co_return false;
  } else if (std::holds_alternative<smtp::need_message>(step)) {
    session_.message(message_, true);
  } else if (std::holds_alternative<smtp::ready>(step)) {
    ready_ = true;
    co_return false;
  } else if (std::holds_alternative<smtp::finished>(step)) {
    co_return until != stop_at::finished;
  } else {
    stream_.close();
    co_return false;
  }
  co_return true;
}

// What is left of the time for the next reply: octets that come now and then do not make it longer.
std::chrono::milliseconds outbound_connection::patience() {
  const auto now = std::chrono::steady_clock::now();
  if (std::exchange(replies_due_, session_.replies_due()) != session_.replies_due()) waiting_since_ = now;
  const bool ends = session_.waiting_for() == smtp::outcome_stage::end_of_data;
  const auto left = (ends ? options_.end_deadline : options_.deadline) - (now - waiting_since_);
  return std::max(std::chrono::milliseconds(1), std::chrono::ceil<std::chrono::milliseconds>(left));
}

base::task<bool> outbound_connection::handshake() {
  net::tls_context* const context = options_.tls == hop_tls::verified ? options_.verified : options_.recorded;
  stream_.set_deadline(options_.deadline);
  base::status done = base::fail(base::errc::unsupported);
  if (context) done = co_await stream_.start_tls_client(*context, hop_.host);
  if (!done) {
    timed_out_ = done.error() == base::errc::timed_out;
    // RFC 3463 §3.8: 4.7.5, cryptographic failure.
    const std::string why = context ? done.error().message() : "not configured";
    tls_failure_ = smtp::reply{451, {4, 7, 5}, "TLS with " + hop_.host + " failed: " + why};
    session_.connection_lost(*tls_failure_);
    stream_.close();
    co_return false;
  }
  tls_version_ = stream_.tls().version;
  session_.tls_started();
  co_return true;
}

}  // namespace briefwerk::delivery
