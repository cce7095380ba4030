#include "briefwerk/filter/dns_lists.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "briefwerk/base/when_all.hpp"
#include "briefwerk/base/within.hpp"
#include "briefwerk/filter/allow_listing.hpp"
#include "briefwerk/filter/client_network.hpp"
#include "briefwerk/filter/links.hpp"
#include "filter/names.hpp"

namespace briefwerk::filter {
namespace {

using base::dns_status;
using base::dns_type;

// 127.255.255.0/24: no listing but a refusal, "you ask through a public resolver", "you ask too often".
bool is_refusal(const base::ip_address& answer) {
  const std::string_view octets = answer.octets();
  return answer.is_v4() && octets.starts_with("\x7f\xff\xff");
}

std::uint32_t last_bits(const base::ip_address& answer) {
  const std::string_view octets = answer.octets();
  std::uint32_t bits = 0;
  for (std::size_t i = 1; i < 4; ++i) bits = bits << 8 | static_cast<unsigned char>(octets[i]);
  return bits;
}

bool covers(const dns_list_code& code, const base::ip_address& answer) {
  if (code.bits != 0) return (last_bits(answer) & code.bits) != 0;
  return code.answer.contains(answer);
}

// Kept in the session's notes: an allow list knows the client.
struct standing {
  bool trusted = false;
};

// What one list says of one name.
struct finding {
  bool listed = false;
  double score = 0;
  action act = action::accept;
  std::string meaning;
  std::optional<base::ip_address> answer;  // the first that counts
};

finding judge(const dns_list& list, const base::dns_answer& answer) {
  finding out;
  if (answer.status != dns_status::found) return out;
  for (const auto& record : answer.records) {
    const auto* address = std::get_if<base::ip_address>(&record);
    // RFC 5782 §2.1: an answer from elsewhere is a domain that ran out, not a list.
    if (!address || !address->is_v4() || !address->is_loopback() || is_refusal(*address)) continue;
    bool known = list.codes.empty();
    for (const dns_list_code& code : list.codes) {
      if (!covers(code, *address)) continue;
      known = true;
      out.score += code.score;
      if (code.act) out.act = std::max(out.act, *code.act);
      if (!code.meaning.empty()) out.meaning += (out.meaning.empty() ? "" : ", ") + code.meaning;
    }
    if (known && !out.listed) out.answer = *address;
    out.listed = out.listed || known;
  }
  if (out.listed && list.codes.empty()) {
    out.score = list.score;
    if (list.act) out.act = *list.act;
  }
  return out;
}

}  // namespace

struct dns_lists::question {
  const dns_list* list;
  std::string labels;   // before the zone
  std::string subject;  // what is asked about, for the log
};

std::string dns_list_labels(const base::ip_address& address) {
  std::string name = address.reverse_name();
  name.resize(name.size() - std::string_view(address.is_v4() ? ".in-addr.arpa" : ".ip6.arpa").size());
  return name;
}

dns_lists::dns_lists(dns_lists_options options, base::resolver& resolver, const mailauth::public_suffix_list* suffixes)
    : options_(std::move(options)), resolver_(resolver), suffixes_(suffixes) {}

base::task<verdict> dns_lists::ask(session_facts& session, std::vector<question> questions) {
  verdict sum;
  if (questions.empty() || is_in(options_.networks, session.remote.address)) co_return sum;
  std::vector<base::task<std::optional<base::dns_answer>>> work;
  for (const question& one : questions) {
    work.push_back(base::within(options_.limit, resolver_.query(one.labels + "." + one.list->zone, dns_type::a)));
  }
  const auto answers = co_await base::when_all(std::move(work));
  action act = action::accept;
  std::string text;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (!answers[i]) continue;
    const question& one = questions[i];
    const finding found = judge(*one.list, *answers[i]);
    if (!found.listed) continue;
    sum.score += found.score;
    sum.reason += (sum.reason.empty() ? "" : "; ") + one.subject + " in " + one.list->zone;
    if (!found.meaning.empty()) sum.reason += " (" + found.meaning + ")";
    if (one.list->allow) {
      note_of<standing>(session, name()).trusted = true;
      if (one.list->kind == dns_list_kind::address) allow_listings_of(session).push_back({one.list->zone, *found.answer});
    }
    if (found.act > act) {
      act = found.act;
      text = one.subject + " is listed in " + one.list->zone;
    }
  }
  // RFC 8904: who is on an allow list is not refused because of another list. What a list adds to the score stays.
  if (note_of<standing>(session, name()).trusted && act > action::junk) act = action::accept;
  if (act == action::accept && sum.score != 0) act = action::tag;
  sum.what = act;
  if (act >= action::defer) sum.text = std::move(text);
  co_return sum;
}

base::task<verdict> dns_lists::connect(session_facts& session) {
  const base::ip_address& address = session.remote.address;
  std::vector<question> questions;
  note_of<standing>(session, name()).trusted = false;
  session.notes.erase(std::string(allow_listings_note));
  for (const dns_list& one : options_.lists) {
    if (one.kind != dns_list_kind::address || !(address.is_v4() ? one.v4 : one.v6)) continue;
    questions.push_back({&one, dns_list_labels(address), address.to_string()});
  }
  return ask(session, std::move(questions));
}

// Questions about a domain to all lists that want it from where it stands.
void dns_lists::add(std::vector<question>& to, std::string_view domain, bool dns_list::* wanted) const {
  const std::string asked = lower(domain);
  if (asked.find('.') == std::string::npos || asked.front() == '[') return;
  for (const dns_list& one : options_.lists) {
    if (one.kind == dns_list_kind::domain && one.*wanted) to.push_back({&one, asked, asked});
  }
}

base::task<verdict> dns_lists::hello(session_facts& session) {
  std::vector<question> questions;
  if (!session.hello.empty()) add(questions, session.hello, &dns_list::helo);
  return ask(session, std::move(questions));
}

base::task<verdict> dns_lists::mail(session_facts& session, const mail::smtp_envelope& envelope) {
  std::vector<question> questions;
  if (envelope.sender) add(questions, envelope.sender->domain, &dns_list::from);
  return ask(session, std::move(questions));
}

base::task<verdict> dns_lists::message(session_facts& session, const mail::smtp_envelope&, const message_facts& message) {
  std::vector<question> questions;
  const bool wanted = std::ranges::any_of(
      options_.lists, [](const dns_list& one) { return one.kind == dns_list_kind::domain && one.links; });
  if (wanted) {
    std::set<std::string> domains;
    for (std::string& host : link_hosts(message.octets)) {
      auto domain = suffixes_ ? suffixes_->organizational_domain(host) : std::nullopt;
      domains.insert(domain ? std::move(*domain) : std::move(host));
      if (domains.size() >= options_.links) break;
    }
    for (const std::string& domain : domains) add(questions, domain, &dns_list::links);
  }
  return ask(session, std::move(questions));
}

namespace {

enum class answered : std::uint8_t { listed, not_listed, refused, silent };

base::task<answered> look_up(base::resolver& resolver, std::chrono::milliseconds limit, std::string name) {
  const auto answer = co_await base::within(limit, resolver.query(std::move(name), dns_type::a));
  if (!answer || answer->status == dns_status::failed) co_return answered::silent;
  for (const auto& record : answer->records) {
    const auto* address = std::get_if<base::ip_address>(&record);
    if (address && is_refusal(*address)) co_return answered::refused;
    if (address && address->is_loopback()) co_return answered::listed;
  }
  co_return answered::not_listed;
}

}  // namespace

base::task<std::vector<std::string>> dns_lists::check() const {
  std::vector<std::string> out;
  for (const dns_list& one : options_.lists) {
    const bool by_address = one.kind == dns_list_kind::address;
    if (by_address && !one.v4) continue;  // IPv6 lists have their own entries (§5), which few of them keep
    const answered there = co_await look_up(resolver_, options_.limit, (by_address ? "2.0.0.127." : "test.") + one.zone);
    const answered not_there = co_await look_up(resolver_, options_.limit, (by_address ? "1.0.0.127." : "invalid.") + one.zone);
    if (there == answered::refused || not_there == answered::refused) {
      out.push_back(one.zone + " refuses questions of this resolver: ask it through a resolver of your own");
    } else if (not_there == answered::listed) {
      out.push_back(one.zone + " lists everything: it is not in service any more");
    } else if (there == answered::silent || not_there == answered::silent) {
      out.push_back(one.zone + " does not answer");
    } else if (there == answered::not_listed) {
      out.push_back(one.zone + " does not list its test entry: it is no such list, or refuses this resolver");
    }
  }
  co_return out;
}

}  // namespace briefwerk::filter
