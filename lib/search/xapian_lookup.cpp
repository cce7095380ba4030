#include <string.h>

#include <algorithm>
#include <unordered_set>

#include "briefwerk/base/limits/search.hpp"
#include "briefwerk/mail/charset.hpp"
#include "search/places.hpp"
#include "search/xapian_database.hpp"

namespace briefwerk::search {
namespace {

std::string_view find_in(std::string_view text, std::string_view what) noexcept {
  const void* found = ::memmem(text.data(), text.size(), what.data(), what.size());
  if (found == nullptr) return {};
  return {static_cast<const char*>(found), what.size()};
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
      : where_(where), mailbox_(mailbox), none_(mailbox.blocks.size()), all_(postings("")) {}

  probe_answer answer(const probe& asked) const;

 private:
  // Messages that are sure to hold a text, and that may.
  struct split {
    places sure, maybe;
  };

  split of_named_field(const probe& asked) const;
  split of_field(term_field field, const needle& asked) const;
  split of_run(term_field field, const run& one) const;
  places with_groups(term_field field, const run& one) const;
  // All words of the index that stand for the run; false: too many, and only some are here.
  bool expand(term_field field, const run& one, std::unordered_set<std::string>& words) const;
  places with_words(term_field field, const std::unordered_set<std::string>& words) const;
  places postings(const std::string& term) const {
    places out = none_;
    add_postings(term, out);
    return out;
  }
  void add_postings(const std::string& term, places& to) const;

  const Xapian::Database& where_;
  const mailbox_record& mailbox_;
  const places none_, all_;
};

probe_answer lookup::answer(const probe& asked) const {
  split found{none_, none_};
  if (asked.in == field::header) {
    found = of_named_field(asked);
  } else if (asked.text.empty()) {
    found.maybe = all_;
  } else {
    const needle wanted(asked.text);
    switch (asked.in) {
      case field::from: found = of_field(term_field::from, wanted); break;
      case field::to: found = of_field(term_field::to, wanted); break;
      case field::cc: found = of_field(term_field::cc, wanted); break;
      case field::bcc: found = of_field(term_field::bcc, wanted); break;
      case field::subject: found = of_field(term_field::subject, wanted); break;
      case field::message_id: found = of_field(term_field::message_id, wanted); break;
      case field::body: found = of_field(term_field::body, wanted); break;
      case field::header:
      case field::text: {
        found = of_field(term_field::body, wanted);
        const split header = of_field(term_field::header, wanted);
        found.sure.add(header.sure);
        found.maybe.add(header.maybe);
        break;
      }
    }
  }
  found.maybe.remove(found.sure);
  return {found.sure.uids(mailbox_), found.maybe.uids(mailbox_)};
}

lookup::split lookup::of_named_field(const probe& asked) const {
  const std::string name = make_name_term(asked.name);
  split out{none_, name.empty() ? all_ : postings(name)};
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
  split out{none_, all_};
  for (const run& one : asked.runs) {
    split found = of_run(field, one);
    if (asked.is_one_run()) return found;
    found.maybe.add(found.sure);
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
  if (!expand(field, one, words)) out.maybe = all_;
  out.sure = with_words(field, words);
  return out;
}

// Messages that hold all groups of the run, in whatever order.
places lookup::with_groups(term_field field, const run& one) const {
  const unsigned size = std::min(one.characters, group_size(one));
  if (one.kind == char_class::plain && size < group_size(one)) return postings(make_term(field, term_kind::has_code));
  places out = all_;
  std::size_t looked_up = 0;
  for_each_group(one.text, size, [&](std::string_view group) {
    if (++looked_up <= base::limits::search_probe_groups) out.keep(postings(make_term(field, term_kind::group, group)));
  });
  return out;
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
    if (++done % look_up_every == 0 && out.count() == all_.count()) break;
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
