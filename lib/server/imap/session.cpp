#include "session.hpp"

#include "search_context.hpp"
#include "shared_names.hpp"

#include <bit>
#include <type_traits>
#include <utility>
#include <variant>

#include "briefwerk/base/random_id.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "yield.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

session::session(net::stream connection, imap_service::impl& service, thread_state& thread, base::executor& where)
    : service_(service), thread_(thread), where_(where), stream_(std::move(connection)), machine_(service.protocol),
      id_(base::random_id(*service.options.crypto)) {
  if (service_.counted.connections != nullptr) {
    service_.counted.connections->add();
    service_.counted.sessions->add();
  }
}

session::~session() {
  leave();
  if (service_.counted.sessions == nullptr) return;
  service_.counted.sessions->subtract();
  service_.counted.octets_sent->add(static_cast<std::int64_t>(octets_sent_));
  service_.counted.messages_fetched->add(fetched_);
  service_.counted.messages_appended->add(appended_);
}

base::task<bool> session::prepare_tls() {
  if (!options().tls) co_return false;
  stream_.set_deadline(options().login_deadline);
  const auto shaken = co_await stream_.start_tls_server(*options().tls);
  if (!shaken) {
    options().log->log(base::log_level::info, options().name + ".tls.failed",
                       {{"session", id_}, {"peer", stream_.peer().address.to_string()}, {"reason", shaken.error().message()}});
    co_return false;
  }
  machine_.tls_started();
  co_return true;
}

base::task<void> session::run() {
  options().log->log(base::log_level::info, options().name + ".session.opened",
                     {{"session", id_}, {"peer", stream_.peer().address.to_string()}});
  bool open = true;
  std::string_view why = "connection lost";
  if (options().implicit_tls) open = co_await prepare_tls();
  while (open && !lost_) {
    auto step = machine_.next();
    if (auto* out = std::get_if<wire::write>(&step)) {
      open = co_await send(out->pieces);
    } else if (auto* need = std::get_if<wire::need_bytes>(&step)) {
      const bool listens = need->idling || (need->between && notify_ != nullptr);
      if (listens && has_news(need->idling))
        co_await tell_news(need->idling);  // written by the next step
      else
        open = co_await take_input(need->idling, listens);
    } else if (auto* asked = std::get_if<wire::ask>(&step)) {
      co_await answer(asked->question);
    } else if (auto* data = std::get_if<wire::message_data>(&step)) {
      take_message_data(data->bytes);
    } else if (std::holds_alternative<wire::drop_message>(step)) {
      append_.reset();
    } else if (std::holds_alternative<wire::start_compression>(step)) {
      deflate_ = std::make_unique<deflate_layer>();
    } else if (std::holds_alternative<wire::start_tls>(step)) {
      input_.reset();
      open = co_await prepare_tls();
    } else {
      why = std::get<wire::close>(step).reason == wire::close_reason::logout ? "logout" : "closed";
      co_await stream_.shutdown(std::chrono::seconds(1));
      open = false;
    }
  }
  log_end(why);
  stream_.close();
}

// Waits for octets without holding a buffer. True without feeding the machine when there is news for a listening client,
// or when the machine was told to end.
base::task<bool> session::take_input(bool idling, bool listens) {
  if (deflate_ && deflate_->has_input()) {
    co_await yield{where_};  // a few octets may mean very many
    const fed said = feed_decompressed();
    if (said != fed::more) co_return said == fed::yes;
  }
  if (likely_more_ && input_) {
    const auto got = stream_.try_read(input_->octets);
    if (got && *got != 0) {
      const fed said = feed_machine(*got);
      if (said != fed::more) co_return said == fed::yes;
    }
  }
  likely_more_ = false;
  input_.reset();
  plain_.reset();
  if (deflate_) deflate_->rest();
  const bool is_in = machine_.state() != wire::session_state::not_authenticated;
  const auto most = is_in ? options().idle_deadline : options().login_deadline;
  const bool has_words = idling && options().idle_word_interval != std::chrono::milliseconds(0);
  const auto quiet = has_words ? std::exchange(quiet_for_, {}) : std::chrono::milliseconds(0);
  const auto wait = has_words ? std::min(options().idle_word_interval, most - quiet) : most;
  stream_.set_deadline(wait);
  for (;;) {
    waiting_ = listens;
    const auto ready = co_await stream_.readable();
    waiting_ = false;
    if (!ready) {
      if (listens && has_news(idling) && ready.error() == base::errc::cancelled && stream_.is_open()) co_return true;
      if (ready.error() == base::errc::timed_out && quiet + wait < most) {
        quiet_for_ = quiet + wait;
        machine_.output().ok("", "Still here");  // written by the next step
        co_return true;
      }
      if (ready.error() == base::errc::timed_out) {
        machine_.abort("", "Idle for too long");
        co_return true;
      }
      if (ready.error() == net::errc::stopping) {
        machine_.abort(codes::unavailable, "Server is shutting down");
        co_return true;
      }
      co_return false;
    }
    input_ = thread_.inputs.take();
    const auto got = stream_.try_read(input_->octets);
    if (!got) co_return false;
    if (*got == 0) {
      input_.reset();
      continue;
    }
    const fed said = feed_machine(*got);
    if (said != fed::more) co_return said == fed::yes;
    input_.reset();
  }
}

session::fed session::feed_machine(std::size_t count) {
  likely_more_ = count >= sizeof input_->octets / 2;
  if (deflate_) {
    deflate_->give({input_->octets, count});
    return feed_decompressed();
  }
  machine_.feed({input_->octets, count});
  return fed::yes;
}

session::fed session::feed_decompressed() {
  if (!plain_) plain_ = thread_.inputs.take();
  const auto got = deflate_->read(plain_->octets);
  if (!got) return fed::broken;
  if (*got == 0) return fed::more;
  machine_.feed({plain_->octets, *got});
  return fed::yes;
}

base::task<bool> session::send(std::span<const std::string_view> pieces) {
  if (lost_) co_return false;
  if (pieces.empty()) co_return true;
  for (const auto& piece : pieces) octets_sent_ += piece.size();
  stream_.set_deadline(options().write_deadline);
  if (deflate_) {
    const bool done = co_await send_compressed(pieces);
    co_return done;
  }
  const auto sent = co_await stream_.write(pieces);
  if (!sent) lost_ = true;
  co_return sent.has_value();
}

// In portions, so that a large message neither takes its compressed size in memory nor the thread for itself.
base::task<bool> session::send_compressed(std::span<const std::string_view> pieces) {
  constexpr std::size_t portion = 65536;
  std::string out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    for (std::string_view rest = pieces[i]; !rest.empty();) {
      const auto now = rest.substr(0, portion);
      rest.remove_prefix(now.size());
      const bool last = rest.empty() && i + 1 == pieces.size();
      if (!deflate_->write(now, last, out)) lost_ = true;
      if (!last && out.size() < portion) continue;
      const auto sent = co_await stream_.write(out);
      if (!sent) lost_ = true;
      if (lost_) co_return false;
      out.clear();
      if (!last) co_await yield{where_};
    }
  }
  co_return true;
}

base::task<bool> session::send_collected() {
  const auto pieces = machine_.take_output();
  const bool is_copied = pieces.size() == 1;  // nothing is referred to
  const bool sent = co_await send(pieces);
  machine_.output_sent();
  const auto so_far = static_cast<std::size_t>(octets_sent_ - sent_before_command_);
  send_at_ = std::clamp(first_batch_octets * std::bit_floor(so_far / (2 * first_batch_octets)), first_batch_octets, batch_octets);
  if (is_copied) machine_.output().expect(send_at_ + send_at_ / 3);
  co_return sent;
}

void session::store_changed(store::mailbox_id mailbox) {
  if (selected_ == 0 || (mailbox != selected_ && mailbox != any_mailbox)) {
    if (mailbox != 0 || selected_ == 0) return;
    // The list of mailboxes changed: perhaps ours is gone.
  }
  news_ = true;
  wake();
}

base::task<void> session::answer(const wire::question& question) {
  if (opening_) {
    const bool open = co_await finish_opening();
    if (!open) co_return;
  }
  if (auto* asked = std::get_if<wire::command_question>(&question)) {
    ++commands_;
    send_at_ = first_batch_octets;
    sent_before_command_ = octets_sent_;
    if (service_.counted.sessions == nullptr) {
      co_await run_command(asked->command);
      co_return;
    }
    auto* const histogram = service_.counted.commands[asked->command.index()];
    const auto begun = options().clock->steady();
    co_await run_command(asked->command);
    histogram->record(options().clock->steady() - begun);
  } else if (auto* auth = std::get_if<wire::auth_question>(&question)) {
    co_await authenticate(*auth);
  } else if (std::holds_alternative<wire::auth_cancelled>(question)) {
    if (login_) login_->exchange.reset();
  } else if (auto* begin = std::get_if<wire::append_begin>(&question)) {
    co_await append_begin(*begin);
  } else if (auto* part = std::get_if<wire::append_url>(&question)) {
    co_await append_url(*part);
  } else if (std::holds_alternative<wire::append_end>(question)) {
    ++commands_;
    co_await append_end();
  } else {
    co_await end_idle();
  }
}

// No coroutine itself: it only chooses.
base::task<void> session::run_command(const wire::command& command) {
  return std::visit(
      [this](const auto& one) {
        using kind = std::decay_t<decltype(one)>;
        if constexpr (requires { this->run(one); }) return run(one);
        else if constexpr (std::is_same_v<kind, wire::close_command>) return run_close(true);
        else if constexpr (std::is_same_v<kind, wire::unselect_command>) return run_close(false);
        else if constexpr (std::is_same_v<kind, wire::idle_command>) return begin_idle();
        else {
          if constexpr (std::is_same_v<kind, wire::namespace_command>) write_namespaces();
          if constexpr (std::is_same_v<kind, wire::id_command>) run_id();
          return finish(condition::ok, "", "Done", true, false);
        }
      },
      command);
}

void session::write_namespaces() {
  const std::string others = is_sharing() ? std::string(other_users).append("/") : std::string();
  machine_.output().name_space('/', others);
}

// RFC 8437: all that the login brought goes; the answer is the machine's.
base::task<void> session::run(const wire::unauthenticate_command&) {
  leave_mailbox();
  leave();
  notify_.reset();
  appends_to_ = {};
  account_.clear();
  append_.reset();
  modseq_told_ = false;
  machine_.complete(condition::ok, "", "Logged out");
  if (!deflate_) co_return;
  // §4.1: compression ends behind the answer.
  co_await send_collected();
  deflate_.reset();
}

// RFC 2971: name and version, and nothing that helps an attacker.
void session::run_id() {
  const std::pair<std::string_view, std::string_view> fields[] = {{"name", "Briefwerk"}, {"version", BRIEFWERK_VERSION}};
  machine_.output().id(fields);
}

void session::complete(const refusal& why) { machine_.complete(condition::no, why.code, why.text); }

void session::log_end(std::string_view why) {
  options().log->log(base::log_level::info, options().name + ".closed",
                     {{"session", id_}, {"reason", why}, {"commands", commands_}, {"fetched", fetched_},
                      {"appended", appended_}, {"sent", octets_sent_}});
}

}  // namespace briefwerk::server::imap
