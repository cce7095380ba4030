// What a user's commands say about junk: which of them reach imap_options::reported, and with which messages.

#include <doctest/doctest.h>

#include <mutex>

#include "imap_support.hpp"

using namespace briefwerk;
using namespace briefwerk::server;
using namespace briefwerk::server::testing;

namespace {

// What was reported: "junk 1", "wanted 2" by the number of messages, in order.
struct listener {
  std::mutex mutex;
  std::vector<std::string> said;
  std::vector<store::account_id> accounts;
  void operator()(const junk_report& what) {
    std::lock_guard lock(mutex);
    said.push_back((what.junk ? "junk " : "wanted ") + std::to_string(what.messages.size()));
    accounts.push_back(what.account);
  }
  std::vector<std::string> take() {
    std::lock_guard lock(mutex);
    return std::exchange(said, {});
  }
};

using words = std::vector<std::string>;

}  // namespace

TEST_CASE("imap: what is said about junk by moving, copying, appending and marking") {
  listener heard;
  house at(channel::plain, 1, [&](imap_options& options) { options.reported = std::ref(heard); });
  client one(at);
  one.login();
  const auto begin = [&](std::string_view mailbox) {  // two messages, selected
    one.command("SELECT " + std::string(mailbox));
    one.command("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    one.command("EXPUNGE");
    one.append(mailbox, first_message);
    one.append(mailbox, second_message);
    one.command("NOOP");
    heard.take();
  };
  const struct {
    const char* why;
    std::string_view from, command;
    words says;
  } rows[] = {
      {"into Junk", "INBOX", "MOVE 1:2 Junk", {"junk 2"}},
      {"a copy there", "INBOX", "COPY 1 Junk", {"junk 1"}},
      {"elsewhere", "INBOX", "MOVE 1:2 Archive", {}},
      {"out of it", "Junk", "MOVE 1:2 INBOX", {"wanted 2"}},
      {"a copy from there", "Junk", "UID COPY 1:* Archive", {"wanted 2"}},
      {"thrown away", "Junk", "MOVE 1:2 Trash", {}},
      {"within Junk", "Junk", "COPY 1:2 Junk", {}},
      {"marked", "INBOX", "STORE 1:2 +FLAGS ($Junk)", {"junk 2"}},
      {"marked in any case", "INBOX", "STORE 1 +FLAGS.SILENT ($JUNK \\Seen)", {"junk 1"}},
      {"marked as wanted", "INBOX", "STORE 1 FLAGS ($NotJunk)", {"wanted 1"}},
      {"marked as both", "INBOX", "STORE 1 FLAGS ($NotJunk $Junk)", {}},
      {"the mark taken away", "INBOX", "STORE 1 -FLAGS ($Junk)", {}},
      {"another mark", "INBOX", "STORE 1 +FLAGS ($Forwarded \\Flagged)", {}},
      {"nothing there", "INBOX", "UID MOVE 4000000:4000001 Junk", {}},
      {"replaced into Junk", "INBOX", "REPLACE 1 Junk {14+}\r\nSubject: x\r\n\r\n", {"junk 1"}},
      {"replaced out of it", "Junk", "REPLACE 1 INBOX {14+}\r\nSubject: x\r\n\r\n", {"wanted 1"}},
      {"replaced within it", "Junk", "REPLACE 1 Junk {14+}\r\nSubject: x\r\n\r\n", {}},
      {"replaced into Trash", "Junk", "REPLACE 2 Trash {14+}\r\nSubject: x\r\n\r\n", {}},
      {"replaced elsewhere", "INBOX", "REPLACE 1 Drafts {14+}\r\nSubject: x\r\n\r\n", {}},
  };
  for (const auto& row : rows) {
    INFO(row.why);
    begin(row.from);
    CHECK(one.command(row.command).back().find(" OK ") != std::string::npos);
    CHECK(heard.take() == row.says);
  }
  begin("INBOX");
  one.command("STORE 1 +FLAGS ($Junk)");
  heard.take();
  one.command("STORE 1:2 FLAGS ($Junk \\Seen)");
  CHECK_MESSAGE(heard.take() == words{"junk 1"}, "the one that had the mark is not reported again");
  one.append("Junk", first_message);
  CHECK(heard.take() == words{"junk 1"});
  one.append("INBOX", first_message, "($Junk) ");
  CHECK_MESSAGE(heard.take().empty(), "only what comes into Junk");
  for (const auto& account : heard.accounts) CHECK(account == at.alice());
}

TEST_CASE("imap: of a message that is replaced, the one that counts") {
  std::vector<std::string> heard;
  house* there = nullptr;
  house at(channel::plain, 1, [&](imap_options& options) {
    options.reported = [&](junk_report what) {
      for (const auto& blob : what.messages)
        heard.push_back((what.junk ? "junk: " : "wanted: ") + std::string(base::sync_wait(there->mail().read(blob))->view()));
    };
  });
  there = &at;
  client one(at);
  one.login();
  one.append("INBOX", "Subject: old\r\n\r\n");
  one.command("SELECT INBOX");
  one.command("REPLACE 1 Junk {14+}\r\nSubject: n\r\n\r\n");
  one.command("SELECT Junk");
  one.command("REPLACE 1 INBOX {14+}\r\nSubject: m\r\n\r\n");
  CHECK(heard == std::vector<std::string>{"junk: Subject: n\r\n\r\n", "wanted: Subject: n\r\n\r\n"});
}

TEST_CASE("imap: the mailbox for junk is known by its use, not by its name") {
  listener heard;
  house at(channel::plain, 1, [&](imap_options& options) { options.reported = std::ref(heard); });
  client one(at);
  one.login();
  one.command("RENAME Junk Rubbish");
  one.command("CREATE Junk");
  one.append("INBOX", first_message);
  one.append("INBOX", second_message);
  one.command("SELECT INBOX");
  one.command("MOVE 1 Junk");
  CHECK(heard.take().empty());
  one.command("MOVE 1 Rubbish");
  CHECK(heard.take() == words{"junk 1"});
}
