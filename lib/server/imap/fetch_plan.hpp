#pragma once

// A FETCH made ready: what has to be read for it, and the writing of one row. The loops that read and send are the
// session's.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/mail/mime.hpp"
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

class fetch_plan {
 public:
  // The command outlives the plan.
  fetch_plan(const protocol::imap::fetch_command& command, bool read_only);

  bool needs_summary() const noexcept { return needs_summary_; }
  bool needs_octets() const noexcept { return needs_octets_; }
  bool sets_seen() const noexcept { return sets_seen_; }
  bool index_only() const noexcept { return !needs_summary_ && !needs_octets_ && !sets_seen_; }
  // A part was asked decoded whose encoding is not known (RFC 3516 §4.3).
  bool met_unknown_encoding() const noexcept { return unknown_encoding_; }

  // The row of a message of which index_only() items are asked.
  void write_from_index(protocol::imap::response_writer& out, std::uint32_t sequence, const store::message_entry& entry,
                        mail::flag_set flags, std::uint64_t modseq, std::span<const std::string> keywords) const {
    auto row = out.fetch(sequence);
    for (const auto& item : command_.items) write_index_item(row, item, entry, flags, modseq, keywords);
  }
  void write(protocol::imap::response_writer& out, const fetch_subject& subject, std::span<const std::string> keywords);

 private:
  static bool write_index_item(protocol::imap::fetch_row& row, const protocol::imap::fetch_item& item,
                               const store::message_entry& entry, mail::flag_set flags, std::uint64_t modseq,
                               std::span<const std::string> keywords);
  void write_section(protocol::imap::fetch_row& row, std::size_t index, const store::message_octets& octets);
  void write_binary(protocol::imap::fetch_row& row, std::size_t index, const store::message_octets& octets);
  const mail::mime_tree& tree_of(std::string_view octets);

  const protocol::imap::fetch_command& command_;
  std::vector<mail::section> sections_;  // by item; empty where no item has one
  mail::mime_tree tree_;                 // of the message under way; its memory serves all
  bool tree_is_made_ = false;
  std::string scratch_;
  bool needs_summary_ = false, needs_octets_ = false, sets_seen_ = false, unknown_encoding_ = false;
};

}  // namespace briefwerk::server::imap
