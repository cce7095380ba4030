#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <unordered_set>

#include "search/xapian_database.hpp"

namespace briefwerk::search {
namespace {

// Words of one part of the list of words; a part that is read and written anew should be small.
constexpr std::size_t part_octets = 64u << 10;
// Words that no message has any more stay in the list until so many messages went, and half as many as there are.
constexpr std::uint32_t removed_before_rewrite = 1000;

class writer final : public index_writer {
 public:
  writer(Xapian::WritableDatabase database, std::move_only_function<void()> release);
  ~writer() override {
    try {
      database_.close();  // what is pending is not wanted
    } catch (const Xapian::Error&) {
    }
    release_();
  }

  std::vector<indexed_mailbox> mailboxes() const override;
  std::size_t pending() const noexcept override { return pending_terms_; }
  base::status add(store::mailbox_id mailbox, const message_text& message) override;
  base::status reached(store::mailbox_id mailbox, std::uint32_t uid_validity, std::uint32_t below) override;
  base::result<mail::uid_set> uids(store::mailbox_id mailbox) const override;
  base::status remove(store::mailbox_id mailbox, const mail::uid_set& uids) override;
  base::status remove_mailbox(store::mailbox_id mailbox) override;
  base::status commit(const std::function<void()>& between) override {
    return guarded([&]() -> base::status { return commit_all(between); });
  }

 private:
  struct pending_document {
    Xapian::docid number;
    Xapian::Document content;
  };
  struct word_list {
    std::unordered_set<std::string> fresh;  // words that no document had
    std::uint32_t last_part = 0;
  };

  base::status commit_all(const std::function<void()>& between);
  std::uint32_t document_for(mailbox_record& record, std::uint32_t uid);
  void note_word(const std::string& term);
  void write_words(char field, word_list& list);
  void rewrite_words();
  void erase_documents(const mailbox_record& record, const mail::uid_set& uids);

  Xapian::WritableDatabase database_;
  std::move_only_function<void()> release_;
  std::map<store::mailbox_id, mailbox_record> records_;
  std::map<store::mailbox_id, std::uint32_t> added_;  // documents since the last commit
  std::vector<pending_document> pending_;
  std::size_t pending_terms_ = 0;
  std::map<char, word_list> words_;
  std::uint32_t next_block_ = 0, removed_ = 0;
};

std::uint32_t to_number(const std::string& text) { return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10)); }

writer::writer(Xapian::WritableDatabase database, std::move_only_function<void()> release)
    : database_(std::move(database)), release_(std::move(release)) {
  next_block_ = to_number(database_.get_metadata(keys::next_block));
  removed_ = to_number(database_.get_metadata(keys::removed));
  for (auto at = database_.metadata_keys_begin(keys::mailbox); at != database_.metadata_keys_end(keys::mailbox); ++at) {
    auto record = decode_record(database_.get_metadata(*at));
    if (!record) throw Xapian::DatabaseCorruptError("mailbox");
    records_.emplace(to_number((*at).substr(keys::mailbox.size())), std::move(*record));
  }
}

std::vector<indexed_mailbox> writer::mailboxes() const {
  std::vector<indexed_mailbox> out;
  for (const auto& [id, record] : records_) out.push_back({id, record.uid_validity, record.below, record.messages});
  return out;
}

base::status writer::add(store::mailbox_id mailbox, const message_text& message) {
  return guarded([&]() -> base::status {
    auto& record = records_[mailbox];
    const auto number = document_for(record, message.entry->uid);
    if (number == 0) return base::fail(base::errc::limit_exceeded);
    pending_document made{number, {}};
    const message_terms terms(message);
    for (const auto& term : terms.all()) {
      made.content.add_boolean_term(term);
      if (term[0] != 'N' && term[1] == static_cast<char>(term_kind::word)) note_word(term);
    }
    pending_terms_ += made.content.termlist_count();
    pending_.push_back(std::move(made));
    record.last_uid = message.entry->uid;
    record.last_email_id = message.entry->email_id;
    ++added_[mailbox];
    return {};
  });
}

std::uint32_t writer::document_for(mailbox_record& record, std::uint32_t uid) {
  if (const auto number = record.document_of(uid)) return number;
  if (next_block_ == most_blocks) return 0;
  record.blocks.push_back({uid / block_size, next_block_++});
  return record.document_of(uid);
}

void writer::note_word(const std::string& term) {
  auto& fresh = words_[term[0]].fresh;
  std::string word = term.substr(2);
  if (!fresh.contains(word) && !database_.term_exists(term)) fresh.insert(std::move(word));
}

base::status writer::reached(store::mailbox_id mailbox, std::uint32_t uid_validity, std::uint32_t below) {
  auto& record = records_[mailbox];
  record.uid_validity = uid_validity;
  record.below = below;
  return {};
}

base::result<mail::uid_set> writer::uids(store::mailbox_id mailbox) const {
  return guarded([&]() -> base::result<mail::uid_set> {
    const auto found = records_.find(mailbox);
    if (found == records_.end()) return mail::uid_set();
    return indexed_uids(database_, found->second);
  });
}

void writer::erase_documents(const mailbox_record& record, const mail::uid_set& uids) {
  uids.for_each([&](std::uint32_t uid) {
    const auto number = record.document_of(uid);
    if (number == 0) return;
    try {
      database_.delete_document(number);
      ++removed_;
    } catch (const Xapian::DocNotFoundError&) {
    }
  });
}

base::status writer::remove(store::mailbox_id mailbox, const mail::uid_set& uids) {
  return guarded([&]() -> base::status {
    const auto found = records_.find(mailbox);
    if (found == records_.end()) return {};
    erase_documents(found->second, uids);
    found->second.messages = static_cast<std::uint32_t>(indexed_uids(database_, found->second).size());
    return {};
  });
}

base::status writer::remove_mailbox(store::mailbox_id mailbox) {
  return guarded([&]() -> base::status {
    const auto found = records_.find(mailbox);
    if (found == records_.end()) return {};
    erase_documents(found->second, indexed_uids(database_, found->second));
    database_.set_metadata(mailbox_key(mailbox), {});
    records_.erase(found);
    added_.erase(mailbox);
    return {};
  });
}

// The words come first: Xapian may commit by itself in between, and a word that a document has and the list has not
// would never be found.
base::status writer::commit_all(const std::function<void()>& between) {
  for (auto& [field, list] : words_) write_words(field, list);
  for (const auto& one : pending_) {
    between();
    database_.replace_document(one.number, one.content);
  }
  between();
  pending_.clear();
  pending_terms_ = 0;
  for (const auto& [mailbox, count] : added_) records_[mailbox].messages += count;
  added_.clear();
  for (const auto& [mailbox, record] : records_) database_.set_metadata(mailbox_key(mailbox), encode(record));
  database_.set_metadata(keys::next_block, std::to_string(next_block_));
  database_.set_metadata(keys::removed, std::to_string(removed_));
  database_.commit();
  if (removed_ >= removed_before_rewrite && removed_ >= database_.get_doccount() / 2) rewrite_words();
  return {};
}

// From the terms that are there, none pending; of the old list nothing is left.
void writer::rewrite_words() {
  for (const char field : {'F', 'T', 'C', 'K', 'S', 'I', 'H', 'B'}) {
    std::uint32_t part = 0;
    std::string words;
    const auto flush = [&] {
      if (words.empty()) return;
      database_.set_metadata(words_key(static_cast<term_field>(field), part++), words);
      words.clear();
    };
    const std::string prefix = make_term(static_cast<term_field>(field), term_kind::word);
    for (auto at = database_.allterms_begin(prefix); at != database_.allterms_end(prefix); ++at) {
      if (words.empty()) words = "\n";
      words.append((*at).substr(prefix.size())).append("\n");
      if (words.size() >= part_octets) flush();
    }
    flush();
    for (;; ++part) {
      const auto key = words_key(static_cast<term_field>(field), part);
      if (database_.get_metadata(key).empty()) break;
      database_.set_metadata(key, {});
    }
    words_[field].last_part = 0;
  }
  removed_ = 0;
  database_.set_metadata(keys::removed, "0");
  database_.commit();
}

void writer::write_words(char field, word_list& list) {
  if (list.fresh.empty()) return;
  const auto key = [&] { return words_key(static_cast<term_field>(field), list.last_part); };
  std::string part = database_.get_metadata(key());
  while (!part.empty() && part.size() >= part_octets) {
    ++list.last_part;
    part = database_.get_metadata(key());
  }
  for (const auto& word : list.fresh) {
    if (part.empty()) part = "\n";
    part.append(word).append("\n");
    if (part.size() < part_octets) continue;
    database_.set_metadata(key(), part);
    ++list.last_part;
    part.clear();
  }
  if (!part.empty()) database_.set_metadata(key(), part);
  list.fresh.clear();
}

// Beside its place first: nobody ever finds half a database. What a crash left there goes.
base::status create(const std::filesystem::path& folder) {
  const auto made = folder.parent_path() / (".new-" + folder.filename().string());
  std::error_code error;
  std::filesystem::remove_all(made, error);
  {
    Xapian::WritableDatabase database(made.string(), Xapian::DB_CREATE | Xapian::DB_BACKEND_GLASS);
    database.set_metadata(keys::version, text_version());
    database.commit();
  }
  std::filesystem::remove_all(folder, error);
  std::filesystem::rename(made, folder, error);
  if (error) return base::fail(error);
  return {};
}

}  // namespace

base::result<std::unique_ptr<index_writer>> make_writer(const std::string& folder, std::move_only_function<void()> release) {
  return guarded([&]() -> base::result<std::unique_ptr<index_writer>> {
    if (!std::filesystem::exists(folder + "/iamglass")) {
      if (auto created = create(folder); !created) return base::fail(created.error());
    }
    Xapian::WritableDatabase database(folder, Xapian::DB_OPEN | Xapian::DB_BACKEND_GLASS);
    if (database.get_metadata(keys::version) != text_version()) return base::fail(base::errc::corrupt);
    return std::make_unique<writer>(std::move(database), std::move(release));
  });
}

}  // namespace briefwerk::search
