#pragma once

// A search whose result the client wants to be told of as it changes (RETURN (UPDATE), RFC 5267 §4.3).

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/mail/uid_set.hpp"
#include "briefwerk/protocol/imap/search.hpp"
#include "kept_items.hpp"

namespace briefwerk::server::imap {

class search_context {
 public:
  // Keeps a copy of the program, in which sequence numbers are the UIDs that they meant when the command came (§4.3):
  // `resolve` turns a set of them into UIDs.
  template <class Resolve>
  search_context(std::string_view tag, bool by_uid, const protocol::imap::search_program& program, Resolve&& resolve)
      : tag_(tag), by_uid_(by_uid) {
    copy(program);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      auto& node = nodes_[i];
      if (node.key != protocol::imap::search_key::sequence && !node.set.saved) continue;
      const mail::uid_set uids = resolve(program.nodes[i].set, node.key == protocol::imap::search_key::sequence);
      node.key = protocol::imap::search_key::uid;
      keep_set(node, uids.ranges());
    }
  }
  search_context(const search_context&) = delete;
  search_context& operator=(const search_context&) = delete;

  const std::string& tag() const noexcept { return tag_; }
  bool by_uid() const noexcept { return by_uid_; }
  protocol::imap::search_program program() const noexcept { return {nodes_}; }

  kept_items items;      // told of messages that come in (RFC 5465 §7)
  mail::uid_set result;  // UIDs, as the client knows it

 private:
  void copy(const protocol::imap::search_program& program);
  void keep_set(protocol::imap::search_node& node, std::span<const mail::uid_range> ranges);

  std::string tag_;
  bool by_uid_;
  std::vector<protocol::imap::search_node> nodes_;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<std::unique_ptr<std::vector<mail::uid_range>>> sets_;
};

}  // namespace briefwerk::server::imap
