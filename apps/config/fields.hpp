#pragma once

// The keys of the configuration: name, member, meaning, bounds. A visitor has
//   text, number, decimal, flag, choice, endpoint lists, network lists, text lists, objects and lists of objects;
// one visitor reads, another writes the schema.

#include "apps/config/config.hpp"
#include "apps/config/filter_fields.hpp"
#include "apps/config/needed.hpp"

namespace briefwerk::apps {

template <class Visitor>
void describe(Visitor& v, log_config& c) {
  v.text("file", c.file, "Where log lines go: a path, or - for standard error. Reopened on SIGHUP.");
  v.choice("format", c.format, {"text", "json"}, "One line an event, for people or for programs.");
  v.choice("level", c.level, {"debug", "info", "warning", "error"}, "The least that is logged.");
  v.number("retention_days", c.retention_days, 0, 3650, "A log file is begun anew each day (UTC), and removed after so many days; 0: neither.");
  v.number("pseudonymise_days", c.pseudonymise_days, 0, 3650, "After so many days, addresses in log files are replaced by pseudonyms; 0: never.");
}

template <class Visitor>
void describe(Visitor& v, certificate_config& c) {
  v.text("certificate", c.certificate, "PEM file: the certificate, then its chain.", needed::yes);
  v.text("key", c.key, "PEM file of the private key.", needed::yes);
}

template <class Visitor>
void describe(Visitor& v, tls_config& c) {
  v.objects("certificates", c.certificates,
            "Chosen by the name that a client asks for; the first is the default. ECDSA and RSA may stand side by side.");
  v.choice("minimum", c.minimum, {"1.2", "1.3"}, "The oldest version of TLS that is spoken.");
}

template <class Visitor>
void describe(Visitor& v, proxy_config& c) {
  v.networks("networks", c.networks, "Where the proxy connects from. Headers from elsewhere are never believed.");
  v.texts("services", c.services, "Of smtp, submission, submissions, imap, imaps; empty: all.");
  v.choice("missing", c.missing, {"refuse", "accept"},
           "A connection from there without a header: refused, or served as one of the proxy's own, which for all but "
           "submissions and imaps is known only after wait_seconds.");
  v.number("wait_seconds", c.wait_seconds, 1, 60, "How long the header may take.");
}

template <class Visitor>
void describe(Visitor& v, listen_config& c) {
  v.endpoints("smtp", c.smtp, "Mail from other servers (port 25, STARTTLS).");
  v.endpoints("submission", c.submission, "Mail from users (port 587, STARTTLS).");
  v.endpoints("submissions", c.submissions, "Mail from users (port 465, TLS from the start).");
  v.endpoints("imap", c.imap, "Mailboxes (port 143, STARTTLS).");
  v.endpoints("imaps", c.imaps, "Mailboxes (port 993, TLS from the start).");
  v.objects("proxies", c.proxies, "Proxies that tell the real address by the PROXY protocol, version 1 or 2.");
}

template <class Visitor>
void describe(Visitor& v, login_guard_config& c) {
  v.flag("enabled", c.enabled, "Ban addresses whose logins fail again and again.");
  v.networks("allow", c.allow, "Never counted and never banned: the office, a webmail server.");
  v.choice("smtp", c.smtp, {"refuse", "accept"},
           "Port 25 for banned addresses: refused for the time being (421), so that a mail server there tries again after "
           "the ban, or open, since nobody can log in there.");
  v.number("failures", c.failures, 2, 1000, "Failed logins of one address (IPv6: one /64) that ban it.");
  v.number("networks", c.networks, 2, 10000, "Failing /64s of one /48 that ban it.");
  v.number("window_minutes", c.window_minutes, 1, 1440, "So many failures within this time; they are forgiven one by one.");
  v.number("ban_minutes", c.ban_minutes, 1, 10080, "The first ban.");
  v.number("ban_growth", c.ban_growth, 1, 100, "Each further ban is so many times as long.");
  v.number("longest_ban_hours", c.longest_ban_hours, 1, 8760, "No ban is longer.");
  v.number("repetition_days", c.repetition_days, 1, 365, "So long after its last ban an address is new again.");
  v.number("account_failures", c.account_failures, 2, 1000,
           "After so many failed logins of one account from unknown addresses its failing answers slow down.");
  v.number("longest_delay_seconds", c.longest_delay_seconds, 0, 60, "They never take longer; 0: never slowed.");
  v.number("addresses", c.addresses, 1024, 1u << 24, "Addresses remembered; 160 octets of memory each.");
  v.texts("hook", c.hook,
          "A program with its arguments that gets the bans for nftables on its standard input whenever they changed, for "
          "instance /usr/sbin/nft -f -; empty: none. It has the rights of the server's user: nft needs CAP_NET_ADMIN, which a "
          "server that starts as root gives up with all others when it becomes `user`.");
  v.number("hook_seconds", c.hook_seconds, 1, 3600, "The least time between two runs of the hook; one that takes longer is ended.");
}

template <class Visitor>
void describe(Visitor& v, auth_config& c) {
  v.texts("disabled_mechanisms", c.disabled_mechanisms, "SASL mechanisms that are not offered, for instance LOGIN.");
  v.flag("recoverable_passwords", c.recoverable_passwords,
         "Offer CRAM-MD5, which needs accounts whose password is kept as it is.");
  v.flag("without_tls", c.without_tls, "Take logins in the clear. Only for a test on loopback.");
}

template <class Visitor>
void describe(Visitor& v, limits_config& c) {
  v.number("message_size", c.message_size, 65536, 2000ull << 20, "Octets of the largest message.");
  v.number("recipients", c.recipients, 100, 100000, "Recipients of one message.");
  v.number("connections", c.connections, 10, 1000000, "Connections at once, of all ports.");
  v.number("connections_per_address", c.connections_per_address, 1, 1000000,
           "Connections at once from one address (IPv6: from one /64).");
  v.number("imap_idle_minutes", c.imap_idle_minutes, 30, 1440, "After so long without a word an IMAP session ends.");
  v.number("imap_idle_word_seconds", c.imap_idle_word_seconds, 0, 1740,
           "After so long without news a client in IDLE hears that the server is there, before what stands between forgets the "
           "connection; longer spares the batteries of phones. 0: it hears nothing.");
  v.number("imap_messages", c.imap_messages, 0, 1000000000,
           "Messages that one IMAP command deals with, told as MESSAGELIMIT (RFC 9738: not below 1000); 0: any number.");
  v.number("imap_saved_messages", c.imap_saved_messages, 0, 1000000000,
           "Messages of one IMAP COPY or APPEND, told as SAVELIMIT where there is no imap_messages; 0: any number.");
}

template <class Visitor>
void describe(Visitor& v, submission_config& c) {
  v.flag("own_from_only", c.own_from_only, "From and Sender of submitted mail must be addresses that the account may use.");
}

template <class Visitor>
void describe(Visitor& v, authentication_config& c) {
  v.flag("check", c.check, "Check SPF, DKIM, ARC and DMARC of mail from other servers.");
  v.text("authserv_id", c.authserv_id, "Our name in Authentication-Results; empty: the hostname.");
  v.choice("dmarc", c.dmarc, {"mark", "obey"},
           "Mail that fails a DMARC policy of quarantine or reject: mark: deliver it as spam; obey: refuse it where the "
           "policy is reject.");
  v.flag("mark_unauthenticated", c.mark_unauthenticated, "Deliver mail as spam that passes neither SPF nor DKIM.");
  v.flag("received_spf", c.received_spf, "Add a Received-SPF field as well.");
  v.texts("trusted_sealers", c.trusted_sealers,
          "Domains whose ARC seals excuse a failure: forwarders and lists that check what they take.");
  v.texts("exempt_networks", c.exempt_networks,
          "Clients whose mail is not checked, as 192.0.2.0/24 or 2001:db8::/32. Default: loopback.");
}

template <class Visitor>
void describe(Visitor& v, signing_config& c) {
  v.flag("enabled", c.enabled, "Sign submitted mail and reports with the active keys of the author's domain (briefwerkctl dkim).");
  v.number("overlap_days", c.overlap_days, 1, 365, "How long a key stays published after a newer one has taken its place.");
  v.number("check_minutes", c.check_minutes, 1, 1440, "How often DNS is asked for keys that are not used yet.");
}

template <class Visitor>
void describe(Visitor& v, forwarding_config& c) {
  v.flag("rewrite_sender", c.rewrite_sender,
         "Give mail that an alias passes on a sender of our own (SRS), so that SPF holds at the next server.");
  v.text("domain", c.domain, "Domain of such senders, served here; empty: that of the alias.");
  v.flag("seal", c.seal, "Add an ARC set to it, which tells the next server what was found here.");
}

template <class Visitor>
void describe(Visitor& v, storage_config& c) {
  v.number("block_cache", c.block_cache, 1 << 20, 1ull << 40, "Octets of memory for blocks of the database.");
  v.number("snapshot_cache", c.snapshot_cache, 1 << 20, 1ull << 40, "Octets of memory for mailbox indexes.");
}

template <class Visitor>
void describe(Visitor& v, search_config& c) {
  v.flag("enabled", c.enabled, "Keep a full-text index of mail, in the background. Without it every SEARCH for a text scans the messages.");
  v.text("path", c.path, "Its folder; it holds words of all mail, and can be made anew. Empty: search in the data folder.");
  v.number("least_messages", c.least_messages, 1, 1u << 30, "Mailboxes with fewer messages are not indexed.");
  v.number("batch_messages", c.batch_messages, 1, 1u << 30, "So many new messages of a mailbox are indexed at once;");
  v.number("lag_seconds", c.lag_seconds, 1, 7 * 86400, "fewer after so long. Until then they are scanned.");
}

template <class Visitor>
void describe(Visitor& v, next_hop_config& c) {
  v.text("domain", c.domain, "A domain of recipients; * for all that have no entry of their own.", needed::yes);
  v.choice("tls", c.tls, {"required", "verified", "optional", "none"},
           "required: encrypted or not at all; verified: to a server whose certificate proves its name; optional: "
           "encrypted where offered; none: in the clear.");
  v.text("host", c.host, "Send there instead of looking up MX records.");
  v.number("port", c.port, 1, 65535, "Port of the next server.");
}

template <class Visitor>
void describe(Visitor& v, delivery_config& c) {
  v.text("source_v4", c.source_v4, "The fixed IPv4 address that outgoing connections come from.");
  v.text("source_v6", c.source_v6, "The fixed IPv6 address that outgoing connections come from.");
  v.choice("tls", c.tls, {"required", "verified", "optional", "none"}, "For domains without an entry in next_hops.");
  v.objects("next_hops", c.next_hops, "Exceptions for single domains.");
  v.texts("ignored_networks", c.ignored_networks,
          "Addresses of mail servers found by DNS that are passed over, as 192.0.2.0/24 or 2001:db8::/32; hosts of next_hops "
          "are not. Default: loopback and unspecified addresses. Those of listen.smtp come on top.");
  v.number("retry_first_seconds", c.retry_first_seconds, 1, 86400, "Wait after the first failed attempt; doubled each time.");
  v.number("retry_most_seconds", c.retry_most_seconds, 1, 7 * 86400, "The longest wait between attempts.");
  v.number("give_up_hours", c.give_up_hours, 1, 30 * 24, "After so long the sender gets a failure report.");
  v.number("warn_after_hours", c.warn_after_hours, 0, 30 * 24, "After so long the sender gets a delay report; 0: never.");
  v.number("connections", c.connections, 1, 10000, "Outgoing connections at once. Messages that take more than a minute do not count, up to ten times as many.");
  v.endpoints("dns_servers", c.dns_servers, "Name servers; empty: those of the system.");
}

template <class Visitor>
void describe(Visitor& v, dmarc_reports_config& c) {
  v.flag("enabled", c.enabled, "Send each domain that asks for it a daily report about mail in its name.");
  v.text("address", c.address, "From address of reports; a domain that is signed for here. Empty: noreply-dmarc@ and the hostname.");
  v.text("organisation", c.organisation, "Who reports; empty: the hostname.");
  v.text("contact", c.contact, "Where to ask about reports: a web address, for instance.");
}

template <class Visitor>
void describe(Visitor& v, dmarc_config& c) {
  v.object("reports", c.reports, "Aggregate reports to others (RFC 9990).");
}

template <class Visitor>
void describe(Visitor& v, config& c) {
  v.text("hostname", c.hostname, "The server's own name, as in its MX record and its certificate.", needed::yes);
  v.text("data", c.data, "Folder of all mail, accounts and the queue.", needed::yes);
  v.text("user", c.user, "User to become after the ports are bound; empty: stay.");
  v.text("group", c.group, "Group to become; empty: the user's own.");
  v.text("administrator", c.administrator, "Address that gets notices of the server, for instance of an account that looks hijacked; empty: they stand in the log only.");
  v.text("control", c.control, "Unix socket for briefwerkctl; empty: control.sock in the data folder.");
  v.number("threads", c.threads, 0, 1024, "Event loops; 0: one for each core.");
  v.flag("require_tls", c.require_tls, "Refuse mail before STARTTLS on the SMTP port.");
  v.number("stop_seconds", c.stop_seconds, 0, 3600, "How long sessions may go on after a stop was asked for.");
  v.object("listen", c.listen, "Addresses with ports: 192.0.2.1:25, [2001:db8::1]:25.");
  v.object("tls", c.tls, "Certificates; read again on SIGHUP.");
  v.object("log", c.log, "Events; never content, subjects or credentials.");
  v.object("auth", c.auth, "Logins.");
  v.object("login_guard", c.login_guard, "Who has to wait before he may try another password.");
  v.object("limits", c.limits, "Bounds.");
  v.object("submission", c.submission, "Mail from users.");
  v.object("authentication", c.authentication, "What mail from other servers has to prove.");
  v.object("signing", c.signing, "DKIM signatures of mail that goes out.");
  v.object("forwarding", c.forwarding, "Mail from other servers that goes on to others.");
  v.object("storage", c.storage, "Memory of the store.");
  v.object("search", c.search, "The full-text index.");
  v.object("delivery", c.delivery, "Outgoing mail.");
  v.object("dmarc", c.dmarc, "DMARC.");
  v.object("filter", c.filter, "Which mail is wanted.");
}

}  // namespace briefwerk::apps
