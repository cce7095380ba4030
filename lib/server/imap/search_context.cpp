#include "search_context.hpp"

namespace briefwerk::server::imap {

void search_context::copy(const protocol::imap::search_program& program) {
  nodes_.assign(program.nodes.begin(), program.nodes.end());
  const auto keep = [this](std::string_view& text) {
    if (text.empty()) return;
    texts_.push_back(std::make_unique<std::string>(text));
    text = *texts_.back();
  };
  for (auto& node : nodes_) {
    keep(node.text);
    keep(node.field);
    if (!node.set.ranges.empty()) keep_set(node, node.set.ranges);
  }
}

void search_context::keep_set(protocol::imap::search_node& node, std::span<const mail::uid_range> ranges) {
  sets_.push_back(std::make_unique<std::vector<mail::uid_range>>(ranges.begin(), ranges.end()));
  node.set = {.ranges = *sets_.back(), .saved = false};
}

}  // namespace briefwerk::server::imap
