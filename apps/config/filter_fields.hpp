#pragma once

// The keys of the section "filter" (see fields.hpp).

#include "apps/config/filter_config.hpp"
#include "apps/config/needed.hpp"

namespace briefwerk::apps {

template <class Visitor>
void describe(Visitor& v, stage_config& c) {
  v.text("name", c.name, "Which stage: dns_lists, rate, greylist, content, virus, spam, or another that this server has.", needed::yes);
  v.choice("failure", c.failure, {"defer", "open"}, "What a failure, or no answer in time, counts as: come again later, or no objection.");
  v.choice("only", c.only, {"both", "inbound", "submission"}, "Mail from other servers, mail from users, or both.");
  v.number("limit_ms", c.limit_ms, 0, 600000, "Milliseconds for one question to the stage; 0: no limit.");
  v.flag("dry_run", c.dry_run, "Log what the stage would have done, and do nothing.");
  v.texts("domains", c.domains, "Where not empty: only mail for recipients of these domains, or from users of them.");
  v.texts("accounts", c.accounts, "The same by whole addresses.");
  v.texts("after", c.after, "Stages whose answers this one waits for; instead of those that it waits for by itself.");
}

template <class Visitor>
void describe(Visitor& v, greylist_config& c) {
  v.flag("enabled", c.enabled, "Let the first mail of a sender to a recipient wait (RFC 6647).");
  v.number("delay_seconds", c.delay_seconds, 1, 86400, "How long it waits.");
  v.number("window_hours", c.window_hours, 1, 30 * 24, "It must come again within.");
  v.number("lifetime_days", c.lifetime_days, 1, 400, "How long who waited is remembered after the last mail.");
  v.number("trusted_after", c.trusted_after, 0, 1000, "So many good messages of a network, or of a domain proven by SPF or DKIM, and its mail waits no longer; 0: never.");
  v.flag("big_senders", c.big_senders, "Do not delay known operators whose servers share the work over many addresses.");
  v.networks("networks", c.networks, "Networks of clients that never wait.");
  v.texts("hosts", c.hosts, "Names of clients, or domains above them, that never wait; the name is verified.");
  v.texts("recipients", c.recipients, "Addresses or domains here whose mail never waits.");
  v.number("entries", c.entries, 1000, 100000000, "Remembered at most, about 64 octets of memory each.");
}

template <class Visitor>
void describe(Visitor& v, dns_list_code_config& c) {
  v.text("answer", c.answer, "An answer of the list, 127.0.0.4, or a network of them, 127.0.0.4/30.");
  v.number("bits", c.bits, 0, 0xffffff, "Instead: one of these bits of the answer's last three numbers is set.");
  v.decimal("score", c.score, -1000, 1000, "Added to the message's score.");
  v.choice("action", c.action, {"score", "junk", "quarantine", "defer", "reject"}, "What is done besides.");
  v.text("meaning", c.meaning, "For the log.");
}

template <class Visitor>
void describe(Visitor& v, dns_list_config& c) {
  v.text("zone", c.zone, "The list's zone: bl.example.org.", needed::yes);
  v.choice("lists", c.lists, {"addresses", "domains"}, "What it lists (RFC 5782).");
  v.flag("v4", c.v4, "It lists IPv4 addresses.");
  v.flag("v6", c.v6, "It lists IPv6 addresses.");
  v.flag("helo", c.helo, "Of a list of domains: look up the name in HELO.");
  v.flag("from", c.from, "Look up the domain of the envelope sender.");
  v.flag("links", c.links, "Look up the domains of links in the text.");
  v.flag("allow", c.allow, "An allow list (RFC 8904): whom it lists is not refused by other lists. Its score is negative as a rule.");
  v.decimal("score", c.score, -1000, 1000, "Of a listing, where no codes are given.");
  v.choice("action", c.action, {"score", "junk", "quarantine", "defer", "reject"}, "What is done besides, where no codes are given.");
  v.objects("codes", c.codes, "What the list's answers mean; answers without a code here are no listing then.");
}

template <class Visitor>
void describe(Visitor& v, dns_lists_config& c) {
  v.objects("lists", c.lists, "Block lists and allow lists in DNS.");
  v.networks("networks", c.networks, "Networks of clients that are never looked up.");
  v.number("limit_ms", c.limit_ms, 100, 30000, "Milliseconds for an answer; later ones count as none.");
}

template <class Visitor>
void describe(Visitor& v, rate_rule_config& c) {
  v.choice("by", c.by, {"address", "network", "account", "sender_domain", "recipient"}, "For each of these by itself.");
  v.choice("of", c.of, {"messages", "recipients", "connections"}, "What is counted.");
  v.number("count", c.count, 1, 1000000000, "So many");
  v.number("seconds", c.seconds, 1, 30 * 86400, "in so much time; all at once if need be, refilled steadily.");
  v.choice("only", c.only, {"both", "inbound", "submission"}, "Mail from other servers, mail from users, or both.");
}

template <class Visitor>
void describe(Visitor& v, rate_config& c) {
  v.objects("rules", c.rules, "Who is over one of them is told to come again later.");
  v.networks("networks", c.networks, "Networks of clients that the rules do not count.");
  v.number("recipients_a_day", c.recipients_a_day, 0, 1000000000, "Of one account; past that its mail is held in quarantine and the administrator gets a notice; 0: any number.");
  v.number("new_recipients_a_day", c.new_recipients_a_day, 0, 1000000000, "The same for recipients that the account never wrote to before.");
  v.number("entries", c.entries, 1000, 100000000, "Remembered at most, about 64 octets of memory each.");
}

template <class Visitor>
void describe(Visitor& v, attachment_rule_config& c) {
  v.texts("extensions", c.extensions, "Of file names, without the dot.");
  v.texts("types", c.types, "By the first octets: windows_program, elf_program, mac_program, java_class, windows_shortcut, script, cabinet, rar, seven_zip, zip, ole_document, pdf.");
  v.flag("encrypted", c.encrypted, "Archives that need a password.");
  v.flag("unreadable", c.unreadable, "What is too deep or too large to be looked at whole.");
  v.flag("in_archives", c.in_archives, "Look into ZIP archives as well.");
  v.choice("action", c.action, {"score", "junk", "quarantine", "discard", "defer", "reject"}, "What is done.");
  v.decimal("score", c.score, -1000, 1000, "Added to the message's score.");
}

template <class Visitor>
void describe(Visitor& v, header_rule_config& c) {
  v.text("name", c.name, "Of the rule, for the log.", needed::yes);
  v.text("field", c.field, "Header field that is looked at.", needed::yes);
  v.text("pattern", c.pattern, "Regular expression (RE2) that is found anywhere in the decoded value; (?i) in front for any case.", needed::yes);
  v.choice("action", c.action, {"score", "junk", "quarantine", "discard", "defer", "reject"}, "What is done.");
  v.decimal("score", c.score, -1000, 1000, "Added to the message's score.");
}

template <class Visitor>
void describe(Visitor& v, content_config& c) {
  v.texts("senders", c.senders, "Addresses or domains (with all below them) whose mail is refused; of the envelope and of From.");
  v.texts("recipients", c.recipients, "Addresses or domains that get no mail.");
  v.number("size", c.size, 0, 2000ull << 20, "Octets of a message; 0: as limits.message_size says.");
  v.objects("attachments", c.attachments, "What may not be attached.");
  v.objects("headers", c.headers, "Patterns of header fields.");
}

template <class Visitor>
void describe(Visitor& v, virus_config& c) {
  v.choice("scanner", c.scanner, {"none", "started", "socket", "clamd"},
           "started: a briefwerk-scand that this server starts and watches; socket: one that somebody else does, perhaps as "
           "a user of its own; clamd: ClamAV's own server.");
  v.text("database", c.database, "Of a started scanner: the folder of signatures, loaded anew when it changes.");
  v.text("program", c.program, "Path of briefwerk-scand; empty: beside this program.");
  v.text("socket", c.socket, "Unix socket of a scanner that this server does not start; of a started one with a user of its own: where its socket is made, in a folder of root's, empty: /run/briefwerk-scan/socket.");
  v.text("user", c.user, "Of a started scanner: a user of its own for it, where this server is started by root. A process that does nothing else keeps the right to start it.");
  v.text("address", c.address, "Of clamd: instead of a socket, an address with port.");
  v.number("workers", c.workers, 1, 256, "Scans at once.");
  v.number("size", c.size, 65536, 2000ull << 20, "Octets of the largest message that is scanned.");
  v.number("unpacked", c.unpacked, 65536, 16000ull << 20, "Of a started scanner, as the following five: octets that are looked at of one message, with all that it unpacks to.");
  v.number("depth", c.depth, 1, 100, "Archives in archives.");
  v.number("files", c.files, 1, 1000000, "Files in one message.");
  v.number("seconds", c.seconds, 1, 600, "The longest scan; a worker that takes longer is replaced.");
  v.number("memory", c.memory, 64u << 20, 64ull << 30, "Octets of memory of a worker, beyond the signatures.");
  v.number("check_seconds", c.check_seconds, 1, 86400, "How often the folder of signatures is looked at.");
  v.number("wait_seconds", c.wait_seconds, 1, 600, "How long a message may wait for a free worker, besides its scan.");
  v.number("time_outs", c.time_outs, 1, 1000, "After so many messages in a row without an answer within seconds and wait_seconds the scanner hangs: it is not asked for pause_seconds, then once, and so on. What comes meanwhile is treated as failure says, at once.");
  v.number("pause_seconds", c.pause_seconds, 0, 86400, "See time_outs; 0: it is always asked.");
  v.choice("infected", c.infected, {"reject", "quarantine"}, "Mail from other servers in which something was found. Users' mail is rejected, and the administrator gets a notice.");
  v.choice("encrypted", c.encrypted, {"pass", "tag", "defer", "reject"}, "Mail with encrypted parts in which nothing was found.");
  v.choice("too_large", c.too_large, {"pass", "tag", "defer", "reject"}, "Mail that is too large to be scanned, or unpacks to too much.");
  v.choice("failure", c.failure, {"defer", "pass"}, "Mail that could not be scanned: come again later, or let it pass unscanned.");
}

template <class Visitor>
void describe(Visitor& v, spam_score_config& c) {
  v.text("rule", c.rule, "Name of a rule.", needed::yes);
  v.decimal("score", c.score, -1000, 1000, "Its points, instead of those in the file; 0: the rule is off.");
}

template <class Visitor>
void describe(Visitor& v, classifier_config& c) {
  v.flag("enabled", c.enabled, "Let the classifier's opinion count, once it has learned enough.");
  v.decimal("score", c.score, 0, 1000, "Points where it takes a message for spam; at most twice as many where it is sure, and as many below nothing where it is sure of the contrary.");
  v.flag("users", c.users, "Learn from users who move mail into and out of their mailbox for junk by IMAP, or mark it with $Junk and $NotJunk.");
  v.flag("share", c.share, "What one account's user teaches counts for all, less than what their own users teach.");
  v.number("share_a_day", c.share_a_day, 0, 1000000000, "So many messages of one account a day; what its user teaches beyond that counts for it alone. So nobody spoils the opinion of all.");
  v.number("least_messages", c.least_messages, 1, 100000, "No opinion before so many messages of either kind.");
  v.number("entries", c.entries, 10000, 1000000000, "Counts kept at most, of all accounts, about 64 octets of memory each; what was not met for longest goes.");
  v.number("lifetime_days", c.lifetime_days, 1, 3650, "So long after the last message that brought it a count is forgotten.");
  v.number("queue", c.queue, 1, 10000000, "Messages that wait to be learned; of more nothing is learned.");
}

template <class Visitor>
void describe(Visitor& v, spam_config& c) {
  v.flag("enabled", c.enabled, "Judge mail from other servers by rules and by what users taught.");
  v.text("rules", c.rules, "File of rules, as spam-rules.json beside the schema shows; read again on SIGHUP. Empty: just those.");
  v.objects("scores", c.scores, "Points of single rules.");
  v.object("classifier", c.classifier, "What learns from users and from briefwerkctl spam learn.");
}

template <class Visitor>
void describe(Visitor& v, milter_config& c) {
  v.text("name", c.name, "Of the stage, for logs and counters.", needed::yes);
  v.text("address", c.address, "Where it listens: unix:/path, or inet:port@address (inet6:port@address).", needed::yes);
  v.choice("failure", c.failure, {"defer", "open"}, "Where it does not answer, or not as the protocol has it: come again later, or no objection.");
  v.choice("only", c.only, {"both", "inbound", "submission"}, "Mail from other servers, mail from users, or both.");
  v.number("seconds", c.seconds, 1, 600, "For what it is asked at one command of the client.");
  v.number("message_seconds", c.message_seconds, 1, 600, "For a whole message.");
  v.number("time_outs", c.time_outs, 1, 1000, "After so many questions in a row without an answer in time it hangs: it is not asked for pause_seconds, then once, and so on.");
  v.number("pause_seconds", c.pause_seconds, 0, 86400, "See time_outs; 0: it is always asked.");
  v.text("junk_field", c.junk_field, "A message to which it adds this field with Yes is junk: X-Spam of rspamd, X-Spam-Flag of SpamAssassin; empty: none.");
  v.flag("dry_run", c.dry_run, "Log what it would have done, and do nothing.");
  v.texts("domains", c.domains, "Where not empty: only mail for recipients of these domains, or from users of them.");
  v.texts("accounts", c.accounts, "The same by whole addresses.");
}

template <class Visitor>
void describe(Visitor& v, filter_config& c) {
  v.decimal("junk_score", c.junk_score, 0, 1000, "A message whose scores come to this is junk; 0: none is by its score.");
  v.decimal("reject_score", c.reject_score, 0, 1000, "A message whose scores come to this is refused; 0: none is by its score.");
  v.objects("stages", c.stages, "How single stages run, where it is not as usual.");
  v.object("greylist", c.greylist, "Greylisting.");
  v.object("dns_lists", c.dns_lists, "Block lists and allow lists in DNS.");
  v.object("rate", c.rate, "Rate limits.");
  v.object("content", c.content, "Rules about senders, recipients, attachments and header fields.");
  v.object("virus", c.virus, "Scans for malware.");
  v.object("spam", c.spam, "Points for spam.");
  v.objects("milters", c.milters, "Milters, behind all other stages: each sees what those before it changed.");
}

}  // namespace briefwerk::apps
