// Several sessions change one mailbox at once. Each must be able to follow with what RFC 9051 tells it: numbers that
// exist, no EXPUNGE where none may come (§7.5.1), no EXISTS that takes messages away (§7.4.1).

#include <algorithm>
#include <charconv>
#include <memory>
#include <random>

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::house;

namespace {

// A client that believes only what it is told.
class viewer {
 public:
  explicit viewer(house& home) : c_(home) {
    c_.login();
    for (const auto& line : c_.command("SELECT INBOX")) take(line, true);
  }

  std::size_t count() const noexcept { return uids_.size(); }
  std::uint32_t number(std::mt19937& random) const { return static_cast<std::uint32_t>(random() % count() + 1); }

  // `expunges`: whether EXPUNGE may come before the answer.
  void ask(const std::string& command, bool expunges) {
    command_ = command;
    expunges_ = expunges;
    c_.send("x " + command + "\r\n");
  }
  void hear() {
    for (const auto& line : c_.until("x")) take(line, expunges_);
  }
  // All UIDs, in order; asks for them.
  const std::vector<std::uint32_t>& look() {
    ask("NOOP", true);
    hear();
    if (!uids_.empty()) {
      ask("FETCH 1:* (UID)", false);
      hear();
    }
    return uids_;
  }

 private:
  void take(const std::string& line, bool expunges) {
    CAPTURE(command_);
    CAPTURE(line);
    CHECK_FALSE(line.starts_with("x BAD"));
    CHECK_FALSE(line.starts_with("* BYE"));
    std::size_t number = 0;
    if (!line.starts_with("* ")) return;
    const auto [end, wrong] = std::from_chars(line.data() + 2, line.data() + line.size(), number);
    if (wrong != std::errc{}) return;
    const std::string_view rest(end);
    if (rest == " EXISTS") {
      CHECK(number >= uids_.size());
      uids_.resize(std::max(number, uids_.size()));
    } else if (rest == " EXPUNGE") {
      CHECK(expunges);
      REQUIRE(number >= 1);
      REQUIRE(number <= uids_.size());
      uids_.erase(uids_.begin() + static_cast<std::ptrdiff_t>(number - 1));
    } else if (rest.starts_with(" FETCH (")) {
      REQUIRE(number >= 1);
      REQUIRE(number <= uids_.size());
      const auto at = rest.find("UID ");
      if (at == rest.npos) return;
      std::uint32_t uid = 0;
      std::from_chars(rest.data() + at + 4, rest.data() + rest.size(), uid);
      auto& known = uids_[number - 1];
      CHECK((known == 0 || known == uid));  // a number means one message until EXPUNGE
      known = uid;
    }
  }

  t::client c_;
  std::vector<std::uint32_t> uids_;  // by sequence number; 0: not told yet
  std::string command_;
  bool expunges_ = false;
};

}  // namespace

TEST_CASE("several sessions expunge, append and move at once") {
  for (const unsigned seed : {1u, 2u, 3u}) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    house home(t::channel::plain, 2);
    std::vector<std::unique_ptr<viewer>> viewers;
    for (int i = 0; i < 4; ++i) viewers.push_back(std::make_unique<viewer>(home));
    const std::string append =
        "APPEND INBOX {" + std::to_string(t::first_message.size()) + "+}\r\n" + std::string(t::first_message);
    for (int round = 0; round < 60; ++round) {
      for (auto& one : viewers) {
        const auto what = one->count() == 0 ? 0 : random() % 10;
        const auto number = [&] { return std::to_string(one->number(random)); };
        if (what < 3)
          one->ask(append, true);
        else if (what == 3)
          one->ask("STORE " + number() + " +FLAGS (\\Deleted)", false);
        else if (what == 4)
          one->ask("EXPUNGE", true);
        else if (what == 5)
          one->ask("MOVE " + number() + " Trash", true);
        else if (what == 6)
          one->ask("FETCH 1:* (UID FLAGS)", false);
        else if (what == 7)
          one->ask("SEARCH ALL", false);
        else if (what == 8)
          one->ask("UID FETCH 1:* (FLAGS)", true);
        else
          one->ask("COPY " + number() + " INBOX", true);
      }
      for (auto& one : viewers) one->hear();
    }
    const auto last = viewers.front()->look();
    CHECK(std::ranges::is_sorted(last));
    CHECK(std::ranges::find(last, 0u) == last.end());
    for (auto& one : viewers) CHECK(one->look() == last);
  }
}
