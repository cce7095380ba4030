#pragma once

// A message with changes that stages asked for, while the message itself stays where it is and as it is.

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/message_edit.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"

namespace briefwerk::server {

class edited_message {
 public:
  // `message` outlives it.
  explicit edited_message(std::string_view message);

  // Changes of the envelope are passed over. Nobody can put a field into the value of another: line ends in a value
  // become folding.
  void apply(const mail::message_edit& edit);
  void apply(std::span<const mail::message_edit> edits);

  // Fields that the message brought along and nobody changed go where `which` says so.
  void remove_if(const std::function<bool(const mail::header_field&)>& which);

  // The fields that there are now, in their order; views that live until the next change.
  void for_each(const std::function<void(std::string_view name, std::string_view value)>& each) const;
  // Header block with its empty line.
  std::string header() const;
  std::string_view body() const noexcept { return new_body_ ? std::string_view(*new_body_) : body_; }

 private:
  struct field {
    std::string_view original{};  // whole; empty where `text` has it
    std::string text{};
    std::size_t name_size = 0;    // 0: a line that is no field, kept as it is
    bool gone = false;
    std::string_view whole() const noexcept { return text.empty() ? original : std::string_view(text); }
    std::string_view name() const noexcept { return whole().substr(0, name_size); }
  };
  static field made_of(std::string_view name, std::string_view value);
  void change(const mail::message_edit& edit);
  void insert(const mail::message_edit& edit);

  std::vector<field> fields_;
  std::string_view end_of_header_, body_;
  std::size_t header_size_ = 0;
  std::optional<std::string> new_body_;
};

// Sender and recipients. False: an address or a parameter that no envelope can hold; nothing is changed by it then.
bool apply(mail::smtp_envelope& envelope, const mail::message_edit& edit);

}  // namespace briefwerk::server
