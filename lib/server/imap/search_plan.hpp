#pragma once

// A search program made ready for one mailbox, and its verdict on one message. Verdicts come in stages, the cheapest
// first: what the index entry decides is never looked up in the summary, what the summary decides is never looked up
// in the message.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/envelope_text.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/mail/uid_set.hpp"
#include "briefwerk/protocol/imap/search.hpp"
#include "briefwerk/search/fuzzy.hpp"
#include "briefwerk/search/index.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "verdict.hpp"

namespace briefwerk::server::imap {

enum class search_stage : std::uint8_t { index, summary, header, body };

// One message under judgement, with as much of it as has been fetched.
class search_subject {
 public:
  static constexpr std::size_t no_place = static_cast<std::size_t>(-1);
  search_subject(const store::message_entry& of, std::uint32_t number, std::size_t at = no_place) noexcept
      : entry(of), sequence(number), place(at) {}

  const store::message_entry& entry;
  std::uint32_t sequence;
  std::size_t place;                   // in search_plan::use_texts(), where it is one of those messages
  mail::message_summary_view summary;  // from stage summary on
  std::string_view octets;             // from stage header on

  const mail::mime_tree& tree();
  // What a fuzzy leaf of the plan came to.
  std::optional<unsigned> score_of(const void* leaf) const noexcept;
  unsigned note_score(const void* leaf, unsigned score);

 private:
  std::unique_ptr<mail::mime_tree> tree_;
  std::vector<std::pair<const void*, unsigned>> scores_;
};

class search_plan {
 public:
  // What the program means in this session. `resolve` turns a set as written into numbers; of `sequence` keys if the
  // flag is set, else UIDs.
  struct circumstances {
    const store::mailbox_snapshot& mailbox;
    const mail::uid_set& recent;  // UIDs
    std::int64_t now = 0;  // seconds since 1970, for OLDER and YOUNGER
    std::function<mail::uid_set(const protocol::imap::number_set&, bool sequence_numbers)> resolve;
  };
  // The program's views stay as long as the plan.
  search_plan(const protocol::imap::search_program& program, const circumstances& here);

  // The last stage that this program can need.
  search_stage last_stage() const noexcept { return nodes_.empty() ? search_stage::index : nodes_[0].stage; }
  bool needs_summary() const noexcept { return needs_summary_; }
  verdict judge(search_subject& message, search_stage known) const { return judge(0, message, known); }
  // Of a message that is a yes: the mean of what is joined, the best of alternatives, 1 to 100; of what is known of it.
  bool is_fuzzy() const noexcept { return is_fuzzy_; }
  unsigned relevancy(search_subject& message, search_stage known) const { return relevancy(0, message, known).value_or(100); }
  // Scores of hits, by index.
  std::vector<std::uint8_t> relevancies(const std::vector<std::uint32_t>& hits) const;
  // The texts that a full-text index may be asked for, and its answers, in the same order. From then on verdicts come of
  // them where they are sure, whatever is known of a message.
  const std::vector<search::probe>& probes() const noexcept { return probes_; }
  void use(search::findings found) { found_ = std::move(found); }
  // Messages below indexed_below() that those answers leave possible, or more; nothing: all are.
  std::optional<mail::uid_set> possible() const;
  std::uint32_t indexed_below() const noexcept { return found_.below; }
  // Notes a message that is a yes, by index.
  void take_hit(search_subject& message, search_stage known, std::vector<std::uint32_t>& hits);
  // What may be found in kept texts of fields that envelopes have, at most `most` of them.
  struct text_key {
    std::size_t leaf;
    mail::envelope_field field;
    std::string_view needle;  // prepared for i;unicode-casemap, not empty; lives as long as the plan
  };
  std::vector<text_key> text_keys(std::size_t most) const;
  // What was found for a leaf of those: of each message of a list, by search_subject::place.
  void use_texts(std::size_t leaf, std::vector<verdict> found);
  // No: a message at this place of the list does not meet a key that every message has to.
  bool texts_allow(std::size_t place) const noexcept;
  // Whether every key with a MODSEQ condition is answered with the highest one (RFC 7162 §3.1.5).
  bool has_modseq() const noexcept { return has_modseq_; }

 private:
  struct node {
    protocol::imap::search_key key = protocol::imap::search_key::all;
    search_stage stage = search_stage::index;  // of the dearest leaf below
    std::uint32_t end = 0;
    mail::flag_set flags = 0;
    std::int64_t number = 0;
    std::string_view text, field;
    mail::uid_set set;
    std::unique_ptr<mail::casemap_searcher> needle;
    std::unique_ptr<search::fuzzy_searcher> fuzzy;  // in its stead, under FUZZY
    std::size_t probe = no_probe;
    std::vector<verdict> texts;  // use_texts()
  };
  static constexpr std::size_t no_probe = static_cast<std::size_t>(-1);

  void add_probe(node& leaf);
  verdict judge_by_index(const node& leaf, std::uint32_t uid) const;
  verdict judge_early(const node& leaf, const search_subject& message) const;

  verdict judge(std::size_t index, search_subject& message, search_stage known) const;
  bool leaf_holds(const node& leaf, search_subject& message) const;
  bool text_holds(const node& leaf, search_subject& message) const;
  unsigned fuzzy_score(const node& leaf, search_subject& message) const;
  std::optional<unsigned> relevancy(std::size_t index, search_subject& message, search_stage known) const;

  std::vector<node> nodes_;
  std::vector<std::size_t> required_;  // leaves with texts that every message has to meet
  std::vector<search::probe> probes_;
  search::findings found_;
  std::unordered_map<std::uint32_t, std::uint8_t> relevancies_;
  bool has_modseq_ = false, needs_summary_ = false, is_fuzzy_ = false;
};

// The text of an EMAILID (RFC 8474 §4.2).
std::string email_id_text(const std::array<std::uint8_t, 16>& id);

}  // namespace briefwerk::server::imap
