#include "briefwerk/protocol/imap/errc.hpp"

#include <string>

namespace briefwerk::protocol::imap {
namespace {

class category final : public std::error_category {
  const char* name() const noexcept override { return "briefwerk.imap"; }
  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::bad_tag: return "A command begins with a tag";
      case errc::unknown_command: return "Unknown command";
      case errc::missing_argument: return "Argument missing";
      case errc::too_many_arguments: return "Too many arguments";
      case errc::bad_argument: return "Invalid argument";
      case errc::bad_string: return "Invalid string";
      case errc::bad_mailbox_name: return "Invalid mailbox name";
      case errc::bad_set: return "Invalid message set";
      case errc::bad_flag: return "Invalid flag";
      case errc::bad_date: return "Invalid date";
      case errc::bad_number: return "Invalid number";
      case errc::bad_section: return "Invalid section";
      case errc::bad_search_key: return "Unknown search key";
      case errc::bad_charset: return "Unknown charset";
      case errc::bad_event: return "Unknown event";
      case errc::bad_right: return "Unknown right";
      case errc::bad_option: return "Unknown option";
      case errc::too_deep: return "Nested too deep";
      case errc::too_many: return "Too many elements";
    }
    return "Invalid command";
  }
};

}  // namespace

const std::error_category& imap_category() noexcept {
  static const category instance;
  return instance;
}

}  // namespace briefwerk::protocol::imap
