#pragma once

// Runs a server session over scripted input: whole, cut at every octet, and octet by octet. What is fed lies in heap
// blocks of exactly its size, which are freed when the session asks for more.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/protocol/smtp/server_session.hpp"

namespace smtp_script {

namespace smtp = briefwerk::protocol::smtp;

struct outcome {
  std::string output;                 // everything written
  std::string events;                 // what the driver heard, a word each
  std::vector<std::string> messages;  // accepted ones
  std::size_t writes = 0;
  std::string end;                    // "quit", "refused", … ; "open": the input ran out
};

// Answers a question. Returning false: accept() it.
using handler = std::function<bool(smtp::server_session&, const smtp::question&)>;

class server_run {
 public:
  server_run(const smtp::server_options& options, handler decide) : session_(options), decide_(std::move(decide)) {}

  // Each flight is input up to a STARTTLS; what is left of it when TLS starts is dropped.
  outcome operator()(const std::vector<std::vector<std::string_view>>& flights) {
    std::size_t flight = 0;
    std::size_t piece = 0;
    for (;;) {
      auto step = session_.next();
      if (auto* out = std::get_if<smtp::write>(&step)) {
        result_.output += out->bytes;
        ++result_.writes;
      } else if (std::holds_alternative<smtp::need_bytes>(step)) {
        if (flight == flights.size() || piece == flights[flight].size()) return finish("open");
        feed(flights[flight][piece++]);
      } else if (auto* data = std::get_if<smtp::message_data>(&step)) {
        sink_ += data->bytes;
      } else if (std::holds_alternative<smtp::drop_message>(step)) {
        sink_.clear();
        result_.events += "drop ";
      } else if (std::holds_alternative<smtp::reset>(step)) {
        result_.events += "reset ";
      } else if (std::holds_alternative<smtp::start_tls>(step)) {
        result_.events += "tls ";
        ++flight;
        piece = 0;
        session_.tls_started({"TLSv1.3", "TLS_AES_128_GCM_SHA256"});
      } else if (auto* q = std::get_if<smtp::ask>(&step)) {
        note(q->question);
        if (!decide_ || !decide_(session_, q->question)) session_.accept();
      } else {
        static constexpr const char* names[] = {"quit", "refused", "too_many_errors", "out_of_step"};
        return finish(names[static_cast<int>(std::get<smtp::close>(step).why)]);
      }
    }
  }

  smtp::server_session& session() { return session_; }

 private:
  void feed(std::string_view octets) {
    block_ = std::make_unique<char[]>(octets.size());
    octets.copy(block_.get(), octets.size());
    session_.feed({block_.get(), octets.size()});
  }

  void note(const smtp::question& about) {
    auto& events = result_.events;
    if (std::holds_alternative<smtp::connect_question>(about)) events += "connect ";
    if (auto* q = std::get_if<smtp::hello_question>(&about)) events += "hello:" + std::string(q->hello.name) + " ";
    if (auto* q = std::get_if<smtp::mail_question>(&about)) events += "mail:" + std::string(q->mail.from.mailbox) + " ";
    if (auto* q = std::get_if<smtp::rcpt_question>(&about)) events += "rcpt:" + std::string(q->rcpt.to.mailbox) + " ";
    if (auto* q = std::get_if<smtp::auth_question>(&about))
      events += std::string(q->first ? "auth:" : "more:") + std::string(q->mechanism) + ":" +
                (q->response ? "'" + std::string(*q->response) + "'" : std::string("none")) + " ";
    if (std::holds_alternative<smtp::message_start_question>(about)) {
      sink_.clear();
      events += "start ";
    }
    if (auto* q = std::get_if<smtp::message_end_question>(&about)) {
      events += "end:" + std::to_string(q->size) + " ";
      result_.messages.push_back(sink_);
    }
    if (auto* q = std::get_if<smtp::verify_question>(&about)) events += "verify:" + std::string(q->verify.argument) + " ";
  }

  outcome finish(const char* how) {
    result_.end = how;
    return std::move(result_);
  }

  smtp::server_session session_;
  handler decide_;
  outcome result_;
  std::string sink_;
  std::unique_ptr<char[]> block_;
};

inline bool same(const outcome& a, const outcome& b) {
  return a.output == b.output && a.events == b.events && a.messages == b.messages && a.end == b.end;
}

// Whole; the same outcome is checked for every cut of every flight and for single octets.
inline outcome run(const smtp::server_options& options, const std::vector<std::string>& flights, handler decide = {}) {
  const auto go = [&](const std::vector<std::vector<std::string_view>>& pieces) {
    return server_run(options, decide)(pieces);
  };
  std::vector<std::vector<std::string_view>> whole;
  std::vector<std::vector<std::string_view>> single;
  for (const auto& flight : flights) {
    whole.push_back({flight});
    auto& octets = single.emplace_back();
    for (std::size_t i = 0; i < flight.size(); ++i) octets.push_back(std::string_view(flight).substr(i, 1));
  }
  const outcome expected = go(whole);
  CHECK(same(go(single), expected));
  for (std::size_t i = 0; i < flights.size(); ++i) {
    const std::string_view flight = flights[i];
    // Long flights are cut at fewer places: the test stays short.
    const std::size_t stride = flight.size() > 4000 ? flight.size() / 997 : 1;
    for (std::size_t cut = 1; cut < flight.size(); cut += stride) {
      auto pieces = whole;
      pieces[i] = {flight.substr(0, cut), flight.substr(cut)};
      const outcome got = go(pieces);
      if (!same(got, expected)) {
        INFO("cut at ", cut, " of flight ", i);
        CHECK(got.output == expected.output);
        CHECK(got.events == expected.events);
        CHECK(got.end == expected.end);
        return expected;
      }
    }
  }
  return expected;
}

inline smtp::server_options plain_mx() {
  smtp::server_options options;
  options.hostname = "mx.example";
  options.greeting = "ready";
  options.require_tls = false;
  options.offer_starttls = false;
  options.offered.limits = false;
  return options;
}

}  // namespace smtp_script
