#include "session.hpp"

#include "briefwerk/mail/summary.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
namespace limits = base::limits;
using wire::condition;

// RFC 9051 §6.3.12. Whether the mailbox is there is asked before the octets are taken; whether they fit, the store says.
base::task<void> session::append_begin(const wire::append_begin& question) {
  store::local_target target;
  target.account = account_;
  target.mailbox = std::string(question.piece.mailbox);
  target.flags.system = question.piece.flags.system;
  target.flags.keywords.assign(question.piece.flags.keywords.begin(), question.piece.flags.keywords.end());
  target.internal_date = question.piece.internal_date;
  target.fall_back_to_inbox = false;
  if (question.first) {
    append_ = std::make_unique<append_state>();
    append_->begun = options().clock->steady();
    const auto info = co_await mail().find(account_, target.mailbox);
    if (!info || !info->selectable) {
      append_.reset();
      complete(info ? refusal{codes::cannot, "Not a mailbox that holds messages"} : refusal_of_target(info.error()));
      co_return;
    }
  }
  append_->octets += question.size;
  if (!question.first &&
      (append_->octets > limits::imap_append_total || append_->messages.size() >= limits::imap_append_pieces)) {
    append_.reset();
    machine_.complete(condition::no, codes::limit, "Too much for one APPEND");
    co_return;
  }
  append_->messages.emplace_back(options().buffer);
  append_->messages.back().expect(question.size);
  append_->targets.push_back(std::move(target));
  machine_.accept_message();
}

base::task<void> session::append_end() {
  const auto received = std::move(append_);
  std::vector<std::string> summaries;
  std::vector<store::message_source> sources;
  summaries.reserve(received->messages.size());
  for (const auto& message : received->messages) {
    summaries.push_back(mail::encode_summary(mail::summarise(message.view())));
    sources.push_back({.octets = message.view(), .summary = summaries.back()});
  }
  const auto stored = co_await mail().append(std::move(sources), std::move(received->targets));
  if (service_.counted.append != nullptr) service_.counted.append->record(options().clock->steady() - received->begun);
  if (!stored) {
    const auto why = refusal_of_target(stored.error());
    co_await finish(condition::no, why.code, why.text, true, false);
    co_return;
  }
  appended_ += static_cast<std::uint32_t>(stored->size());
  mail::uid_set uids;
  for (const auto& one : *stored) uids.insert(one.uid);
  const std::string code = stored->empty() ? std::string() : codes::append_uid(stored->front().uid_validity, uids);
  co_await finish(condition::ok, code, "Appended", true, false);
}

}  // namespace briefwerk::server::imap
