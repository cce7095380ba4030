#pragma once

// Mail folders of other programs: mbox (mboxrd quoting) and Maildir.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace briefwerk::apps::ctl {

struct filed_message {
  std::string octets;              // CRLF lines
  std::vector<std::string> flags;  // "\\Seen" and so on, keywords
  std::int64_t date = 0;           // when it arrived; 0: not known
};

// All octets of a file; of a message with its lines ended by CRLF, whatever they ended with. Throw failure.
std::string read_whole(const std::string& path);
std::string read_message_file(const std::string& path);

// Calls `use` for each message of an mbox file or a Maildir folder, whichever `path` is. Throws failure.
void read_mail(const std::string& path, const std::function<void(filed_message)>& use);

// The same for messages in whatever they are: an mbox file, a Maildir, a folder with a message in each file, one message.
void read_messages(const std::string& path, const std::function<void(filed_message)>& use);

class mail_writer {
 public:
  virtual ~mail_writer() = default;
  virtual void write(const filed_message& message) = 0;  // throws failure
  virtual void finish() = 0;                             // safe on disk when it returns
};
std::unique_ptr<mail_writer> write_mbox(const std::string& path);
std::unique_ptr<mail_writer> write_maildir(const std::string& path);

}  // namespace briefwerk::apps::ctl
