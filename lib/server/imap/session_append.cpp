#include "session.hpp"

#include "binary_parts.hpp"
#include "briefwerk/mail/summary.hpp"
#include "message_url.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
namespace limits = base::limits;
using wire::condition;

// RFC 9051 §6.3.12. Whether the mailbox is there is asked before the octets are taken; whether they fit, the store says.
base::task<void> session::append_begin(const wire::append_begin& question) {
  if (question.first) {
    append_ = std::make_unique<append_state>();
    append_->begun = options().clock->steady();
    const bool possible = question.piece.replaced ? prepare_replace(question.piece) : true;
    if (!possible) {
      append_.reset();
      co_return;
    }
    const auto where = co_await locate_target(std::string(question.piece.mailbox));
    if (!where || !where->info.selectable) {
      append_.reset();
      complete(where ? refusal{codes::cannot, "Not a mailbox that holds messages"} : refusal_of_target(where.error()));
      co_return;
    }
    append_->account = where->account;
    append_->mailbox = where->info.name;
    append_->target = where->info.id;
    append_->flags = mail::changeable_flags(where->rights);
  }
  append_->octets += question.size;
  if (most_saved() != 0 && append_->messages.size() >= most_saved()) {
    append_.reset();
    const std::string code = codes::message_limit(most_saved(), 0);
    machine_.complete(condition::no, code, "Too many messages");  // RFC 9738 §3.1
    co_return;
  }
  if (!question.first &&
      (append_->octets > limits::imap_append_total || append_->messages.size() >= limits::imap_append_pieces)) {
    append_.reset();
    machine_.complete(condition::no, codes::limit, "Too much for one APPEND");
    co_return;
  }
  append_->messages.emplace_back(options().buffer);
  if (!question.piece.catenated) append_->messages.back().expect(question.size);
  append_->targets.push_back(target_of(question.piece));
  machine_.accept_message();
}

base::task<base::result<session::place>> session::locate_target(std::string name) {
  if (appends_to_.where.info.id != 0 && appends_to_.name == name) co_return appends_to_.where;
  auto found = co_await locate(name, mail::rights::insert);
  if (found && found->account == account_ && found->info.selectable) appends_to_ = {std::move(name), *found};
  co_return found;
}

// RFC 4314 §4: flags that may not be set are left out.
store::local_target session::target_of(const wire::append_piece& piece) const {
  store::local_target target;
  target.account = append_->account;
  target.mailbox = append_->mailbox;
  target.flags.system = piece.flags.system & append_->flags;
  if ((append_->flags & mail::flags::keyword_mask) != 0)
    target.flags.keywords.assign(piece.flags.keywords.begin(), piece.flags.keywords.end());
  target.internal_date = piece.internal_date;
  target.fall_back_to_inbox = false;
  return target;
}

// False: refused, and the command is answered.
bool session::prepare_replace(const wire::append_piece& piece) {
  if (machine_.is_read_only()) {
    machine_.complete(condition::no, codes::no_perm, "Mailbox was opened read-only");
    return false;
  }
  if (!may(mail::rights::mark | mail::rights::expunge)) {
    machine_.complete(condition::no, codes::no_perm, "Messages may not be removed here");
    return false;
  }
  const auto ranges = wire::resolve(*announced_, *piece.replaced, piece.by_uid, saved_);
  if (!ranges || ranges->empty()) {
    machine_.complete(ranges ? condition::no : condition::bad, "", "No such message");
    return false;
  }
  append_->replaced = announced_->at(ranges->front().first).uid;
  append_->by_uid = piece.by_uid;
  return true;
}

// False: the message under way is too large, or there is no room, and the command is answered.
bool session::take_message_data(std::string_view octets) {
  if (!append_) return false;
  auto& message = append_->messages.back();
  if (message.size() + octets.size() > options().message_size) {
    append_.reset();
    machine_.complete(condition::no, codes::too_big, "Message too big");
    return false;
  }
  if (message.append(octets)) return true;
  append_.reset();
  machine_.complete(condition::no, codes::unavailable, "No space left");
  return false;
}

// RFC 4469: a part that is here already.
base::task<void> session::append_url(const wire::append_url& question) {
  const std::string text(question.url);
  std::string scratch;
  store::message_octets octets;
  const auto found = co_await octets_of_url(text, octets, scratch);
  if (!found) {
    append_.reset();
    const std::string code = codes::bad_url(text);
    machine_.complete(condition::no, code, "No such part of a message");
    co_return;
  }
  append_->octets += found->size();
  if (take_message_data(*found)) machine_.accept_part();
}

// The view points into `octets` or `scratch`.
base::task<std::optional<std::string_view>> session::octets_of_url(const std::string& url, store::message_octets& octets,
                                                                   std::string& scratch) {
  const auto parsed = parse_message_url(url, login_name_);
  if (!parsed) co_return std::nullopt;
  store::account_id account = owner_;
  store::mailbox_id mailbox = selected_;
  if (!parsed->mailbox.empty()) {
    const auto where = co_await locate_mailbox(parsed->mailbox, mail::rights::read);
    if (!where) co_return std::nullopt;
    account = where->account;
    mailbox = where->info.id;
  }
  if (mailbox == 0) co_return std::nullopt;
  const auto now = co_await mail().snapshot(account, mailbox);
  if (!now || (parsed->uid_validity && *parsed->uid_validity != (*now)->uid_validity)) co_return std::nullopt;
  const auto* const entry = (*now)->find(parsed->uid);
  if (entry == nullptr) co_return std::nullopt;
  // The section is what FETCH takes in its brackets.
  std::string fetch = "u FETCH 1 BODY.PEEK[" + parsed->section + "]";
  if (!parsed->partial.empty()) fetch += "<" + parsed->partial + ">";
  wire::arena memory;
  wire::command_head head;
  if (!wire::parse_head(fetch, head)) co_return std::nullopt;
  const auto command = wire::parse_command(fetch, head, {true}, memory);
  const auto* const wanted = command ? std::get_if<wire::fetch_command>(&*command) : nullptr;
  if (wanted == nullptr || wanted->items.size() != 1) co_return std::nullopt;
  auto read = co_await mail().read(entry->blob);
  if (!read) co_return std::nullopt;
  octets = std::move(*read);
  const auto& item = wanted->items.front();
  mail::mime_tree tree;
  const std::string_view whole = octets.view();
  const auto section = section_octets(item, section_of(item), whole, scratch, [&]() -> const mail::mime_tree& {
    tree.parse(whole);
    return tree;
  });
  if (!section) co_return std::nullopt;
  co_return wire::fetch_row::cut(item, *section);
}

base::task<void> session::append_end() {
  const auto received = std::move(append_);
  std::vector<std::string> summaries;
  std::vector<store::message_source> sources;
  summaries.reserve(received->messages.size());
  for (auto& message : received->messages) {
    if (message.size() == 0) {
      co_await finish(condition::no, "", "A message has at least one octet", true, false);
      co_return;
    }
    if (const auto encoded = with_encoded_binary(message.view())) {
      message.clear();
      if (!message.append(*encoded)) {
        co_await finish(condition::no, codes::unavailable, "No space left", true, false);
        co_return;
      }
    }
    summaries.push_back(mail::encode_summary(mail::summarise(message.view())));
    sources.push_back({.octets = message.view(), .summary = summaries.back()});
  }
  if (received->replaced != 0) {
    co_await store_replaced(*received, sources.front());
    co_return;
  }
  const std::string mailbox = received->targets.front().mailbox;
  const auto stored = co_await mail().append(std::move(sources), std::move(received->targets));
  if (service_.counted.append != nullptr) service_.counted.append->record(options().clock->steady() - received->begun);
  if (!stored) {
    appends_to_ = {};
    const auto why = refusal_of_target(stored.error());
    co_await finish(condition::no, why.code, why.text, true, false);
    co_return;
  }
  if (!stored->empty() && stored->front().mailbox != 0) received->target = stored->front().mailbox;
  appended_ += static_cast<std::uint32_t>(stored->size());
  mail::uid_set uids;
  for (const auto& one : *stored) uids.insert(one.uid);
  co_await did_append(received->account, received->target, uids);
  if (has_listener() && received->account == account_) co_await report_append(mailbox, uids);
  const std::string code = stored->empty() ? std::string() : codes::append_uid(stored->front().uid_validity, uids);
  co_await finish(condition::ok, code, "Appended", true, false);
}

base::task<void> session::store_replaced(append_state& received, const store::message_source& message) {
  const std::string mailbox = received.targets.front().mailbox;
  const auto stored =
      co_await mail().replace(owner_, selected_, received.replaced, message, std::move(received.targets.front()));
  if (!stored) {
    const auto why = refusal_of_target(stored.error());
    co_await finish(condition::no, why.code, why.text, true, received.by_uid);
    co_return;
  }
  ++appended_;
  // RFC 8508 §4.3: before the EXPUNGE.
  const std::string code = codes::append_uid(stored->uid_validity, {{stored->uid, stored->uid}});
  machine_.output().ok(code, "Replacement is there");
  const mail::uid_set fresh{{stored->uid, stored->uid}};
  co_await did_append(received.account, received.target, fresh);
  if (has_listener() && received.account == account_) co_await report_replaced(mailbox, received.replaced, fresh);
  own_change_ = true;
  const bool alive = co_await refresh(true, received.by_uid);
  own_change_ = false;
  if (!alive) co_return;
  // RFC 8508 §4.5, RFC 7162 §3.2.9.
  const std::string modseq = machine_.is_qresync() ? codes::highest_modseq(latest_->highest_modseq) : std::string();
  machine_.complete(condition::ok, modseq, "Replaced");
}

}  // namespace briefwerk::server::imap
