#include <string.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <unordered_set>

#include "briefwerk/base/limits/search.hpp"
#include "briefwerk/mail/charset.hpp"
#include "search/fuzzy_match.hpp"
#include "search/places.hpp"
#include "search/xapian_database.hpp"

namespace briefwerk::search {
namespace {

std::string_view find_in(std::string_view text, std::string_view what) noexcept {
  const void* found = ::memmem(text.data(), text.size(), what.data(), what.size());
  if (found == nullptr) return {};
  return {static_cast<const char*>(found), what.size()};
}

// Where the words of a field are looked for.
std::span<const term_field> fields_of(field in) noexcept {
  static constexpr term_field all[] = {term_field::from, term_field::to, term_field::cc, term_field::bcc, term_field::subject,
                                       term_field::message_id, term_field::header, term_field::body};
  if (in == field::text) return {all + 6, 2};  // header, body
  return {all + static_cast<std::size_t>(in), 1};
}

// A text asked for, cut into runs. The first and the last one may stand for a part of a longer run.
struct needle {
  explicit needle(std::string_view asked) : mapped(mail::casemap(asked)) {
    run_reader reader(mapped);
    for (run one; runs.size() < base::limits::search_probe_runs && reader.next(one);) runs.push_back(one);
  }
  needle(const needle&) = delete;
  needle& operator=(const needle&) = delete;
  bool is_one_run() const noexcept { return runs.size() == 1 && runs[0].at_start && runs[0].at_end; }

  std::string mapped;
  std::vector<run> runs;
};

class lookup {
 public:
  lookup(const Xapian::Database& where, const mailbox_record& mailbox)
      : where_(where), mailbox_(mailbox), none_(mailbox.blocks.size()) {}

  probe_answer answer(const probe& asked) const;

 private:
  // Messages that are sure to hold a text, and that may.
  struct split {
    places sure, maybe;
  };

  split of_named_field(const probe& asked) const;
  split of_field(term_field field, const needle& asked) const;
  split of_run(term_field field, const run& one) const;
  // Of a fuzzy probe: messages by how well they match one word, the better ones first; they may be in several.
  struct graded {
    std::array<places, 3> by_score;
    places maybe;
  };
  static constexpr std::array<unsigned, 3> grades{score_same, score_beginning, score_near};

  probe_answer fuzzy_answer(const probe& asked) const;
  graded fuzzy_run(std::span<const term_field> fields, const run& one) const;
  bool expand_nearly(term_field field, const run& one, std::array<std::unordered_set<std::string>, 3>& words) const;
  places with_groups(term_field field, const run& one) const;
  // All words of the index that stand for the run; false: too many, and only some are here.
  bool expand(term_field field, const run& one, std::unordered_set<std::string>& words) const;
  places with_words(term_field field, const std::unordered_set<std::string>& words) const;
  const places& all() const {
    if (!all_) all_ = postings("");
    return *all_;
  }
  places postings(const std::string& term) const {
    places out = none_;
    add_postings(term, out);
    return out;
  }
  void add_postings(const std::string& term, places& to) const;

  const Xapian::Database& where_;
  const mailbox_record& mailbox_;
  const places none_;
  mutable std::optional<places> all_;
};

probe_answer lookup::answer(const probe& asked) const {
  if (asked.fuzzy && !asked.text.empty()) return fuzzy_answer(asked);
  split found{none_, none_};
  if (asked.in == field::header) {
    found = of_named_field(asked);
  } else if (asked.text.empty()) {
    found.maybe = all();
  } else {
    const needle wanted(asked.text);
    for (const term_field one : fields_of(asked.in)) {
      const split in_one = of_field(one, wanted);
      found.sure.add(in_one.sure);
      found.maybe.add(in_one.maybe);
    }
  }
  found.maybe.remove(found.sure);
  return {found.sure.uids(mailbox_), found.maybe.uids(mailbox_), {}};
}

lookup::split lookup::of_named_field(const probe& asked) const {
  const std::string name = make_name_term(asked.name);
  split out{none_, name.empty() ? all() : postings(name)};
  out.maybe.add(postings(make_term(term_field::header, term_kind::incomplete)));
  if (asked.text.empty()) {
    if (!name.empty()) out.sure = postings(name);
    return out;
  }
  const split any = of_field(term_field::header, needle(asked.text));
  places holding = any.sure;
  holding.add(any.maybe);
  out.maybe.keep(holding);
  return out;
}

lookup::split lookup::of_field(term_field field, const needle& asked) const {
  if (asked.is_one_run()) return of_run(field, asked.runs.front());
  split out{none_, asked.runs.empty() ? all() : none_};
  for (const run& one : asked.runs) {
    split found = of_run(field, one);
    found.maybe.add(found.sure);
    if (&one == &asked.runs.front())
      out.maybe = std::move(found.maybe);
    else
      out.maybe.keep(found.maybe);
  }
  return out;
}

lookup::split lookup::of_run(term_field field, const run& one) const {
  split out{none_, postings(make_term(field, term_kind::incomplete))};
  if (one.kind == char_class::dense) {
    (one.characters <= 2 ? out.sure : out.maybe).add(with_groups(field, one));
    return out;
  }
  const bool whole = !one.at_start && !one.at_end;
  if (one.is_code() || !whole) out.maybe.add(with_groups(field, one));
  if (one.is_code()) return out;
  if (whole) {
    add_postings(make_term(field, term_kind::word, one.text), out.sure);
    return out;
  }
  std::unordered_set<std::string> words;
  if (!expand(field, one, words)) out.maybe = all();
  out.sure = with_words(field, words);
  return out;
}

probe_answer lookup::fuzzy_answer(const probe& asked) const {
  const needle wanted(asked.text);
  if (wanted.runs.empty()) return {{}, all().uids(mailbox_), {}};
  const auto fields = fields_of(asked.in);
  std::vector<graded> words;
  for (const run& one : wanted.runs) words.push_back(fuzzy_run(fields, one));
  places sure = all(), maybe = all();
  for (const auto& word : words) {
    places any = none_;
    for (const auto& one : word.by_score) any.add(one);
    sure.keep(any);
    any.add(word.maybe);
    maybe.keep(any);
  }
  if (asked.in == field::header) {
    const std::string name = make_name_term(asked.name);
    if (!name.empty()) {
      places there = postings(name);
      there.add(postings(make_term(term_field::header, term_kind::incomplete)));
      maybe.keep(there);
    }
    sure = none_;
  }
  // Where a better match may be found by scanning, the score is not known yet.
  for (const auto& word : words) sure.remove(word.maybe);
  maybe.remove(sure);
  probe_answer out{sure.uids(mailbox_), maybe.uids(mailbox_), {}};
  sure.for_each([&](std::size_t at) {
    unsigned sum = 0;
    for (const auto& word : words) {
      for (std::size_t i = 0; i < grades.size(); ++i) {
        if (!word.by_score[i].contains(at)) continue;
        sum += grades[i];
        break;
      }
    }
    out.scores.push_back(static_cast<std::uint8_t>(sum / words.size()));
  });
  return out;
}

lookup::graded lookup::fuzzy_run(std::span<const term_field> fields, const run& one) const {
  graded out{{none_, none_, none_}, none_};
  for (const term_field field : fields) {
    out.maybe.add(postings(make_term(field, term_kind::incomplete)));
    if (one.kind == char_class::dense) {
      (one.characters <= 2 ? out.by_score[0] : out.maybe).add(with_groups(field, one));
    } else if (one.is_code()) {
      out.maybe.add(with_groups(field, one));
    } else {
      std::array<std::unordered_set<std::string>, 3> words;
      if (!expand_nearly(field, one, words)) out.maybe = all();
      for (std::size_t i = 0; i < words.size(); ++i) out.by_score[i].add(with_words(field, words[i]));
    }
  }
  return out;
}

bool lookup::expand_nearly(term_field field, const run& one, std::array<std::unordered_set<std::string>, 3>& words) const {
  std::size_t count = 0;
  for (std::uint32_t part = 0;; ++part) {
    const std::string all = where_.get_metadata(words_key(field, part));
    if (all.empty()) return true;
    for (std::size_t begin = 1; begin < all.size();) {
      const auto end = all.find('\n', begin);
      if (end == all.npos) break;
      const auto word = std::string_view(all).substr(begin, end - begin);
      begin = end + 1;
      const unsigned score = fuzzy_word_match(one.text, word);
      if (score == 0) continue;
      if (++count > base::limits::search_expansion) return false;
      words[static_cast<std::size_t>(std::ranges::find(grades, score) - grades.begin())].emplace(word);
    }
  }
}

// Messages that hold all groups of the run, in whatever order.
places lookup::with_groups(term_field field, const run& one) const {
  const unsigned size = std::min(one.characters, group_size(one));
  if (one.kind == char_class::plain && size < group_size(one)) return postings(make_term(field, term_kind::has_code));
  std::optional<places> out;
  std::size_t looked_up = 0;
  for_each_group(one.text, size, [&](std::string_view group) {
    if (++looked_up > base::limits::search_probe_groups) return;
    places holding = postings(make_term(field, term_kind::group, group));
    if (out)
      out->keep(holding);
    else
      out = std::move(holding);
  });
  return out ? std::move(*out) : all();
}

bool lookup::expand(term_field field, const run& one, std::unordered_set<std::string>& words) const {
  std::string pattern(one.text);
  if (!one.at_start) pattern.insert(0, 1, '\n');
  if (!one.at_end) pattern += '\n';
  for (std::uint32_t part = 0;; ++part) {
    const std::string all = where_.get_metadata(words_key(field, part));
    if (all.empty()) return true;
    for (std::string_view rest = all;;) {
      const auto found = find_in(rest, pattern);
      if (found.empty()) break;
      const auto at = static_cast<std::size_t>(found.data() - all.data()) + (one.at_start ? 0 : 1);
      const auto begin = all.rfind('\n', at) + 1, end = all.find('\n', at);
      if (end == all.npos) break;
      if (words.size() == base::limits::search_expansion) return false;
      words.insert(all.substr(begin, end - begin));
      rest = std::string_view(all).substr(end);
    }
  }
}

places lookup::with_words(term_field field, const std::unordered_set<std::string>& words) const {
  constexpr std::size_t look_up_every = 64;
  places out = none_;
  std::size_t done = 0;
  for (const auto& word : words) {
    add_postings(make_term(field, term_kind::word, word), out);
    if (++done % look_up_every == 0 && out.count() == all().count()) break;
  }
  return out;
}

void lookup::add_postings(const std::string& term, places& to) const {
  auto at = where_.postlist_begin(term);
  const auto end = where_.postlist_end(term);
  for (std::size_t i = 0; i < mailbox_.blocks.size() && at != end; ++i) {
    const Xapian::docid first = mailbox_.blocks[i].of_documents * block_size + 1;
    if (*at < first) at.skip_to(first);
    for (; at != end && *at - first < block_size; ++at) to.set(i * block_size + (*at - first));
  }
}

}  // namespace

std::vector<probe_answer> look_up(const Xapian::Database& where, const mailbox_record& mailbox, const std::vector<probe>& probes) {
  const lookup in(where, mailbox);
  std::vector<probe_answer> out;
  out.reserve(probes.size());
  for (const auto& one : probes) out.push_back(in.answer(one));
  return out;
}

mail::uid_set indexed_uids(const Xapian::Database& where, const mailbox_record& mailbox) {
  places all(mailbox.blocks.size());
  auto at = where.postlist_begin("");
  const auto end = where.postlist_end("");
  for (std::size_t i = 0; i < mailbox.blocks.size() && at != end; ++i) {
    const Xapian::docid first = mailbox.blocks[i].of_documents * block_size + 1;
    if (*at < first) at.skip_to(first);
    for (; at != end && *at - first < block_size; ++at) all.set(i * block_size + (*at - first));
  }
  return all.uids(mailbox);
}

}  // namespace briefwerk::search
