#pragma once

// FETCH items that outlive the command which named them (RFC 5465).

#include <span>

#include "briefwerk/protocol/imap/arena.hpp"
#include "briefwerk/protocol/imap/fetch.hpp"

namespace briefwerk::server::imap {

class kept_items {
 public:
  void keep(std::span<const protocol::imap::fetch_item> given, protocol::imap::fetch_kinds kinds) {
    namespace wire = protocol::imap;
    wire::arena_list<wire::fetch_item> kept(memory_);
    for (wire::fetch_item item : given) {
      wire::arena_list<std::uint32_t> part(memory_);
      for (const auto number : item.part) part.push_back(number);
      wire::arena_list<std::string_view> fields(memory_);
      for (const auto field : item.fields) fields.push_back(memory_.copy(field));
      item.part = part.view();
      item.fields = fields.view();
      kept.push_back(item);
    }
    items_ = kept.view();
    kinds_ = kinds;
  }
  std::span<const protocol::imap::fetch_item> items() const noexcept { return items_; }
  protocol::imap::fetch_kinds kinds() const noexcept { return kinds_; }

 private:
  protocol::imap::arena memory_;
  std::span<const protocol::imap::fetch_item> items_;
  protocol::imap::fetch_kinds kinds_ = 0;
};

}  // namespace briefwerk::server::imap
