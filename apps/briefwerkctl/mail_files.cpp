#include "apps/briefwerkctl/mail_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include "apps/briefwerkctl/connection.hpp"
#include "apps/config/read_file.hpp"

namespace briefwerk::apps::ctl {

namespace fs = std::filesystem;

namespace {

// Mail on disk has LF lines; the store keeps what SMTP and IMAP speak.
std::string to_crlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) out += '\r';
    out += text[i];
  }
  return out;
}

std::string to_lf(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i];
  }
  return out;
}

// A line ">From ", ">>From " and so on, which mboxrd quotes by one more ">".
bool is_quoted_from(std::string_view line) {
  const auto first = line.find_first_not_of('>');
  return first != line.npos && first > 0 && line.substr(first).starts_with("From ");
}

// "From sender Sat Nov  7 10:15:00 2026"
std::int64_t date_of_from_line(const std::string& line) {
  const auto space = line.find(' ', 5);
  if (space == std::string::npos) return 0;
  std::tm broken{};
  if (!::strptime(line.c_str() + space + 1, "%a %b %d %H:%M:%S %Y", &broken)) return 0;
  return ::timegm(&broken);
}

// Status fields that mbox programs keep flags in; they are taken out of the message.
void take_status_fields(std::string& text, std::vector<std::string>& flags) {
  std::string kept;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string_view line = std::string_view(text).substr(at, end - at);
    if (line == "\n" || line == "\r\n") break;
    if (line.starts_with("Status: ") || line.starts_with("X-Status: ")) {
      for (const auto& [letter, flag] : {std::pair{'R', "\\Seen"}, {'A', "\\Answered"}, {'F', "\\Flagged"}, {'T', "\\Draft"}, {'D', "\\Deleted"}}) {
        if (line.substr(line.find(':')).find(letter) != line.npos) flags.emplace_back(flag);
      }
    } else {
      kept += line;
    }
    at = end;
  }
  text = kept + text.substr(at);
}

void read_mbox(const std::string& path, const std::function<void(filed_message)>& use) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw failure("cannot read " + path);
  std::string line, text;
  filed_message current;
  bool inside = false, blank_before = true;
  const auto finish = [&] {
    if (!inside) return;
    if (text.ends_with("\n\n")) text.pop_back();  // the empty line before the next "From "
    take_status_fields(text, current.flags);
    current.octets = to_crlf(text);
    use(std::exchange(current, {}));
    text.clear();
  };
  while (std::getline(in, line)) {
    if (blank_before && line.starts_with("From ")) {
      finish();
      inside = true;
      current.date = date_of_from_line(line);
    } else if (inside) {
      text += is_quoted_from(line) ? std::string_view(line).substr(1) : std::string_view(line);
      text += '\n';
    } else if (!line.empty()) {
      throw failure(path + " is no mbox file: it does not begin with \"From \"");
    }
    blank_before = line.empty() || line == "\r";
  }
  finish();
}

std::vector<std::string> flags_of_file_name(const std::string& name) {
  std::vector<std::string> flags;
  const auto info = name.find(":2,");
  if (info == std::string::npos) return flags;
  for (const char letter : name.substr(info + 3)) {
    switch (letter) {
      case 'S': flags.emplace_back("\\Seen"); break;
      case 'R': flags.emplace_back("\\Answered"); break;
      case 'F': flags.emplace_back("\\Flagged"); break;
      case 'T': flags.emplace_back("\\Deleted"); break;
      case 'D': flags.emplace_back("\\Draft"); break;
      case 'P': flags.emplace_back("$Forwarded"); break;
    }
  }
  return flags;
}

void read_maildir(const std::string& path, const std::function<void(filed_message)>& use) {
  std::vector<fs::path> files;
  for (const char* folder : {"cur", "new"}) {
    const fs::path where = fs::path(path) / folder;
    if (!fs::is_directory(where)) throw failure(path + " is no Maildir: it has no folder " + folder);
    for (const auto& entry : fs::directory_iterator(where)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  // Names begin with the time of arrival: their order is the order of the mailbox.
  std::ranges::sort(files, {}, [](const fs::path& file) { return file.filename(); });
  for (const fs::path& file : files) {
    struct stat state {};
    ::stat(file.c_str(), &state);
    use({read_message_file(file), flags_of_file_name(file.filename()), state.st_mtime});
  }
}

[[noreturn]] void fail_on(const std::string& path) { throw failure("cannot write " + path + ": " + std::strerror(errno)); }

void write_all(int file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(file, text.data(), text.size());
    if (n < 0) fail_on(path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool has_flag(const filed_message& message, std::string_view flag) {
  return std::ranges::find(message.flags, flag) != message.flags.end();
}

class mbox_writer final : public mail_writer {
 public:
  explicit mbox_writer(std::string path) : path_(std::move(path)) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file_ < 0) fail_on(path_);
  }
  ~mbox_writer() override {
    if (file_ >= 0) ::close(file_);
  }

  void write(const filed_message& message) override {
    const std::time_t when = message.date;
    std::tm broken{};
    ::gmtime_r(&when, &broken);
    char date[64];
    std::strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &broken);
    std::string out = std::string("From MAILER-DAEMON ") + date + "\n";
    out += has_flag(message, "\\Seen") ? "Status: RO\n" : "Status: O\n";
    std::string extra;
    for (const auto& [flag, letter] : {std::pair{"\\Answered", 'A'}, {"\\Flagged", 'F'}, {"\\Draft", 'T'}, {"\\Deleted", 'D'}}) {
      if (has_flag(message, flag)) extra += letter;
    }
    if (!extra.empty()) out += "X-Status: " + extra + "\n";
    const std::string text = to_lf(message.octets);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
      const std::string_view line = std::string_view(text).substr(at, end - at);
      if (line.starts_with("From ") || is_quoted_from(line)) out += '>';
      out += line;
      at = end;
    }
    out += out.ends_with('\n') ? "\n" : "\n\n";
    write_all(file_, out, path_);
  }

  void finish() override {
    if (::fsync(file_) != 0) fail_on(path_);
  }

 private:
  std::string path_;
  int file_ = -1;
};

class maildir_writer final : public mail_writer {
 public:
  explicit maildir_writer(std::string path) : path_(std::move(path)) {
    for (const char* folder : {"cur", "new", "tmp"}) {
      std::error_code error;
      fs::create_directories(fs::path(path_) / folder, error);
      if (error) throw failure("cannot make " + path_ + "/" + folder + ": " + error.message());
    }
  }

  void write(const filed_message& message) override {
    std::string letters;
    for (const auto& [flag, letter] : {std::pair{"\\Draft", 'D'}, {"\\Flagged", 'F'}, {"$Forwarded", 'P'}, {"\\Answered", 'R'}, {"\\Seen", 'S'}, {"\\Deleted", 'T'}}) {
      if (has_flag(message, flag)) letters += letter;
    }
    char number[32];
    std::snprintf(number, sizeof number, "%010lld.%08zu", static_cast<long long>(message.date), ++count_);
    const std::string name = std::string(number) + ".briefwerk";
    const std::string temporary = path_ + "/tmp/" + name, final_path = path_ + "/cur/" + name + ":2," + letters;
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) fail_on(temporary);
    write_all(file, to_lf(message.octets), temporary);
    const timespec times[2] = {{static_cast<std::time_t>(message.date), 0}, {static_cast<std::time_t>(message.date), 0}};
    ::futimens(file, times);
    const bool safe = ::fsync(file) == 0;
    ::close(file);
    if (!safe || ::rename(temporary.c_str(), final_path.c_str()) != 0) fail_on(final_path);
  }

  void finish() override {
    const int folder = ::open((path_ + "/cur").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || ::fsync(folder) != 0) fail_on(path_);
    ::close(folder);
  }

 private:
  std::string path_;
  std::size_t count_ = 0;
};

}  // namespace

std::string read_whole(const std::string& path) {
  auto text = read_file(path);
  if (!text) throw failure(text.error().text);
  return std::move(*text);
}

std::string read_message_file(const std::string& path) { return to_crlf(read_whole(path)); }

void read_messages(const std::string& path, const std::function<void(filed_message)>& use) {
  if (fs::is_directory(fs::path(path) / "cur")) return read_maildir(path, use);
  if (fs::is_directory(path)) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const std::string& file : files) read_messages(file, use);
    return;
  }
  const std::string text = read_whole(path);
  if (text.starts_with("From ")) return read_mbox(path, use);
  use({to_crlf(text), {}, 0});
}

void read_mail(const std::string& path, const std::function<void(filed_message)>& use) {
  if (fs::is_directory(path)) read_maildir(path, use);
  else read_mbox(path, use);
}

std::unique_ptr<mail_writer> write_mbox(const std::string& path) { return std::make_unique<mbox_writer>(path); }
std::unique_ptr<mail_writer> write_maildir(const std::string& path) { return std::make_unique<maildir_writer>(path); }

}  // namespace briefwerk::apps::ctl
