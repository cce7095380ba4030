// SORT: its pure parts, and a session's answers beside a naive reference while mailboxes change.

#include <algorithm>
#include <ctime>
#include <map>
#include <random>

#include "briefwerk/mail/summary.hpp"
#include "imap_support.hpp"
#include "server/imap/message_order.hpp"
#include "server/imap/sort_digest.hpp"
#include "server/imap/sort_table.hpp"
#include "server/imap/sort_tables.hpp"
#include "server/imap/text_ranks.hpp"

namespace imap = briefwerk::server::imap;
namespace wire = briefwerk::protocol::imap;
namespace mail = briefwerk::mail;
namespace store = briefwerk::store;
namespace base = briefwerk::base;
namespace t = briefwerk::server::testing;
using base::sync_wait;
using t::client;
using t::house;
using field = wire::sort_field;

TEST_CASE("an order by several keys") {
  using numbers = std::vector<std::uint64_t>;
  struct key {
    numbers values;
    bool reverse = false;
  };
  struct row {
    const char* why;
    std::vector<key> keys;  // the last one first
    std::vector<std::uint32_t> order;
  };
  constexpr std::uint64_t top = UINT64_MAX;
  const row rows[] = {
      {"without a key in mailbox order", {}, {0, 1, 2, 3}},
      {"equal ones in mailbox order", {{{30, 10, 20, 10}}}, {1, 3, 2, 0}},
      {"REVERSE leaves equal ones in mailbox order", {{{30, 10, 20, 10}, true}}, {0, 2, 1, 3}},
      {"all are equal", {{{7, 7, 7, 7}, true}}, {0, 1, 2, 3}},
      {"the whole range", {{{top, 0, top - 1, 1}}}, {1, 3, 2, 0}},
      {"the whole range, backwards", {{{top, 0, top - 1, 1}, true}}, {0, 2, 3, 1}},
      {"two keys", {{{5, 5, 9, 1}}, {{30, 10, 20, 10}}}, {3, 1, 2, 0}},
      {"REVERSE counts for its key alone", {{{5, 5, 9, 1}, true}, {{30, 10, 20, 10}}}, {1, 3, 2, 0}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    imap::message_order order(4);
    for (const auto& one : row.keys) order.sort_by(one.values, one.reverse);
    CHECK(order.take() == row.order);
  }
  imap::message_order none(0);
  none.sort_by({}, true);
  CHECK(none.take().empty());
}

TEST_CASE("an order of many is that of a stable sort") {
  std::mt19937_64 random(11);
  for (const std::uint64_t range : {std::uint64_t{1}, std::uint64_t{50}, std::uint64_t{1} << 22, UINT64_MAX}) {
    for (const bool reverse : {false, true}) {
      constexpr std::size_t count = 5000;
      std::vector<std::uint64_t> first(count), second(count);
      for (auto& one : first) one = random() % 7;
      for (auto& one : second) one = random() % range;
      imap::message_order order(count);
      order.sort_by(second, reverse);
      order.sort_by(first, !reverse);
      std::vector<std::uint32_t> expected(count);
      for (std::uint32_t i = 0; i < count; ++i) expected[i] = i;
      std::ranges::stable_sort(expected, [&](std::uint32_t a, std::uint32_t b) {
        if (first[a] != first[b]) return (first[a] < first[b]) == reverse;
        if (second[a] != second[b]) return (second[a] < second[b]) != reverse;
        return false;
      });
      CHECK(order.take() == expected);
    }
  }
}

TEST_CASE("ranks of texts compare as the texts do, whenever more come") {
  std::mt19937 random(5);
  const std::string beginnings[] = {"", "a", "abcdefgh", "abcdefgh\xc3\xa4", "\xff", std::string("nul\0", 4), "zz"};
  imap::text_ranks ranks;
  std::vector<std::string> texts;
  std::map<std::string, std::uint32_t> numbers;
  CHECK_FALSE(ranks.sort_some());
  for (const std::size_t more : {std::size_t{1}, std::size_t{40}, std::size_t{3000}, std::size_t{20000}, std::size_t{3}, std::size_t{65}, std::size_t{9000}}) {
    for (std::size_t i = 0; i < more; ++i) {
      std::string text = beginnings[random() % std::size(beginnings)];
      if (random() % 3 != 0) text += std::to_string(random() % 40000);
      const auto number = ranks.number_of(text);
      const auto [at, is_new] = numbers.emplace(text, number);
      CHECK(at->second == number);
      CHECK(ranks.text(number) == text);
      if (is_new) texts.push_back(text);
      // More may come while it sorts.
      if (i % 5000 == 4999) ranks.sort_some();
    }
    while (ranks.sort_some()) {
    }
    CHECK(ranks.size() == texts.size());
    std::optional<std::uint32_t> before;
    for (const auto& [text, number] : numbers) {  // in the order of the texts
      const auto rank = ranks.rank(number);
      CHECK((rank == 0) == text.empty());
      if (before) CHECK(*before < rank);
      before = rank;
    }
  }
}

namespace {

mail::message_summary summary_of(std::string subject, std::optional<std::int64_t> sent) {
  mail::message_summary out;
  out.base_subject = std::move(subject);
  if (sent) out.sent = std::chrono::sys_seconds(std::chrono::seconds(*sent));
  return out;
}

void add(imap::sort_table& to, std::uint32_t uid, const std::string& subject, std::optional<std::int64_t> sent) {
  const std::string octets = mail::encode_summary(summary_of(subject, sent));
  to.add(uid, *mail::view_summary(octets));
}

}  // namespace

TEST_CASE("tables that are merged know each message once") {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    imap::sort_table all;
    std::map<std::uint32_t, std::pair<std::string, std::optional<std::int64_t>>> expected;
    for (int part = 0; part < 4; ++part) {
      imap::sort_table some;
      std::uint32_t uid = random() % 50;
      for (unsigned i = random() % 60; i > 0; --i) {
        uid += 1 + random() % 5;
        const auto known = expected.find(uid);
        auto value = known != expected.end() ? known->second
                                             : std::pair(std::to_string(random() % 20), random() % 4 == 0 ? std::nullopt : std::optional<std::int64_t>(static_cast<std::int64_t>(random() % 9) - 4));
        add(some, uid, value.first, value.second);
        expected.insert_or_assign(uid, std::move(value));
      }
      all.merge(std::move(some));
    }
    REQUIRE(all.size() == expected.size());
    while (all.sort_some(field::subject)) {
    }
    std::vector<std::uint32_t> wanted;
    for (std::uint32_t uid = 0; uid < 400; uid += 1 + random() % 3) wanted.push_back(uid);
    if (round % 2 == 0) wanted = {7, 60, 200};  // few of many
    std::vector<std::pair<std::string, std::uint64_t>> keys;
    std::size_t asked = 0;
    all.find(wanted, [&](std::size_t i, std::size_t place) {
      CHECK(i == asked++);
      const auto known = expected.find(wanted[i]);
      CHECK((place < all.size()) == (known != expected.end()));
      if (place >= all.size()) return;
      CHECK(all.sent(place) == known->second.second);
      keys.emplace_back(known->second.first, all.key(field::subject, place));
    });
    CHECK(asked == wanted.size());
    std::ranges::sort(keys);
    for (std::size_t i = 1; i < keys.size(); ++i)
      CHECK((keys[i - 1].first == keys[i].first) == (keys[i - 1].second == keys[i].second));
    CHECK(std::ranges::is_sorted(keys, {}, [](const auto& one) { return one.second; }));
  }
}

TEST_CASE("tables that are kept: by mailbox and UIDVALIDITY, bounded, for a while") {
  base::manual_clock time{base::wall_time(std::chrono::seconds(1000))};
  base::counter held;
  imap::sort_tables tables(1000, time, &held);
  CHECK_FALSE(tables.wants_sweeper());
  CHECK_FALSE(tables.drop_idle());
  const auto first = tables.get("a", 1, 7);
  CHECK(tables.get("a", 1, 7) != first);  // nobody has put it there
  tables.put("a", 1, 7, first, 400);
  CHECK(tables.get("a", 1, 7) == first);
  CHECK(tables.wants_sweeper());
  CHECK_FALSE(tables.wants_sweeper());
  tables.put("a", 1, 7, first, 500);  // it grew
  CHECK(tables.octets() == 500);
  const auto second = tables.get("b", 1, 7);
  tables.put("b", 1, 7, second, 500);
  CHECK(tables.octets() == 1000);
  CHECK(tables.get("a", 1, 7) == first);  // used after the other
  tables.put("a", 2, 7, tables.get("a", 2, 7), 1);
  CHECK(tables.octets() == 501);
  CHECK(tables.get("b", 1, 7) != second);
  CHECK(tables.get("a", 1, 7) == first);
  tables.put("c", 1, 7, second, 1001);  // too much
  CHECK(tables.octets() == 501);
  CHECK(held.value() == 501);
  time.advance(imap::sort_tables::idle / 2);
  CHECK(tables.get("a", 1, 7) == first);
  time.advance(imap::sort_tables::idle / 2);
  CHECK(tables.drop_idle());
  CHECK(tables.octets() == 500);
  CHECK(tables.get("a", 1, 8) != first);  // another UIDVALIDITY: never again this one
  CHECK(tables.get("a", 1, 7) != first);
  CHECK(tables.octets() == 0);
  CHECK_FALSE(tables.drop_idle());
  tables.put("a", 1, 7, first, 10);
  CHECK(tables.wants_sweeper());
  time.advance(imap::sort_tables::idle);
  CHECK_FALSE(tables.drop_idle());
  tables.put("a", 1, 7, first, 10);
  tables.stop();
  CHECK(held.value() == 0);
  tables.put("a", 1, 7, first, 10);
  CHECK(tables.octets() == 0);
  CHECK_FALSE(tables.drop_idle());
}

namespace {

struct known_message {
  std::int64_t arrived = 0;
  std::optional<std::int64_t> sent;
  std::size_t size = 0;
  std::string subject, from, to, cc, name;
};

std::string date_field(std::int64_t seconds) {
  char text[64];
  const std::time_t time = seconds;
  std::tm parts{};
  const auto length = std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S +0000\r\n", ::gmtime_r(&time, &parts));
  return std::string(text, length);
}

// Mailboxes of a house and what a naive reader knows of them.
class known_mail {
 public:
  known_mail(house& home, unsigned seed) : home_(home), random_(seed) {}

  void append(const std::string& mailbox, std::size_t count) {
    std::vector<std::string> octets, summaries;
    std::vector<known_message> messages;
    for (std::size_t i = 0; i < count; ++i) {
      messages.push_back(make());
      octets.push_back(text_of(messages.back()));
      messages.back().size = octets.back().size();
      // Of some nothing was kept at delivery.
      summaries.push_back(random_() % 50 == 0 ? "" : mail::encode_summary(mail::summarise(octets.back())));
    }
    std::vector<store::message_source> pieces;
    std::vector<store::local_target> targets(count);
    for (std::size_t i = 0; i < count; ++i) {
      pieces.push_back({octets[i], summaries[i]});
      targets[i].account = home_.alice();
      targets[i].mailbox = mailbox;
      targets[i].internal_date = messages[i].arrived;
    }
    const auto done = sync_wait(home_.mail().append(std::move(pieces), std::move(targets)));
    REQUIRE(done.has_value());
    for (std::size_t i = 0; i < count; ++i) boxes_[mailbox].emplace((*done)[i].uid, messages[i]);
  }
  std::string some_uids(const std::string& mailbox, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
      auto at = boxes_[mailbox].begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random_() % boxes_[mailbox].size()));
      out.append(out.empty() ? "" : ",").append(std::to_string(at->first));
    }
    return out;
  }
  void removed(const std::string& mailbox, std::string_view uids) {
    for_each(uids, [&](std::uint32_t uid) { boxes_[mailbox].erase(uid); });
  }
  // They stand behind all others, in the order of their old UIDs.
  void moved(const std::string& from, std::string_view uids, const std::string& to, std::uint32_t first_uid) {
    std::map<std::uint32_t, known_message> taken;
    for_each(uids, [&](std::uint32_t uid) { taken.insert(boxes_[from].extract(uid)); });
    for (auto& [uid, message] : taken) boxes_[to].emplace(first_uid++, std::move(message));
  }
  std::string sorted(const std::string& mailbox, const std::vector<wire::sort_key>& keys) {
    std::vector<std::pair<std::uint32_t, const known_message*>> all;
    for (const auto& [uid, message] : boxes_[mailbox]) all.emplace_back(uid, &message);
    std::ranges::stable_sort(all, [&](const auto& a, const auto& b) {
      for (const auto& key : keys) {
        const auto order = compare(key.field, *a.second, *b.second);
        if (order != 0) return (order < 0) != key.reverse;
      }
      return false;
    });
    std::string out = "* SORT";
    for (const auto& [uid, message] : all) out.append(" ").append(std::to_string(uid));
    return out;
  }
  // RFC 5256 §3, ORDEREDSUBJECT.
  std::string threaded(const std::string& mailbox) {
    std::vector<std::pair<std::uint32_t, const known_message*>> all;
    for (const auto& [uid, message] : boxes_[mailbox]) all.emplace_back(uid, &message);
    std::ranges::stable_sort(all, {}, [](const auto& one) { return one.second->sent.value_or(one.second->arrived); });
    std::vector<std::vector<std::uint32_t>> threads;
    std::map<std::string, std::size_t> by_subject;
    for (const auto& [uid, message] : all) {
      const auto [at, is_new] = by_subject.emplace(message->subject, threads.size());
      if (is_new) threads.emplace_back();
      threads[at->second].push_back(uid);
    }
    std::string out = "* THREAD ";
    for (const auto& thread : threads) {
      out += "(" + std::to_string(thread[0]);
      if (thread.size() > 1) out += " ";
      for (std::size_t i = 1; i < thread.size(); ++i)
        out += thread.size() == 2 ? std::to_string(thread[i]) : "(" + std::to_string(thread[i]) + ")";
      out += ")";
    }
    return out;
  }
  void set_subject(const std::string& mailbox, std::uint32_t uid, std::string to) { boxes_[mailbox][uid].subject = std::move(to); }
  std::mt19937& random() noexcept { return random_; }

 private:
  template <class F>
  static void for_each(std::string_view uids, F&& f) {
    for (std::size_t at = 0; at < uids.size();) {
      const auto end = std::min(uids.find(',', at), uids.size());
      f(static_cast<std::uint32_t>(std::stoul(std::string(uids.substr(at, end - at)))));
      at = end + 1;
    }
  }
  std::string word(unsigned range) {
    return std::string("common beginning ").substr(0, random_() % 18) + std::to_string(random_() % range);
  }
  known_message make() {
    known_message out;
    out.arrived = 1'700'000'000 + static_cast<std::int64_t>(random_() % 1000);
    if (random_() % 10 != 0) out.sent = 1'600'000'000 + static_cast<std::int64_t>(random_() % 200'000'000);
    if (random_() % 10 != 0) out.subject = word(100);
    out.from = "p" + std::to_string(random_() % 30);
    if (random_() % 5 != 0) out.to = "t" + std::to_string(random_() % 30);
    if (random_() % 5 == 0) out.cc = "c" + std::to_string(random_() % 30);
    if (random_() % 3 == 0) out.name = "name" + std::to_string(random_() % 20);
    return out;
  }
  static std::string text_of(const known_message& m) {
    std::string out = "From: " + m.name + " <" + m.from + "@x.test>\r\nSubject: " + m.subject + "\r\n";
    if (m.sent) out += date_field(*m.sent);
    if (!m.to.empty()) out += "To: <" + m.to + "@x.test>\r\n";
    if (!m.cc.empty()) out += "Cc: <" + m.cc + "@x.test>\r\n";
    return out + "\r\n" + std::string(static_cast<std::size_t>(m.arrived % 37), 'x') + "\r\n";
  }
  static int compare(field what, const known_message& a, const known_message& b) {
    const auto by = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
    const auto display = [](const known_message& m) { return !m.name.empty() ? m.name : m.from + "@x.test"; };
    const auto display_to = [](const known_message& m) { return m.to.empty() ? m.to : m.to + "@x.test"; };
    switch (what) {
      case field::arrival: return by(a.arrived, b.arrived);
      case field::size: return by(a.size, b.size);
      case field::date: return by(a.sent.value_or(a.arrived), b.sent.value_or(b.arrived));
      case field::subject: return by(a.subject, b.subject);
      case field::from: return by(a.from, b.from);
      case field::to: return by(a.to, b.to);
      case field::cc: return by(a.cc, b.cc);
      case field::display_from: return by(display(a), display(b));
      case field::display_to: return by(display_to(a), display_to(b));
      default: return 0;
    }
  }

  house& home_;
  std::mt19937 random_;
  std::map<std::string, std::map<std::uint32_t, known_message>> boxes_;
};

struct field_name {
  field what;
  const char* name;
};
constexpr field_name names[] = {{field::arrival, "ARRIVAL"}, {field::size, "SIZE"}, {field::date, "DATE"},
                                {field::subject, "SUBJECT"}, {field::from, "FROM"}, {field::to, "TO"},
                                {field::cc, "CC"}, {field::display_from, "DISPLAYFROM"}, {field::display_to, "DISPLAYTO"}};

std::string text_of(const std::vector<wire::sort_key>& keys) {
  std::string out;
  for (const auto& key : keys) {
    if (!out.empty()) out += ' ';
    if (key.reverse) out += "REVERSE ";
    for (const auto& one : names)
      if (one.what == key.field) out += one.name;
  }
  return out;
}

std::string first_line(const std::vector<std::string>& said) { return said.empty() ? "" : said.front(); }

}  // namespace

TEST_CASE("SORT answers what a naive reader would, while mailboxes change") {
  struct row {
    const char* why;
    std::uint64_t memory;
  };
  const row rows[] = {{"tables are kept", 128u << 20},
                      {"none is kept: there is no room", 0},
                      {"room for some messages at once, not for all", 30'000},
                      {"one mailbox drives the other out", 100'000}};
  for (const auto& row : rows) {
    CAPTURE(row.why);
    house home(t::channel::plain, 2, [&](briefwerk::server::imap_options& options) { options.sort_memory = row.memory; });
    known_mail known(home, 17);
    client c(home), other(home), there(home);
    for (client* one : {&c, &other, &there}) one->login();
    const std::string boxes[] = {"INBOX", "Archive"};
    known.append(boxes[0], 400);
    known.append(boxes[1], 300);
    c.command("SELECT INBOX");
    other.command("SELECT INBOX");
    there.command("SELECT Archive");
    const auto check = [&](client& by, const std::string& mailbox, const std::vector<wire::sort_key>& keys) {
      by.command("NOOP");  // what went is told
      const auto command = "UID SORT (" + text_of(keys) + ") UTF-8 ALL";
      CAPTURE(command);
      CHECK(first_line(by.command(command)) == known.sorted(mailbox, keys));
    };
    for (const auto& one : names) {
      check(c, boxes[0], {{one.what, false}});
      check(there, boxes[1], {{one.what, true}});
    }
    auto& random = known.random();
    for (int round = 0; round < 40; ++round) {
      const std::string uids = known.some_uids(boxes[0], 1 + random() % 4);
      switch (random() % 5) {
        case 0: known.append(boxes[0], 1 + random() % 5); break;
        case 1: known.append(boxes[1], 1 + random() % 100); break;
        case 2:
          other.command("UID STORE " + uids + " +FLAGS.SILENT (\\Deleted)");
          other.command("EXPUNGE");
          known.removed(boxes[0], uids);
          break;
        case 3: {
          const auto next = sync_wait(home.mail().find(home.alice(), boxes[1]));
          const auto status = sync_wait(home.mail().status(home.alice(), next->id));
          other.command("UID MOVE " + uids + " Archive");
          known.moved(boxes[0], uids, boxes[1], status->uid_next);
          break;
        }
        default: other.command("UID STORE " + uids + " +FLAGS.SILENT (\\Seen)");
      }
      std::vector<wire::sort_key> keys;
      for (unsigned i = 1 + random() % 3; i > 0; --i) keys.push_back({names[random() % std::size(names)].what, random() % 2 == 0});
      check(c, boxes[0], keys);
      check(there, boxes[1], keys);
      CHECK(first_line(c.command("UID THREAD ORDEREDSUBJECT UTF-8 ALL")) == known.threaded(boxes[0]));
    }
    const auto& held = home.figures().get_counter("imap.sort_tables.octets");
    CHECK(held.value() <= static_cast<std::int64_t>(row.memory));
    CHECK((held.value() > 0) == (row.memory >= 100'000));
    // Most of what was known is gone, and a few are sorted of many.
    const auto all = c.command("UID SORT (REVERSE SUBJECT) UTF-8 ALL");
    const std::string last = first_line(all).substr(first_line(all).rfind(' ') + 1);
    CHECK(first_line(c.command("UID SORT (SUBJECT DATE) UTF-8 UID " + last)) == "* SORT " + last);
    c.command("UID STORE 1:* +FLAGS.SILENT (\\Deleted)");
    c.command("UID STORE " + last + " -FLAGS.SILENT (\\Deleted)");
    c.command("EXPUNGE");
    CHECK(first_line(c.command("UID SORT (SUBJECT DATE) UTF-8 ALL")) == "* SORT " + last);
  }
}

TEST_CASE("SORT of a mailbox that was made anew under the same name") {
  house home;
  known_mail known(home, 23);
  client c(home);
  c.login();
  for (int round = 0; round < 3; ++round) {
    c.command("CREATE Box");
    known_mail fresh(home, 100u + static_cast<unsigned>(round));
    fresh.append("Box", 300);
    c.command("SELECT Box");
    const std::vector<wire::sort_key> keys{{field::subject, false}, {field::date, true}};
    CHECK(first_line(c.command("UID SORT (SUBJECT REVERSE DATE) UTF-8 ALL")) == fresh.sorted("Box", keys));
    c.command("UNSELECT");
    c.command("DELETE Box");
  }
}

namespace {

std::vector<std::string> texts_of(std::string_view octets, bool& good) {
  std::vector<std::string> out;
  good = imap::read_digest(octets, [&](std::uint32_t uid, const mail::message_summary_view& s) {
    out.push_back(std::to_string(uid) + " " + (s.sent ? std::to_string(s.sent->time_since_epoch().count()) : "-") + " " +
                  std::string(s.base_subject) + "|" + std::string(s.from) + "|" + std::string(s.to) + "|" + std::string(s.cc) +
                  "|" + std::string(s.display_from) + "|" + std::string(s.display_to));
  });
  return out;
}

}  // namespace

TEST_CASE("digests: what was written is read; cut or changed octets end the reading") {
  imap::sort_table table;
  const std::pair<std::uint32_t, std::optional<std::int64_t>> messages[] = {
      {1, 0}, {2, -1}, {3, std::nullopt}, {700, 1'700'000'000}, {4'294'967'295u, -62'000'000'000}};
  for (const auto& [uid, sent] : messages) {
    auto one = summary_of("S " + std::to_string(uid), sent);
    one.from = "f";
    one.to = std::string(300, 't');
    one.cc = "";
    one.display_from = std::string("d\0", 2);
    one.display_to = "D";
    const std::string octets = mail::encode_summary(one);
    table.add(uid, *mail::view_summary(octets));
  }
  const std::string octets = imap::write_digest(table, 2, UINT32_MAX, [](std::uint32_t uid) { return uid != 700; });
  bool good = false;
  const std::string rest = "|f|" + std::string(300, 't') + "||" + std::string("d\0", 2) + "|D";
  const std::vector<std::string> expected{"2 -1 S 2" + rest, "3 - S 3" + rest, "4294967295 -62000000000 S 4294967295" + rest};
  CHECK(texts_of(octets, good) == expected);
  CHECK(good);
  std::size_t whole = 0;
  for (std::size_t size = 0; size < octets.size(); ++size) {
    const auto block = std::make_unique<char[]>(size);
    std::copy_n(octets.data(), size, block.get());
    const auto read = texts_of({block.get(), size}, good);
    CHECK(std::equal(read.begin(), read.end(), expected.begin()));
    whole += good;  // at the end of a message nothing is missing
  }
  CHECK(whole == expected.size());
  std::string later = octets;
  later.front() = 2;
  CHECK(texts_of(later, good).empty());
  CHECK_FALSE(good);
  CHECK(texts_of(octets + octets.substr(1), good) == expected);  // not ascending
  CHECK_FALSE(good);
}

TEST_CASE("a first SORT reads digests, and leaves them for the next") {
  house home;
  known_mail known(home, 41);
  known.append("INBOX", 1500);
  known.append("INBOX", 1500);
  const auto inbox = sync_wait(home.mail().find(home.alice(), "INBOX"))->id;
  const auto kept = [&] {
    std::map<std::uint32_t, std::string> found;
    REQUIRE(sync_wait(home.mail().visit_digests(home.alice(), inbox, 0, UINT32_MAX, [&](std::uint32_t number, std::string_view octets) { found[number] = octets; })));
    return found;
  };
  const std::vector<wire::sort_key> keys{{field::subject, false}, {field::from, true}, {field::date, false}};
  const std::string command = "UID SORT (SUBJECT REVERSE FROM DATE) UTF-8 ALL";
  client c(home);
  c.login();
  c.command("SELECT INBOX");
  CHECK(first_line(c.command(command)) == known.sorted("INBOX", keys));
  for (int i = 0; i < 1000 && kept().size() < 2; ++i) c.is_quiet(std::chrono::milliseconds(5));
  auto digests = kept();
  REQUIRE(digests.size() == 2);  // uids 1 to 2047; what may still grow has none
  std::map<std::uint32_t, std::pair<std::string, std::string>> told;
  for (const auto& [number, octets] : digests) {
    const bool good = imap::read_digest(octets, [&](std::uint32_t uid, const mail::message_summary_view& s) {
      CHECK(uid / store::digest_uids == number);
      told[uid] = {std::string(s.base_subject), std::string(s.from)};
    });
    CHECK(good);
  }
  CHECK(told.size() == 2047);

  // The same messages, elsewhere: a house whose digests say something else is believed, a damaged one is not.
  house second;
  known_mail same(second, 41);
  same.append("INBOX", 1500);
  same.append("INBOX", 1500);
  const auto place = sync_wait(second.mail().find(second.alice(), "INBOX"))->id;
  const auto modseq = sync_wait(second.mail().status(second.alice(), place))->highest_modseq;
  std::string swapped = digests[0];
  const std::string subject = told[5].first;
  REQUIRE_FALSE(subject.empty());
  imap::sort_table altered;
  imap::read_digest(swapped, [&](std::uint32_t uid, mail::message_summary_view s) {
    if (uid == 5) s.base_subject = "!";  // before all others that have one
    altered.add(uid, s);
  });
  swapped = imap::write_digest(altered, 0, UINT32_MAX, [](std::uint32_t) { return true; });
  std::string damaged = digests[1].substr(0, digests[1].size() / 2) + "\xff";
  std::vector<store::digest> put;
  put.push_back({0, swapped});
  put.push_back({1, damaged});
  REQUIRE(sync_wait(second.mail().keep_digests(second.alice(), place, std::move(put), modseq)));
  client d(second);
  d.login();
  d.command("SELECT INBOX");
  same.set_subject("INBOX", 5, "!");
  CHECK(first_line(d.command(command)) == same.sorted("INBOX", keys));
}
