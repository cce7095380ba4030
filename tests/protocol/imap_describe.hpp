#pragma once

// Commands as one line of text, so that a row of a test can hold what it expects.

#include <memory>
#include <string>
#include <string_view>

#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/protocol/imap/parser.hpp"

namespace imap_test {

namespace imap = briefwerk::protocol::imap;
namespace mail = briefwerk::mail;

// In the order of the enumerations.
inline constexpr std::string_view key_names[] = {
    "and", "or", "not", "all", "flags_set", "flags_clear", "keyword", "recent", "before", "on", "since",
    "sent_before", "sent_on", "sent_since", "saved_before", "saved_on", "saved_since", "younger", "older", "larger",
    "smaller", "from", "to", "cc", "bcc", "subject", "header", "body", "text", "modseq", "email_id", "thread_id",
    "sequence", "uid", "uid_after", "uid_before",
};

inline constexpr std::string_view kind_names[] = {
    "uid", "flags", "internal_date", "size", "envelope", "body", "body_structure", "section", "rfc822",
    "rfc822_header", "rfc822_text", "binary", "binary_size", "modseq", "email_id", "thread_id", "save_date",
    "preview",
};

inline constexpr std::string_view text_names[] = {
    "", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME",
};

inline std::string text_of(const imap::number_set& set) {
  if (set.saved) return "$";
  std::string out;
  const auto number = [](std::uint32_t n) { return n == 0 ? std::string("*") : std::to_string(n); };
  for (const auto& range : set.ranges) {
    if (!out.empty()) out += ',';
    out += number(range.first);
    if (range.first != range.last) out += ':' + number(range.last);
  }
  return out;
}

inline std::string text_of(const imap::flag_list& flags) {
  std::string out = std::to_string(flags.system);
  for (const auto name : flags.keywords) out.append("+").append(name);
  return out;
}

inline std::string text_of(const imap::fetch_item& item) {
  std::string out(kind_names[static_cast<std::size_t>(item.kind)]);
  if (item.kind == imap::fetch_kind::section || item.kind == imap::fetch_kind::binary) {
    if (item.peek) out += ".peek";
    out.append("[").append(text_names[static_cast<std::size_t>(item.text)]).append("]");
  }
  for (const auto number : item.part) out += '.' + std::to_string(number);
  for (const auto field : item.fields) out.append("/").append(field);
  if (item.partial) out += '<' + std::to_string(item.partial->offset) + '.' + std::to_string(item.partial->length) + '>';
  return out;
}

// "and(flags_set:1 text'hello')": keys with what belongs to them.
inline std::string text_of(const imap::search_program& program, std::size_t at = 0) {
  const auto& node = program.nodes[at];
  std::string out(key_names[static_cast<std::size_t>(node.key)]);
  if (node.fuzzy) out.insert(0, 1, '~');
  if (node.flags != 0) out += ':' + std::to_string(node.flags);
  if (node.number != 0) out += '=' + std::to_string(node.number);
  if (!node.field.empty()) out.append(" ").append(node.field);
  if (!node.text.empty()) out.append("'").append(node.text).append("'");
  if (node.key == imap::search_key::sequence || node.key == imap::search_key::uid) out += '#' + text_of(node.set);
  if (node.end == at + 1) return out;
  out += '(';
  bool first = true;
  program.for_each_child(at, [&](std::size_t child) {
    if (!first) out += ' ';
    first = false;
    out += text_of(program, child);
  });
  return out + ')';
}

inline std::string text_of(const imap::mailbox_filter& filter) {
  std::string out = std::to_string(static_cast<int>(filter.scope));
  for (const auto name : filter.names) out.append(" [").append(name).append("]");
  return out;
}

struct describe {
  std::string operator()(const imap::capability_command&) const { return "capability"; }
  std::string operator()(const imap::noop_command&) const { return "noop"; }
  std::string operator()(const imap::logout_command&) const { return "logout"; }
  std::string operator()(const imap::starttls_command&) const { return "starttls"; }
  std::string operator()(const imap::namespace_command&) const { return "namespace"; }
  std::string operator()(const imap::idle_command&) const { return "idle"; }
  std::string operator()(const imap::check_command&) const { return "check"; }
  std::string operator()(const imap::close_command&) const { return "close"; }
  std::string operator()(const imap::unselect_command&) const { return "unselect"; }
  std::string operator()(const imap::id_command& c) const {
    std::string out = "id";
    for (const auto& field : c.fields) out.append(" ").append(field.name).append("=").append(field.value.value_or("NIL"));
    return out;
  }
  std::string operator()(const imap::authenticate_command& c) const {
    return "authenticate " + std::string(c.mechanism) + " " + std::string(c.initial_response.value_or("-"));
  }
  std::string operator()(const imap::login_command& c) const {
    return "login [" + std::string(c.user) + "] [" + std::string(c.password) + "]";
  }
  std::string operator()(const imap::enable_command& c) const {
    std::string out = "enable";
    for (const auto name : c.capabilities) out.append(" ").append(name);
    return out;
  }
  std::string operator()(const imap::select_command& c) const {
    std::string out = (c.read_only ? "examine [" : "select [") + std::string(c.mailbox) + "]";
    if (c.condstore) out += " condstore";
    if (c.qresync) {
      out += " qresync " + std::to_string(c.qresync->uid_validity) + " " + std::to_string(c.qresync->modseq);
      if (c.qresync->known_uids) out += " " + text_of(*c.qresync->known_uids);
      if (c.qresync->match_uids) out += " " + text_of(*c.qresync->match_sequences) + "=" + text_of(*c.qresync->match_uids);
    }
    return out;
  }
  std::string operator()(const imap::create_command& c) const {
    std::string out = "create [" + std::string(c.mailbox) + "]";
    for (const auto use : c.use) out.append(" ").append(mail::special_use_name(use));
    return c.unknown_use ? out + " ?" : out;
  }
  std::string operator()(const imap::delete_command& c) const { return "delete [" + std::string(c.mailbox) + "]"; }
  std::string operator()(const imap::rename_command& c) const {
    return "rename [" + std::string(c.from) + "] [" + std::string(c.to) + "]";
  }
  std::string operator()(const imap::subscribe_command& c) const {
    return (c.subscribe ? "subscribe [" : "unsubscribe [") + std::string(c.mailbox) + "]";
  }
  std::string operator()(const imap::status_command& c) const {
    return "status [" + std::string(c.mailbox) + "] " + std::to_string(c.items);
  }
  std::string operator()(const imap::list_command& c) const {
    std::string out = c.lsub ? "lsub" : "list";
    const auto option = [&](bool on, const char* name) { if (on) out.append(" ").append(name); };
    option(c.extended, "extended");
    option(c.select_subscribed, "s:subscribed");
    option(c.select_remote, "s:remote");
    option(c.recursive_match, "s:recursive");
    option(c.select_special_use, "s:special");
    option(c.return_subscribed, "r:subscribed");
    option(c.return_children, "r:children");
    option(c.return_special_use, "r:special");
    if (c.return_status != 0) out += " r:status" + std::to_string(c.return_status);
    option(c.return_my_rights, "r:rights");
    for (const auto entry : c.return_metadata) out.append(" r:").append(entry);
    out.append(" [").append(c.reference).append("]");
    for (const auto pattern : c.patterns) out.append(" [").append(pattern).append("]");
    return out;
  }
  std::string operator()(const imap::expunge_command& c) const {
    return c.uids ? "uid expunge " + text_of(*c.uids) : "expunge";
  }
  std::string operator()(const imap::search_command& c) const {
    std::string out = c.by_uid ? "uid search " : "search ";
    if (c.extended) out += "return" + std::to_string(c.returns) + " ";
    if ((c.returns & imap::return_partial) != 0) {
      out += std::to_string(c.partial.first) + ":" + std::to_string(c.partial.last) + " ";
    }
    for (const auto& item : c.update_items) out += text_of(item) + " ";
    return out + text_of(c.program);
  }
  std::string operator()(const imap::fetch_command& c) const {
    std::string out = (c.by_uid ? "uid fetch " : "fetch ") + text_of(c.messages);
    for (const auto& item : c.items) out += " " + text_of(item);
    if (c.partial) out += " " + std::to_string(c.partial->first) + ":" + std::to_string(c.partial->last);
    if (c.changed_since) out += " since" + std::to_string(*c.changed_since);
    return c.vanished ? out + " vanished" : out;
  }
  std::string operator()(const imap::store_command& c) const {
    std::string out = (c.by_uid ? "uid store " : "store ") + text_of(c.messages);
    out += c.how == imap::store_how::replace ? " =" : c.how == imap::store_how::add ? " +" : " -";
    if (c.silent) out += "silent ";
    if (c.unchanged_since) out += "unchanged" + std::to_string(*c.unchanged_since) + " ";
    return out + text_of(c.flags);
  }
  std::string operator()(const imap::copy_command& c) const {
    return (c.by_uid ? "uid copy " : "copy ") + text_of(c.messages) + " [" + std::string(c.mailbox) + "]";
  }
  std::string operator()(const imap::sort_command& c) const {
    std::string out = "sort";
    for (const auto& key : c.keys) out += (key.reverse ? " -" : " +") + std::to_string(static_cast<int>(key.field));
    return out + " " + (*this)(c.search);
  }
  std::string operator()(const imap::thread_command& c) const {
    return std::string(c.by_uid ? "uid thread " : "thread ") +
           (c.algorithm == imap::thread_algorithm::references ? "references " : "subject ") + text_of(c.program);
  }
  std::string operator()(const imap::cancel_update_command& c) const {
    std::string out = "cancelupdate";
    for (const auto tag : c.tags) out.append(" ").append(tag);
    return out;
  }
  std::string operator()(const imap::unauthenticate_command&) const { return "unauthenticate"; }
  std::string operator()(const imap::compress_command& c) const { return "compress " + std::string(c.algorithm); }
  std::string operator()(const imap::get_quota_command& c) const { return "getquota [" + std::string(c.root) + "]"; }
  std::string operator()(const imap::get_quota_root_command& c) const {
    return "getquotaroot [" + std::string(c.mailbox) + "]";
  }
  std::string operator()(const imap::get_metadata_command& c) const {
    std::string out = "getmetadata [" + std::string(c.mailbox) + "] depth" + std::to_string(static_cast<int>(c.depth));
    if (c.max_size) out += " max" + std::to_string(*c.max_size);
    for (const auto entry : c.entries) out.append(" ").append(entry);
    return out;
  }
  std::string operator()(const imap::set_metadata_command& c) const {
    std::string out = "setmetadata [" + std::string(c.mailbox) + "]";
    for (const auto& one : c.values)
      out.append(" ").append(one.entry).append(one.value ? "=[" + std::string(*one.value) + "]" : "=NIL");
    return out;
  }
  std::string operator()(const imap::set_quota_command& c) const { return "setquota [" + std::string(c.root) + "]"; }
  std::string operator()(const imap::get_acl_command& c) const { return "getacl [" + std::string(c.mailbox) + "]"; }
  std::string operator()(const imap::my_rights_command& c) const { return "myrights [" + std::string(c.mailbox) + "]"; }
  std::string operator()(const imap::set_acl_command& c) const {
    const char* const how = c.how == imap::rights_change::replace ? " =" : c.how == imap::rights_change::add ? " +" : " -";
    return "setacl [" + std::string(c.mailbox) + "] [" + std::string(c.identifier) + "]" + how + mail::rights_text(c.rights);
  }
  std::string operator()(const imap::delete_acl_command& c) const {
    return "deleteacl [" + std::string(c.mailbox) + "] [" + std::string(c.identifier) + "]";
  }
  std::string operator()(const imap::list_rights_command& c) const {
    return "listrights [" + std::string(c.mailbox) + "] [" + std::string(c.identifier) + "]";
  }
  std::string operator()(const imap::multisearch_command& c) const {
    std::string out = "esearch";
    for (const auto& source : c.sources) out += " (" + text_of(source) + ")";
    return out + " " + (*this)(c.search);
  }
  std::string operator()(const imap::notify_command& c) const {
    std::string out = c.groups.empty() ? "notify none" : "notify";
    if (c.status) out += " status";
    for (const auto& group : c.groups) {
      out += " (" + text_of(group.mailboxes) + " " + std::to_string(group.events);
      for (const auto& item : group.items) out += " " + text_of(item);
      out += ")";
    }
    return out;
  }
  std::string operator()(const imap::move_command& c) const {
    return (c.by_uid ? "uid move " : "move ") + text_of(c.messages) + " [" + std::string(c.mailbox) + "]";
  }
};

// Parses from a heap block of exactly the command's size. "BAD: reason" for a refusal.
inline std::string parse(std::string_view line, bool utf8_names = false) {
  const auto block = std::make_unique<char[]>(line.size());
  line.copy(block.get(), line.size());
  const std::string_view exact(block.get(), line.size());
  imap::arena memory;
  imap::command_head head;
  if (const auto known = imap::parse_head(exact, head); !known) return "BAD: " + known.error().message();
  const auto parsed = imap::parse_command(exact, head, {utf8_names}, memory);
  if (!parsed) return "BAD: " + parsed.error().message();
  return std::visit(describe{}, *parsed);
}

}  // namespace imap_test
