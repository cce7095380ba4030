#include "thread_tree.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_map>

namespace briefwerk::server::imap {
namespace {

// Steps up a chain of parents when a loop is looked for. Nobody answers through so many messages; a chain that is
// longer was made up, and is cut here.
constexpr unsigned most_ancestors = 10000;

}  // namespace

thread_tree::index thread_tree::make(const thread_message& message) {
  node made;
  made.number = message.number;
  made.sent = message.sent;
  made.subject = texts_.copy(message.base_subject);
  made.is_reply = message.is_reply;
  nodes_.push_back(made);
  return static_cast<index>(nodes_.size() - 1);
}

thread_tree::index thread_tree::of_id(std::string_view id) {
  const auto [known, is_new] = ids_.insert(id);
  if (!is_new) return known.value;
  nodes_.emplace_back();
  known.text = texts_.copy(id);
  known.value = static_cast<index>(nodes_.size() - 1);
  return known.value;
}

// No loop may come of it.
bool thread_tree::may_adopt(index parent, index child) const {
  if (parent == child) return false;
  if (nodes_[child].first == none) return true;
  unsigned steps = 0;
  for (index at = parent; at != none; at = nodes_[at].parent) {
    if (at == child || ++steps > most_ancestors) return false;
  }
  return true;
}

void thread_tree::adopt(index parent, index child) {
  nodes_[child].parent = parent;
  nodes_[child].next = nodes_[parent].first;
  nodes_[parent].first = child;
}

void thread_tree::leave_parent(index child) {
  const index parent = nodes_[child].parent;
  if (parent == none) return;
  for (index* at = &nodes_[parent].first; *at != none; at = &nodes_[*at].next) {
    if (*at != child) continue;
    *at = nodes_[child].next;
    break;
  }
  nodes_[child].parent = nodes_[child].next = none;
}

// RFC 5256 §3, REFERENCES, step 1.
void thread_tree::add_by_references(const thread_message& message) {
  // (A) The chain of references, where nothing is known of a child's parent yet.
  index last = none;
  for (const auto id : message.references) {
    if (id.empty()) continue;
    const index at = of_id(id);
    if (last != none && nodes_[at].parent == none && may_adopt(last, at)) adopt(last, at);
    last = at;
  }
  // A message without an id, or with one that another message has, gets one of its own.
  index mine = message.message_id.empty() ? none : of_id(message.message_id);
  if (mine == none || nodes_[mine].number != 0) {
    mine = make(message);
  } else {
    node& filled = nodes_[mine];
    filled.number = message.number;
    filled.sent = message.sent;
    filled.subject = texts_.copy(message.base_subject);
    filled.is_reply = message.is_reply;
  }
  // (B) Its parent is the last reference, whatever others said.
  if (nodes_[mine].parent == last) return;
  leave_parent(mine);
  if (last != none && may_adopt(last, mine)) adopt(last, mine);
}

std::vector<thread_tree::index>& thread_tree::children_of(index parent) {
  children_.clear();
  for (index at = nodes_[parent].first; at != none; at = nodes_[at].next) children_.push_back(at);
  return children_;
}

void thread_tree::set_children(index parent, const std::vector<index>& children) {
  nodes_[parent].first = children.empty() ? none : children.front();
  for (std::size_t i = 0; i < children.size(); ++i) {
    nodes_[children[i]].parent = parent;
    nodes_[children[i]].next = i + 1 < children.size() ? children[i + 1] : none;
  }
}

// Children of a stand-in go where it stood, those of stand-ins among them as well.
void thread_tree::splice_children(index dummy, std::vector<index>& into) {
  std::vector<index> open{dummy};
  while (!open.empty()) {
    const index at = open.back();
    open.pop_back();
    if (nodes_[at].number != 0) {
      into.push_back(at);
      continue;
    }
    for (index child = nodes_[at].first; child != none; child = nodes_[child].next) open.push_back(child);
    nodes_[at].first = none;  // it holds nothing any more
  }
}

// Steps 2 and 3: roots, and stand-ins only where they hold several threads together.
void thread_tree::prune() {
  for (index at = 0; at < nodes_.size(); ++at) {
    if (nodes_[at].number == 0) continue;
    bool has_dummy = false;
    for (index child = nodes_[at].first; child != none; child = nodes_[child].next)
      has_dummy |= nodes_[child].number == 0;
    if (!has_dummy) continue;
    std::vector<index> children;
    for (index child = nodes_[at].first; child != none; child = nodes_[child].next) splice_children(child, children);
    set_children(at, children);
  }
  std::vector<index> tops;
  for (index at = 0; at < nodes_.size(); ++at)
    if (nodes_[at].parent == none) tops.push_back(at);
  for (const index at : tops) {
    if (nodes_[at].number != 0) {
      roots_.push_back(at);
      continue;
    }
    std::vector<index> children;
    splice_children(at, children);
    if (children.empty()) continue;
    if (children.size() == 1) {
      nodes_[children[0]].parent = nodes_[children[0]].next = none;
      roots_.push_back(children[0]);
      continue;
    }
    set_children(at, children);
    roots_.push_back(at);
  }
}

// A stand-in has the date of its first child; its children are sorted first.
std::int64_t thread_tree::date_of(index at) const { return speaker(at).sent; }
std::uint32_t thread_tree::number_of(index at) const { return speaker(at).number; }

const thread_tree::node& thread_tree::speaker(index at) const {
  return nodes_[at].number != 0 || nodes_[at].first == none ? nodes_[at] : nodes_[nodes_[at].first];
}

bool thread_tree::is_before(index a, index b) const {
  const auto first = date_of(a), second = date_of(b);
  return first != second ? first < second : number_of(a) < number_of(b);
}

void thread_tree::sort_children(index parent) {
  if (nodes_[parent].first == none || nodes_[nodes_[parent].first].next == none) return;
  auto& children = children_of(parent);
  std::ranges::sort(children, [this](index a, index b) { return is_before(a, b); });
  set_children(parent, children);
}

// Step 5: threads with one subject are one thread.
void thread_tree::gather_subjects() {
  text_table<index> table;
  table.reserve(roots_.size());
  for (const index root : roots_) {
    const auto subject = speaker(root).subject;
    if (subject.empty()) continue;
    const auto [found, is_new] = table.insert(subject);
    if (is_new) found.value = root;
    if (is_new) continue;
    const index other = found.value;
    const bool dummy = nodes_[root].number == 0, other_dummy = nodes_[other].number == 0;
    if ((dummy && !other_dummy) || (!other_dummy && !dummy && nodes_[other].is_reply && !nodes_[root].is_reply)) {
      found.value = root;
    }
  }
  std::vector<index> kept;
  const auto count = roots_.size();
  std::unordered_map<index, std::size_t> place;  // of a root in `kept`
  std::vector<std::vector<index>> joined;        // further children, by the place
  // The thread of the table stays where it stood; the others go into it.
  for (std::size_t i = 0; i < count; ++i) {
    const index root = roots_[i];
    const auto subject = speaker(root).subject;
    if (subject.empty() || table.find(subject)->value == root) {
      place.emplace(root, kept.size());
      kept.push_back(root);
      joined.emplace_back();
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    const index root = roots_[i];
    const auto subject = speaker(root).subject;
    if (subject.empty()) continue;
    const index other = table.find(subject)->value;
    if (other == root) continue;
    const std::size_t at = place.at(other);
    const bool dummy = nodes_[root].number == 0, other_dummy = nodes_[other].number == 0;
    if (dummy && other_dummy) {
      for (const index child : children_of(root)) joined[at].push_back(child);
    } else if (other_dummy || (nodes_[root].is_reply && !nodes_[other].is_reply)) {
      joined[at].push_back(root);
    } else {
      // Neither answers the other: both under a stand-in.
      if (!joined[at].empty()) {
        auto& children = children_of(other);
        children.insert(children.end(), joined[at].begin(), joined[at].end());
        set_children(other, children);
        joined[at].clear();
      }
      nodes_.emplace_back();
      const auto above = static_cast<index>(nodes_.size() - 1);
      set_children(above, {other, root});
      kept[at] = above;
      place.emplace(above, at);
      table.find(subject)->value = above;
    }
  }
  for (std::size_t at = 0; at < kept.size(); ++at) {
    if (joined[at].empty()) continue;
    auto& children = children_of(kept[at]);
    children.insert(children.end(), joined[at].begin(), joined[at].end());
    set_children(kept[at], children);
  }
  roots_ = std::move(kept);
}

// Step 6. A stand-in is looked at after its children: it has one level below it that holds messages.
void thread_tree::sort_all() {
  for (index at = 0; at < nodes_.size(); ++at)
    if (nodes_[at].number != 0) sort_children(at);
  for (index at = 0; at < nodes_.size(); ++at)
    if (nodes_[at].number == 0) sort_children(at);
  std::ranges::sort(roots_, [this](index a, index b) { return is_before(a, b); });
}

std::string thread_tree::by_references() {
  prune();
  for (const index root : roots_)
    if (nodes_[root].number == 0) sort_children(root);
  std::ranges::sort(roots_, [this](index a, index b) { return is_before(a, b); });
  gather_subjects();
  sort_all();
  std::string out;
  for (const index root : roots_) write(out, root);
  return out;
}

void thread_tree::add_by_subject(const thread_message& message) { make(message); }

// RFC 5256 §3, ORDEREDSUBJECT: in each thread the first message, and all others below it.
std::string thread_tree::by_subject() {
  std::vector<index> order(nodes_.size());
  for (index at = 0; at < nodes_.size(); ++at) order[at] = at;
  std::ranges::sort(order, [this](index a, index b) { return is_before(a, b); });
  struct thread {
    index root = none, youngest = none;
  };
  text_table<thread> threads;
  for (const index at : order) {
    const auto [found, is_new] = threads.insert(nodes_[at].subject);
    auto& [root, youngest] = found.value;
    if (is_new) {
      roots_.push_back(root = at);
      continue;
    }
    (youngest == none ? nodes_[root].first : nodes_[youngest].next) = at;
    youngest = at;
  }
  std::string out;
  for (const index root : roots_) write(out, root);
  return out;
}

// thread-list = "(" (thread-members / thread-nested) ")"; thread-members = nz-number *(SP nz-number) [SP
// thread-nested]; thread-nested = 2*thread-list. No recursion: threads are as deep as their senders like.
void thread_tree::write(std::string& out, index root) {
  auto& todo = todo_;
  todo.assign(1, {root, false});
  while (!todo.empty()) {
    const auto [start, closes] = todo.back();
    todo.pop_back();
    if (closes) {
      out += ')';
      continue;
    }
    out += '(';
    index at = start;
    // Down as long as there is one child.
    for (bool first = true;; first = false) {
      if (nodes_[at].number != 0) {
        if (!first) out += ' ';
        char digits[10];
        out.append(digits, std::to_chars(digits, digits + sizeof digits, nodes_[at].number).ptr);
      }
      if (nodes_[at].first == none || nodes_[nodes_[at].first].next != none) break;
      at = nodes_[at].first;
    }
    todo.push_back({none, true});
    if (nodes_[at].first == none) continue;
    if (nodes_[at].number != 0) out += ' ';
    const auto& children = children_of(at);
    for (auto child = children.rbegin(); child != children.rend(); ++child) todo.push_back({*child, false});
  }
}

}  // namespace briefwerk::server::imap
