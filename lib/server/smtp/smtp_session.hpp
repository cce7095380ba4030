#pragma once

// One SMTP connection: drives the protocol machine, collects the message, asks the handler.

#include <memory>
#include <optional>
#include <string>

#include "briefwerk/server/smtp_server.hpp"

namespace briefwerk::server {

class smtp_session {
 public:
  smtp_session(net::stream stream, const smtp_service& service);
  ~smtp_session();
  smtp_session(const smtp_session&) = delete;
  smtp_session& operator=(const smtp_session&) = delete;

  base::task<void> run();

 private:
  using machine = protocol::smtp::server_session;

  base::task<bool> take(const protocol::smtp::server_step& step);  // false: the connection is over
  base::task<bool> refill();
  std::chrono::milliseconds patience() const;
  void restart_patience() { waiting_since_ = std::chrono::steady_clock::now(); }
  bool give_up(std::error_code why);  // false: there is nobody to say good-bye to
  base::task<bool> handshake();
  base::task<void> decide(const protocol::smtp::question& question);
  base::task<reply> answer(const protocol::smtp::hello_question& question);
  base::task<reply> answer(const protocol::smtp::mail_question& question);
  base::task<reply> answer(const protocol::smtp::rcpt_question& question);
  base::task<reply> answer(const protocol::smtp::message_end_question& question);
  base::task<void> authenticate(const protocol::smtp::auth_question& question);
  template <class Ask>
  base::task<reply> guarded(Ask ask);  // a handler that throws is answered for
  void store(const protocol::smtp::message_data& data);
  void drop_transaction() noexcept;
  void count(std::string_view what);
  // Of the message under way; without its size where it was not read to its end.
  void log_message(std::string_view event, const reply& decision, std::optional<std::uint64_t> size);
  void log(base::log_level level, std::string_view event, std::initializer_list<base::log_field> more);

  // What the handler is shown. A stage of its chain that goes on after its time limit keeps all of it as it is
  // (session_facts::owner), and the session works on with another.
  struct shown {
    explicit shown(message_buffer::options how) : message(std::move(how)) {}
    session_facts facts;
    smtp_envelope envelope;
    envelope_recipient candidate;
    message_buffer message;
  };
  void let_go_of_shared();
  std::shared_ptr<filter::message_observer> watch_message() noexcept;

  net::stream stream_;
  const smtp_service& service_;
  machine machine_;
  std::shared_ptr<shown> shown_;
  std::shared_ptr<filter::message_observer> observer_;  // of the message that arrives; null: nobody
  std::unique_ptr<char[]> input_;
  std::unique_ptr<auth_exchange> exchange_;
  auth_origin origin_;
  std::string mechanism_;  // of the login that goes on
  std::string exporter_, end_point_;
  std::chrono::steady_clock::time_point waiting_since_;  // for the line, or the message, that is to come
  bool in_message_ = false;      // octets of a message are to come
  bool in_transaction_ = false;  // MAIL was accepted
  std::uint64_t messages_ = 0;
};

}  // namespace briefwerk::server
