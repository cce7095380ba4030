#include "search_plan.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "briefwerk/base/limits/search.hpp"
#include "briefwerk/mail/envelope_text.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/searched_text.hpp"

namespace briefwerk::server::imap {
namespace {

using mail::envelope_field;
using protocol::imap::search_key;

constexpr std::int64_t day = 86400;

std::int64_t day_of(std::int64_t seconds) noexcept { return seconds >= 0 ? seconds / day : -((-seconds + day - 1) / day); }

std::optional<envelope_field> field_of(const search_key key, std::string_view header) noexcept {
  switch (key) {
    case search_key::from: return envelope_field::from;
    case search_key::to: return envelope_field::to;
    case search_key::cc: return envelope_field::cc;
    case search_key::bcc: return envelope_field::bcc;
    case search_key::subject: return envelope_field::subject;
    case search_key::header:
      // What mail programs ask for when they look for a message that they sent.
      if (mail::equals_ignoring_case(header, "message-id")) return envelope_field::message_id;
      if (mail::equals_ignoring_case(header, "subject")) return envelope_field::subject;
      return std::nullopt;
    default: return std::nullopt;
  }
}

search::field probed_field(const search_key key, std::string_view header) noexcept {
  if (const auto kept = field_of(key, header)) {
    switch (*kept) {
      case envelope_field::from: return search::field::from;
      case envelope_field::to: return search::field::to;
      case envelope_field::cc: return search::field::cc;
      case envelope_field::bcc: return search::field::bcc;
      case envelope_field::message_id: return search::field::message_id;
      default: return search::field::subject;
    }
  }
  if (key == search_key::header) return search::field::header;
  return key == search_key::body ? search::field::body : search::field::text;
}

search_stage stage_of(const protocol::imap::search_node& leaf) noexcept {
  switch (leaf.key) {
    case search_key::sent_before:
    case search_key::sent_on:
    case search_key::sent_since: return search_stage::summary;
    case search_key::from:
    case search_key::to:
    case search_key::cc:
    case search_key::bcc:
    case search_key::subject: return search_stage::summary;
    case search_key::header: return field_of(leaf.key, leaf.field) ? search_stage::summary : search_stage::header;
    case search_key::body:
    case search_key::text: return search_stage::body;
    default: return search_stage::index;
  }
}

bool is_inner(search_key key) noexcept {
  return key == search_key::all_of || key == search_key::any_of || key == search_key::none_of;
}

bool needs_text(search_key key) noexcept {
  return key >= search_key::from && key <= search_key::text;
}

}  // namespace

std::string email_id_text(const std::array<std::uint8_t, 16>& id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text = "M";
  for (const std::uint8_t octet : id) {
    text.push_back(digits[octet >> 4]);
    text.push_back(digits[octet & 15]);
  }
  return text;
}

std::optional<unsigned> search_subject::score_of(const void* leaf) const noexcept {
  for (const auto& [of, score] : scores_)
    if (of == leaf) return score;
  return std::nullopt;
}

unsigned search_subject::note_score(const void* leaf, unsigned score) {
  scores_.emplace_back(leaf, score);
  return score;
}

const mail::mime_tree& search_subject::tree() {
  if (!tree_) tree_ = std::make_unique<mail::mime_tree>(octets);
  return *tree_;
}

search_plan::search_plan(const protocol::imap::search_program& program, const circumstances& here) {
  nodes_.resize(program.nodes.size());
  is_fuzzy_ = program.is_fuzzy();
  // Backwards: children stand behind their parent.
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const auto& from = program.nodes[i];
    node& to = nodes_[i];
    to.key = from.key;
    to.end = from.end;
    to.flags = from.flags;
    to.number = from.number;
    to.text = from.text;
    to.field = from.field;
    if (is_inner(from.key)) {
      for (std::size_t child = i + 1; child < from.end; child = nodes_[child].end)
        to.stage = std::max(to.stage, nodes_[child].stage);
      continue;
    }
    to.stage = stage_of(from);
    needs_summary_ = needs_summary_ || to.stage == search_stage::summary;
    has_modseq_ = has_modseq_ || from.key == search_key::modseq;
    if (needs_text(from.key)) {
      to.needle = std::make_unique<mail::casemap_searcher>(from.text);
      if (from.fuzzy && !from.text.empty()) to.fuzzy = std::make_unique<search::fuzzy_searcher>(from.text);
      add_probe(to);
    } else if (from.key == search_key::keyword) {
      const auto& names = here.mailbox.keywords;
      for (std::size_t slot = 0; slot < names.size() && slot < mail::flags::keyword_slots; ++slot)
        if (mail::equals_ignoring_case(names[slot], from.text)) to.flags = mail::keyword_bit(static_cast<unsigned>(slot));
    } else if (from.key == search_key::sequence || from.key == search_key::uid) {
      to.set = here.resolve(from.set, from.key == search_key::sequence);
    } else if (from.key == search_key::recent) {
      to.set = here.recent;
    } else if (from.key == search_key::younger || from.key == search_key::older) {
      to.number = here.now - from.number;
    }
  }
}

void search_plan::add_probe(node& leaf) {
  const bool may_be_empty = leaf.key == search_key::header && !field_of(leaf.key, leaf.field);
  if (probes_.size() == base::limits::search_probes || (leaf.text.empty() && !may_be_empty)) return;
  leaf.probe = probes_.size();
  probes_.push_back({probed_field(leaf.key, leaf.field), std::string(leaf.field), std::string(leaf.text), leaf.fuzzy != nullptr});
}

// Of the keys that every message has to meet, the one that the fewest do.
std::optional<mail::uid_set> search_plan::possible() const {
  const search::probe_answer* least = nullptr;
  std::uint64_t fewest = 0;
  for (std::size_t child = 1; child < nodes_.size(); child = nodes_[child].end) {
    const node& at = nodes_[child];
    if (is_inner(at.key) || at.probe >= found_.answers.size()) continue;
    const auto& answer = found_.answers[at.probe];
    const auto count = answer.sure.size() + answer.maybe.size();
    if (least != nullptr && count >= fewest) continue;
    least = &answer;
    fewest = count;
  }
  if (least == nullptr) return std::nullopt;
  mail::uid_set out = least->sure;
  out.insert(least->maybe);
  return out;
}

verdict search_plan::judge_by_index(const node& leaf, std::uint32_t uid) const {
  if (leaf.probe >= found_.answers.size() || uid >= found_.below) return verdict::unknown;
  const auto& answer = found_.answers[leaf.probe];
  if (answer.sure.contains(uid)) return verdict::yes;
  return answer.maybe.contains(uid) ? verdict::unknown : verdict::no;
}

void search_plan::take_hit(search_subject& message, search_stage known, std::vector<std::uint32_t>& hits) {
  hits.push_back(message.sequence - 1);
  if (is_fuzzy_) relevancies_[message.sequence - 1] = static_cast<std::uint8_t>(relevancy(message, known));
}

verdict search_plan::judge_early(const node& leaf, const search_subject& message) const {
  if (message.place < leaf.texts.size() && leaf.texts[message.place] != verdict::unknown) return leaf.texts[message.place];
  return judge_by_index(leaf, message.entry.uid);
}

std::vector<search_plan::text_key> search_plan::text_keys(std::size_t most) const {
  std::vector<text_key> out;
  for (std::size_t i = 0; i < nodes_.size() && out.size() < most; ++i) {
    const node& leaf = nodes_[i];
    if (!leaf.needle || leaf.fuzzy || leaf.needle->needle().empty()) continue;
    if (const auto field = field_of(leaf.key, leaf.field)) out.push_back({i, *field, leaf.needle->needle()});
  }
  return out;
}

void search_plan::use_texts(std::size_t leaf, std::vector<verdict> found) {
  nodes_[leaf].texts = std::move(found);
  for (std::size_t child = 1; child < nodes_.size(); child = nodes_[child].end)
    if (child == leaf) required_.push_back(leaf);
}

bool search_plan::texts_allow(std::size_t place) const noexcept {
  for (const std::size_t leaf : required_)
    if (nodes_[leaf].texts[place] == verdict::no) return false;
  return true;
}

verdict search_plan::judge(std::size_t index, search_subject& message, search_stage known) const {
  const node& at = nodes_[index];
  if (!is_inner(at.key)) {
    if (at.stage > known) return judge_early(at, message);
    return leaf_holds(at, message) ? verdict::yes : verdict::no;
  }
  // What decides early: a no for all_of, a yes for any_of and none_of.
  const verdict deciding = at.key == search_key::all_of ? verdict::no : verdict::yes;
  bool open = false;
  for (std::size_t child = index + 1; child < at.end; child = nodes_[child].end) {
    const verdict v = judge(child, message, known);
    if (v == deciding) return at.key == search_key::none_of ? verdict::no : v;
    open = open || v == verdict::unknown;
  }
  if (open) return verdict::unknown;
  return at.key == search_key::any_of ? verdict::no : verdict::yes;
}

bool search_plan::leaf_holds(const node& leaf, search_subject& message) const {
  const auto& entry = message.entry;
  const auto sent_day = [&]() -> std::optional<std::int64_t> {
    if (!message.summary.sent) return std::nullopt;
    return day_of(message.summary.sent->time_since_epoch().count() + message.summary.sent_offset * 60);
  };
  switch (leaf.key) {
    case search_key::all: return true;
    case search_key::flags_set: return (entry.flags & leaf.flags) == leaf.flags;
    case search_key::flags_clear: return (entry.flags & leaf.flags) == 0;
    case search_key::keyword: return leaf.flags != 0 && (entry.flags & leaf.flags) != 0;
    case search_key::recent: return leaf.set.contains(entry.uid);
    case search_key::before: return day_of(entry.internal_date) < leaf.number;
    case search_key::on: return day_of(entry.internal_date) == leaf.number;
    case search_key::since: return day_of(entry.internal_date) >= leaf.number;
    case search_key::sent_before: return sent_day().has_value() && *sent_day() < leaf.number;
    case search_key::sent_on: return sent_day().has_value() && *sent_day() == leaf.number;
    case search_key::sent_since: return sent_day().has_value() && *sent_day() >= leaf.number;
    case search_key::saved_before: return day_of(entry.save_date) < leaf.number;
    case search_key::saved_on: return day_of(entry.save_date) == leaf.number;
    case search_key::saved_since: return day_of(entry.save_date) >= leaf.number;
    case search_key::younger: return entry.internal_date >= leaf.number;
    case search_key::older: return entry.internal_date <= leaf.number;
    case search_key::larger: return entry.size > leaf.number;
    case search_key::smaller: return entry.size < leaf.number;
    case search_key::modseq: return entry.modseq >= static_cast<std::uint64_t>(leaf.number);
    case search_key::email_id: return email_id_text(entry.email_id) == leaf.text;
    case search_key::thread_id: return false;
    case search_key::sequence: return leaf.set.contains(message.sequence);
    case search_key::uid: return leaf.set.contains(entry.uid);
    case search_key::uid_after: return entry.uid > leaf.number;
    case search_key::uid_before: return entry.uid < leaf.number;
    default: return text_holds(leaf, message);
  }
}

unsigned search_plan::fuzzy_score(const node& leaf, search_subject& message) const {
  if (const auto known = message.score_of(&leaf)) return *known;
  auto& searcher = *leaf.fuzzy;
  searcher.begin();
  const auto look = [&searcher](std::string_view text) {
    searcher.look_at(text);
    return searcher.is_best();
  };
  if (const auto field = field_of(leaf.key, leaf.field)) {
    if (const auto text = mail::envelope_text(message.summary.envelope, *field)) searcher.look_at(*text);
  } else if (leaf.key == search_key::header) {
    mail::visit_field_text(message.octets, leaf.field, look);
  } else if (leaf.key == search_key::body ||
             (!mail::visit_header_text(message.octets, look) && !mail::visit_part_headers(message.tree(), look))) {
    mail::visit_body_text(message.tree(), look);
  }
  return message.note_score(&leaf, searcher.score());
}

std::vector<std::uint8_t> search_plan::relevancies(const std::vector<std::uint32_t>& hits) const {
  std::vector<std::uint8_t> out;
  for (const std::uint32_t index : hits) {
    const auto found = relevancies_.find(index);
    out.push_back(found == relevancies_.end() ? std::uint8_t{100} : std::max<std::uint8_t>(found->second, 1));
  }
  return out;
}

std::optional<unsigned> search_plan::relevancy(std::size_t index, search_subject& message, search_stage known) const {
  const node& at = nodes_[index];
  if (!is_inner(at.key)) {
    if (!at.fuzzy) return std::nullopt;
    if (at.stage <= known) return fuzzy_score(at, message);
    if (at.probe >= found_.answers.size() || message.entry.uid >= found_.below) return std::nullopt;
    return found_.answers[at.probe].score_of(message.entry.uid);
  }
  if (at.key == search_key::none_of) return std::nullopt;
  unsigned sum = 0, count = 0, best = 0;
  for (std::size_t child = index + 1; child < at.end; child = nodes_[child].end) {
    const auto one = relevancy(child, message, known);
    if (!one) continue;
    sum += *one;
    best = std::max(best, *one);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return at.key == search_key::any_of ? best : sum / count;
}

bool search_plan::text_holds(const node& leaf, search_subject& message) const {
  if (leaf.fuzzy) return fuzzy_score(leaf, message) != 0;
  if (const auto field = field_of(leaf.key, leaf.field)) {
    const auto text = mail::envelope_text(message.summary.envelope, *field);
    return text && (leaf.text.empty() || leaf.needle->found_in(*text));
  }
  const auto holds = [&leaf](std::string_view text) { return leaf.needle->found_in(text); };
  switch (leaf.key) {
    case search_key::header: return mail::visit_field_text(message.octets, leaf.field, holds);
    case search_key::body: return leaf.text.empty() || mail::visit_body_text(message.tree(), holds);
    case search_key::text:
      return leaf.text.empty() || mail::visit_header_text(message.octets, holds) ||
             mail::visit_part_headers(message.tree(), holds) || mail::visit_body_text(message.tree(), holds);
    default: return false;
  }
}

}  // namespace briefwerk::server::imap
