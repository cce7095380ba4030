#include "briefwerk/protocol/milter/client_session.hpp"

#include <array>
#include <utility>

#include "briefwerk/base/limits/protocol.hpp"

namespace briefwerk::protocol::milter {
namespace {

using base::errc;
using base::fail;
namespace limits = base::limits;

// Recipients that were refused are not told of, so that is not offered.
constexpr std::uint32_t offered_steps =
    steps::no_connect | steps::no_hello | steps::no_mail | steps::no_rcpt | steps::no_body | steps::no_headers |
    steps::no_end_of_header | steps::silent_header | steps::no_unknown | steps::no_data | steps::skip |
    steps::silent_connect | steps::silent_hello | steps::silent_mail | steps::silent_rcpt | steps::silent_data |
    steps::silent_unknown | steps::silent_end_of_header | steps::silent_body | steps::leading_space | steps::data_256k |
    steps::data_1m;

// What is sent where the milter has no list of its own; by stage.
constexpr std::array<std::string_view, stage_count> usual_symbols{
    "j _ v {daemon_name} {daemon_addr} {daemon_port} {if_name} {if_addr} {client_addr} {client_name} {client_ptr} {client_port}",
    "{tls_version} {cipher} {cipher_bits}",
    "i {auth_type} {auth_authen} {auth_author} {mail_mailer} {mail_host} {mail_addr}",
    "i {rcpt_mailer} {rcpt_host} {rcpt_addr}",
    "i",
    "i",
    "i",
};

template <class Each>
void for_each_word(std::string_view list, Each each) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    each(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

// Lines of a field's value end in LF here.
std::string header_value(std::string_view value, bool leading_space) {
  if (!leading_space && value.starts_with(' ')) value.remove_prefix(1);
  std::string made;
  made.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\r' && i + 1 < value.size() && value[i + 1] == '\n') continue;
    if (value[i] != '\0') made += value[i];
  }
  return made;
}

void append_address(std::string& out, command what, std::string_view address, std::span<const std::string> parameters) {
  const std::string in_brackets = "<" + std::string(address) + ">";
  std::vector<std::string_view> strings{in_brackets};
  strings.insert(strings.end(), parameters.begin(), parameters.end());
  append_strings(out, what, strings);
}

struct needed_action {
  mail::edit_kind what;
  std::uint32_t action;
};
constexpr needed_action needed_actions[] = {
    {mail::edit_kind::add_header, actions::add_header},
    {mail::edit_kind::insert_header, actions::add_header},
    {mail::edit_kind::change_header, actions::change_header},
    {mail::edit_kind::change_sender, actions::change_sender},
    {mail::edit_kind::add_recipient, actions::add_recipient | actions::add_recipient_parameters},
    {mail::edit_kind::remove_recipient, actions::remove_recipient},
};

}  // namespace

bool client_session::await(moment now, std::uint32_t silent) {
  if (silent != 0 && agreed_.has(silent)) return false;
  out_of_step_ = out_of_step_ || now_ != moment::idle || !reader_.empty();
  now_ = now;
  return true;
}

void client_session::append_macros_of(std::string& out, stage at, command before, const macro_source& macros) const {
  std::vector<std::pair<std::string, std::string>> found;
  const auto look = [&](std::string_view name) {
    if (auto value = macros(name)) found.emplace_back(name, std::move(*value));
  };
  if (const auto& wanted = agreed_.symbols[static_cast<std::size_t>(at)]) {
    for (const std::string& name : *wanted) look(name);
  } else {
    for_each_word(usual_symbols[static_cast<std::size_t>(at)], look);
  }
  if (found.empty()) return;
  std::vector<macro> views;
  for (const auto& [name, value] : found) views.push_back({name, value});
  append_macros(out, before, views);
}

bool client_session::negotiate(std::string& out) {
  offer_.steps = offered_steps;
  append_offer(out, offer_);
  return await(moment::negotiation, 0);
}

bool client_session::connect(std::string& out, const connect_data& from, const macro_source& macros) {
  if (declined(steps::no_connect)) return false;
  append_macros_of(out, stage::connect, command::connect, macros);
  append_connect(out, from);
  return await(moment::event, steps::silent_connect);
}

bool client_session::hello(std::string& out, std::string_view name, const macro_source& macros) {
  if (declined(steps::no_hello)) return false;
  append_macros_of(out, stage::hello, command::hello, macros);
  append_strings(out, command::hello, {&name, 1});
  return await(moment::event, steps::silent_hello);
}

bool client_session::mail(std::string& out, std::string_view address, std::span<const std::string> parameters,
                          const macro_source& macros) {
  found_ = {};
  new_body_.reset();
  edit_octets_ = 0;
  if (declined(steps::no_mail)) return false;
  append_macros_of(out, stage::mail, command::mail, macros);
  append_address(out, command::mail, address, parameters);
  return await(moment::event, steps::silent_mail);
}

bool client_session::rcpt(std::string& out, std::string_view address, std::span<const std::string> parameters,
                          const macro_source& macros) {
  if (declined(steps::no_rcpt)) return false;
  append_macros_of(out, stage::rcpt, command::rcpt, macros);
  append_address(out, command::rcpt, address, parameters);
  return await(moment::event, steps::silent_rcpt);
}

bool client_session::data(std::string& out, const macro_source& macros) {
  if (declined(steps::no_data) || agreed_.version < 4) return false;
  append_macros_of(out, stage::data, command::data, macros);
  append_packet(out, command::data);
  return await(moment::event, steps::silent_data);
}

bool client_session::header(std::string& out, std::string_view name, std::string_view value) {
  if (declined(steps::no_headers)) return false;
  const std::string text = header_value(value, agreed_.has(steps::leading_space));
  const std::string_view strings[] = {name, text};
  append_strings(out, command::header, strings);
  return await(moment::event, steps::silent_header);
}

bool client_session::end_of_header(std::string& out, const macro_source& macros) {
  if (declined(steps::no_end_of_header)) return false;
  append_macros_of(out, stage::end_of_header, command::end_of_header, macros);
  append_packet(out, command::end_of_header);
  return await(moment::event, steps::silent_end_of_header);
}

bool client_session::body(std::string& out, std::string_view piece) {
  if (declined(steps::no_body)) return false;
  append_packet(out, command::body, piece);
  return await(moment::body, steps::silent_body);
}

bool client_session::end_of_body(std::string& out, const macro_source& macros) {
  append_macros_of(out, stage::end_of_body, command::end_of_body, macros);
  append_packet(out, command::end_of_body);
  return await(moment::end_of_body, 0);
}

bool client_session::unknown(std::string& out, std::string_view line) {
  if (declined(steps::no_unknown) || agreed_.version < 3) return false;
  append_strings(out, command::unknown, {&line, 1});
  return await(moment::event, steps::silent_unknown);
}

void client_session::abort(std::string& out) { append_packet(out, command::abort); }

void client_session::quit(std::string& out) { append_packet(out, command::quit); }

base::result<std::optional<answer>> client_session::next() {
  if (out_of_step_ || now_ == moment::idle) return fail(errc::unsupported);
  for (;;) {
    const auto read = reader_.next();
    if (!read) return fail(read.error());
    if (!*read) return std::nullopt;
    auto taken = take(**read);
    if (!taken || *taken) return taken;
  }
}

// Nothing: this was not the answer yet.
base::result<std::optional<answer>> client_session::take(const packet& from) {
  if (now_ == moment::negotiation) {
    auto read = parse_agreement(from, offer_);
    if (!read) return fail(read.error());
    agreed_ = std::move(*read);
    now_ = moment::idle;
    return answer{};
  }
  auto read = parse_answer(from);
  if (!read) return fail(read.error());
  if (!may(*read)) return fail(errc::unsupported);
  if (read->what >= answer_kind::progress) {
    if (auto kept = gather(*read); !kept) return fail(kept.error());
    return std::nullopt;
  }
  now_ = moment::idle;
  return std::move(*read);
}

bool client_session::may(const answer& said) const noexcept {
  const bool at_end = now_ == moment::end_of_body;
  const auto agreed = [this](std::uint32_t action) { return (agreed_.actions & action) != 0; };
  switch (said.what) {
    case answer_kind::skip: return now_ == moment::body && agreed_.has(steps::skip);
    case answer_kind::symbols: return agreed(actions::symbol_list);
    case answer_kind::quarantine: return at_end && agreed(actions::quarantine);
    case answer_kind::body: return at_end && agreed(actions::change_body);
    case answer_kind::edit:
      for (const needed_action& one : needed_actions) {
        if (one.what == said.edit.what) return at_end && agreed(one.action);
      }
      return false;
    default: return true;
  }
}

base::status client_session::gather(answer& said) {
  switch (said.what) {
    case answer_kind::symbols:
      agreed_.symbols[static_cast<std::size_t>(said.at)] = std::move(said.symbols);
      return {};
    case answer_kind::quarantine:
      found_.quarantine = std::move(said.text);
      return {};
    case answer_kind::body:
      if (!new_body_) new_body_.emplace();
      if (new_body_->size() + said.octets.size() > options_.body_size) return fail(errc::limit_exceeded);
      *new_body_ += said.octets;
      return {};
    case answer_kind::edit: return gather_edit(std::move(said.edit));
    default: return {};
  }
}

base::status client_session::gather_edit(mail::message_edit edit) {
  edit_octets_ += edit.name.size() + edit.value.size();
  if (found_.edits.size() == limits::milter_edits || edit_octets_ > limits::milter_edit_octets) {
    return fail(errc::limit_exceeded);
  }
  // Values come as they were asked for: with their leading space, or without the one that everybody writes.
  const bool is_header = edit.what <= mail::edit_kind::change_header;
  if (is_header && !edit.value.empty() && !agreed_.has(steps::leading_space)) edit.value.insert(0, 1, ' ');
  found_.edits.push_back(std::move(edit));
  return {};
}

modifications client_session::take_modifications() {
  modifications all = std::exchange(found_, {});
  if (new_body_) {
    all.edits.push_back({.what = mail::edit_kind::replace_body, .value = std::move(*new_body_)});
    new_body_.reset();
  }
  edit_octets_ = 0;
  return all;
}

}  // namespace briefwerk::protocol::milter
