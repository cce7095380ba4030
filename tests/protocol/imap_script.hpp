#pragma once

// Plays a client's octets to a server session and answers its questions, as a driver would. The transcript holds what
// the session writes, and in angle brackets what it asks.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "briefwerk/protocol/imap/server_session.hpp"
#include "imap_describe.hpp"

namespace imap_test {

class player {
 public:
  explicit player(const imap::server_options& options) : session(options) {}

  // Feeds the octets in portions of `portion`, each from a block of exactly its size; 0: all at once.
  void play(std::string_view octets, std::size_t portion = 0) {
    if (portion == 0) portion = octets.size();
    run();
    while (!octets.empty() && !closed) {
      const auto count = std::min(portion, octets.size());
      const auto block = std::make_unique<char[]>(count);
      octets.copy(block.get(), count);
      session.feed({block.get(), count});
      octets.remove_prefix(count);
      run();
    }
  }

  // Steps until octets are needed, or the end.
  void run() {
    for (;;) {
      auto step = session.next();
      if (const auto* out = std::get_if<imap::write>(&step)) {
        for (const auto piece : out->pieces) transcript += piece;
      } else if (std::holds_alternative<imap::need_bytes>(step)) {
        idling = std::get<imap::need_bytes>(step).idling;
        return;
      } else if (auto* asked = std::get_if<imap::ask>(&step)) {
        std::visit([&](auto& question) { answer(question); }, asked->question);
      } else if (const auto* data = std::get_if<imap::message_data>(&step)) {
        message += data->bytes;
        if (refuse_after != 0 && message.size() >= refuse_after) {
          refuse_after = 0;
          session.complete(imap::condition::no, imap::codes::over_quota, "Disk full");
        }
      } else if (std::holds_alternative<imap::drop_message>(step)) {
        log += "<drop>";
        message.clear();
      } else if (std::holds_alternative<imap::start_compression>(step)) {
        log += "<compression>";
      } else if (std::holds_alternative<imap::start_tls>(step)) {
        log += "<tls>";
        session.tls_started();
        if (after_tls) return;
      } else {
        closed = true;
        reason = std::get<imap::close>(step).reason;
        return;
      }
    }
  }

  imap::server_session session;
  std::string transcript, log, message;
  std::string password = "sesame";
  std::size_t refuse_after = 0;      // octets of a message
  bool refuse_append = false, after_tls = false, closed = false, idling = false;
  imap::close_reason reason{};
  std::size_t pieces = 0;

 private:
  void note(std::string text) { log.append("<").append(text).append(">"); }

  void answer(imap::command_question& question) {
    note(std::visit(describe{}, question.command));
    std::visit([&](auto& command) { execute(command); }, question.command);
  }
  void execute(imap::login_command& login) {
    if (login.password != password) {
      return session.complete(imap::condition::no, imap::codes::authentication_failed, "Login failed");
    }
    session.authenticated();
    session.complete(imap::condition::ok, "", "Logged in");
  }
  void execute(imap::select_command& select) {
    if (select.mailbox == "nope") return session.complete(imap::condition::no, imap::codes::nonexistent, "No such mailbox");
    session.output().exists(3);
    session.selected(select.read_only);
    session.complete(imap::condition::ok, select.read_only ? imap::codes::read_only : imap::codes::read_write, "Selected");
  }
  void execute(imap::close_command&) {
    session.unselected();
    session.complete(imap::condition::ok, "", "Closed");
  }
  void execute(imap::idle_command&) { session.continue_idle(); }
  template <class Other>
  void execute(Other&) {
    session.complete(imap::condition::ok, "", "Completed");
  }

  void answer(imap::auth_question& question) {
    note("auth " + std::string(question.mechanism) + (question.first ? " first " : " ") +
         std::string(question.response.value_or("-")));
    if (!question.response) return session.challenge("");
    if (*question.response == "more") return session.challenge("and?");
    if (*question.response != password) {
      return session.complete(imap::condition::no, imap::codes::authentication_failed, "Login failed");
    }
    session.authenticated();
    session.complete(imap::condition::ok, "", "Logged in");
  }
  void answer(imap::auth_cancelled&) { log += "<cancelled>"; }
  void answer(imap::append_begin& question) {
    const auto& piece = question.piece;
    note("append [" + std::string(piece.mailbox) + "] " + text_of(piece.flags) + " " +
         (piece.internal_date ? std::to_string(*piece.internal_date) : "-") + " " + std::to_string(question.size) +
         (piece.replaced ? (piece.by_uid ? " replaces uid " : " replaces ") + text_of(*piece.replaced) : std::string()) +
         (piece.catenated ? " catenated" : "") + (question.first ? "" : " more"));
    if (refuse_append) return session.complete(imap::condition::no, imap::codes::try_create, "No such mailbox");
    session.accept_message();
  }
  void answer(imap::append_url& question) {
    note("url " + std::string(question.url));
    if (question.url == "bad") return session.complete(imap::condition::no, imap::codes::bad_url(question.url), "No such part");
    message.append("[").append(question.url).append("]");
    session.accept_part();
  }
  void answer(imap::append_end& question) {
    note("store " + std::to_string(question.count) + " " + message);
    message.clear();
    session.complete(imap::condition::ok, imap::codes::append_uid(38505, {{3955, 3955}}), "APPEND completed");
  }
  void answer(imap::idle_end&) {
    log += "<idle end>";
    session.complete(imap::condition::ok, "", "IDLE completed");
  }
};

}  // namespace imap_test
