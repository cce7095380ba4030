#pragma once

// A FETCH made ready: what has to be read for it, and the writing of one row. The loops that read and send are the
// session's.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/protocol/imap/response_writer.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::server::imap {

// One message of a batch.
struct fetch_subject {
  std::uint32_t sequence = 0;
  const store::message_entry* entry = nullptr;  // of the snapshot that the client knows
  mail::flag_set flags = 0;                     // as they are now
  std::uint64_t modseq = 0;
  bool in_mailbox = true;                       // false: expunged, though the client does not know yet
  bool report_flags = false;                    // this FETCH set \Seen
  bool report_identity = false;                 // and the client wants UID and MODSEQ beside (RFC 7162 §3.2.4)
  bool missing = false;                         // what is asked cannot be read any more
  std::string_view summary;                     // serialised
  store::message_octets octets;
};

// What the subjects of one batch point into; used again by the next.
struct fetch_memory {
  std::vector<store::stored_summaries> summaries;
  std::vector<std::unique_ptr<std::string>> made;  // summaries made on the spot
  std::vector<store::blob_ref> blobs;
  std::vector<base::result<store::message_octets>> octets;
  void clear() {
    summaries.clear();
    made.clear();
    blobs.clear();
    octets.clear();
  }
};

// What BODY[…] of `item` means in a message, without its partial range; nothing where there is no such part. May point
// into `scratch`. `tree` is called where the message's structure is needed.
template <class Tree>
std::optional<std::string_view> section_octets(const protocol::imap::fetch_item& item, const mail::section& section,
                                               std::string_view whole, std::string& scratch, Tree&& tree);
mail::section section_of(const protocol::imap::fetch_item& item);

class fetch_plan {
 public:
  // The command outlives the plan.
  fetch_plan(const protocol::imap::fetch_command& command, bool read_only);

  bool needs_summary() const noexcept { return needs_summary_; }
  bool needs_octets() const noexcept { return needs_octets_; }
  bool sets_seen() const noexcept { return sets_seen_; }
  // What is asked of octets stands at the beginning of each message, or can stand there: see is_enough().
  bool needs_beginning_only() const noexcept { return beginning_only_; }
  // At least so many octets of the beginning.
  std::uint64_t least_beginning() const noexcept { return least_beginning_; }
  // Whether rows can be written from these first octets of a message as from the whole.
  bool is_enough(std::string_view beginning) const;
  bool index_only() const noexcept { return !needs_summary_ && !needs_octets_ && !sets_seen_; }
  // A part was asked decoded whose encoding is not known (RFC 3516 §4.3).
  bool met_unknown_encoding() const noexcept { return unknown_encoding_; }

  // The row of a message of which index_only() items are asked.
  void write_from_index(protocol::imap::response_writer& out, std::uint32_t sequence, const store::message_entry& entry,
                        mail::flag_set flags, std::uint64_t modseq, std::span<const std::string> keywords) const {
    auto row = out.fetch(sequence, entry.uid);
    for (const auto& item : command_.items) write_index_item(row, item, entry, flags, modseq, keywords);
  }
  void write(protocol::imap::response_writer& out, const fetch_subject& subject, std::span<const std::string> keywords);
  // The same in parts, for rows that may be large: begin(), write_unasked(), write_item() for each of items(), the row's
  // end().
  protocol::imap::fetch_row begin(protocol::imap::response_writer& out, const fetch_subject& subject);
  // What has to be told though the command does not ask for it. Before the items: scripts look no further than the first
  // literal.
  void write_unasked(protocol::imap::fetch_row& row, const fetch_subject& subject, std::span<const std::string> keywords) const;
  std::size_t items() const noexcept { return command_.items.size(); }
  void write_item(protocol::imap::fetch_row& row, std::size_t index, const fetch_subject& subject,
                  std::span<const std::string> keywords);

 private:
  static bool write_index_item(protocol::imap::fetch_row& row, const protocol::imap::fetch_item& item,
                               const store::message_entry& entry, mail::flag_set flags, std::uint64_t modseq,
                               std::span<const std::string> keywords);
  void write_section(protocol::imap::fetch_row& row, std::size_t index, const store::message_octets& octets);
  void write_binary(protocol::imap::fetch_row& row, std::size_t index, const store::message_octets& octets);
  const mail::mime_tree& tree_of(std::string_view octets);

  const protocol::imap::fetch_command& command_;
  std::vector<mail::section> sections_;  // by item; empty where no item has one
  mail::message_summary_view summary_;   // of the message under way
  mail::mime_tree tree_;                 // the same; its memory serves all
  bool tree_is_made_ = false;
  std::string scratch_;
  bool needs_summary_ = false, needs_octets_ = false, sets_seen_ = false, unknown_encoding_ = false;
  bool beginning_only_ = false;
  std::uint64_t least_beginning_ = 0;
};

// Where the header ends, if these first octets of a message say so for certain.
std::optional<std::size_t> header_end(std::string_view beginning);

namespace detail {
std::string_view part_of_message(const protocol::imap::fetch_item& item, std::string_view whole);
std::string_view selected_fields(const protocol::imap::fetch_item& item, std::string_view header, std::string& scratch);
}  // namespace detail

template <class Tree>
std::optional<std::string_view> section_octets(const protocol::imap::fetch_item& item, const mail::section& section,
                                               std::string_view whole, std::string& scratch, Tree&& tree) {
  std::string_view found;
  if (item.part.empty()) {
    found = detail::part_of_message(item, whole);
  } else {
    const auto range = mail::find_section(tree(), section);
    if (!range) return std::nullopt;
    found = range->of(whole);
  }
  return detail::selected_fields(item, found, scratch);
}

}  // namespace briefwerk::server::imap
