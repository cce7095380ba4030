#pragma once

// Keys of an account's partition "a/<account id>". lib/store/FORMAT.md describes them.

#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/store/engine.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "store/mailbox/octet_codec.hpp"

namespace briefwerk::store::keys {

inline constexpr std::string_view account = "A";  // counters of the account
inline constexpr std::string_view usage = "U";    // quota
inline constexpr char name = 'N';                 // N name -> which mailbox
inline constexpr char subscribed = 'S';           // S name -> empty
inline constexpr char head = 'H';                 // H mailbox
inline constexpr char page = 'P';                 // P mailbox, page number
inline constexpr char states = 'F';               // F mailbox, page number: the page's flags
inline constexpr char tail = 'T';                 // T mailbox, uid: entries of the last, unfinished page
inline constexpr char summary = 'Y';              // Y mailbox, uid
inline constexpr char digest = 'K';               // K mailbox, range of uids: what a reader made of their summaries
inline constexpr char change = 'C';               // C mailbox, slot of the ring
inline constexpr char expunged = 'X';             // X mailbox, modseq
inline constexpr char annotation = 'M';           // M mailbox, user NUL entry; no user: of all
inline constexpr char access = 'R';               // R mailbox: who else may do what
inline constexpr char gone = 'G';                 // G mailbox: removed, its rows are still to be erased

inline constexpr std::string_view registry_partition = "m";  // accounts that have mail: account id -> empty
inline constexpr std::string_view sharing_partition = "w";   // user NUL account that shares with them -> empty
inline constexpr std::string_view queue_partition = "q";
inline constexpr std::string_view directory_partition = "d";

inline std::string state_partition(std::string_view part) { return std::string("s/").append(part); }

inline std::string partition(std::string_view account_name) { return std::string("a/").append(account_name); }

inline std::string of_name(char kind, std::string_view text) { return std::string(1, kind).append(text); }

inline std::string of_mailbox(char kind, mailbox_id id) {
  std::string key(1, kind);
  append_key_number(key, id);
  return key;
}
template <std::unsigned_integral T>
std::string of_mailbox(char kind, mailbox_id id, T number) {
  std::string key;
  key.reserve(1 + sizeof id + sizeof number);
  key.push_back(kind);
  append_key_number(key, id);
  append_key_number(key, number);
  return key;
}
inline std::string of_annotation(mailbox_id id, std::string_view user, std::string_view entry) {
  return of_mailbox(annotation, id).append(user).append(1, '\0').append(entry);
}
// All rows of a kind; of one mailbox; of its numbers first to last, both included.
inline key_range all(char kind) { return key_range::prefix(std::string_view(&kind, 1)); }
inline key_range all(char kind, mailbox_id id) { return key_range::prefix(of_mailbox(kind, id)); }
template <std::unsigned_integral T>
key_range range(char kind, mailbox_id id, T first, T last) {
  return {of_mailbox(kind, id, first), of_mailbox(kind, id, last) + '\0'};
}

}  // namespace briefwerk::store::keys
