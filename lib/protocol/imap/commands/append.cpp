#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {
namespace {

// append = "APPEND" SP mailbox 1*append-message (RFC 3502 §6.3.11); replace = "REPLACE" SP seq-number SP mailbox
// append-message (RFC 8508 §5).
class append_reader {
 public:
  append_reader(scanner& in, bool at_literal) : in_(in), actions_(in.memory()), at_literal_(at_literal) {}

  bool read(append_place place, bool by_uid) {
    piece_.by_uid = by_uid;
    if (place == append_place::replaced) {
      number_set one;
      if (!in_.space() || !in_.set(one, false)) return false;
      if (one.ranges.size() != 1 || one.ranges[0].first != one.ranges[0].last) return in_.refuse(errc::bad_set);
      piece_.replaced = one;
      place = append_place::mailbox;
    }
    if (place == append_place::mailbox) {
      if (!in_.space()) return false;
      if (wants_literal()) return stop(append_arguments::stop::collect, place);
      return in_.mailbox(piece_.mailbox) && read_message();
    }
    if (place == append_place::utf8) return in_.expect(')') && read_further();
    if (place == append_place::part) return read_parts(false);
    return read_further();
  }
  append_arguments result() const noexcept { return {actions_.view(), stop_, next_}; }

 private:
  // The text ends here, in a literal that is an argument.
  bool wants_literal() const noexcept { return at_literal_ && in_.done(); }
  bool stop(append_arguments::stop how, append_place next) noexcept {
    stop_ = how;
    next_ = next;
    return true;
  }
  bool read_further() {
    if (in_.at_end() && !at_literal_) return stop(append_arguments::stop::end, append_place::message);
    return read_message();
  }

  // append-message = [SP flag-list] [SP date-time] SP append-data; append-data = literal / literal8 / "CATENATE" SP "("
  // … (RFC 4469 §5) / "UTF8" SP "(" literal8 ")" (RFC 6855 §4)
  bool read_message() {
    if (!in_.space()) return false;
    if (in_.peek() == '(' && (!in_.flags(piece_.flags) || !in_.space())) return false;
    if (in_.peek() == '"') {
      std::int64_t seconds = 0;
      if (!in_.date_time(seconds) || !in_.space()) return false;
      piece_.internal_date = seconds;
    }
    if (in_.accept_word("CATENATE")) {
      piece_.catenated = true;
      begin();
      return in_.space() && in_.expect('(') && read_parts(true);
    }
    const bool utf8 = in_.accept_word("UTF8");
    if (utf8 && (!in_.space() || !in_.expect('(') || in_.peek() != '~')) return in_.refuse(errc::bad_argument);
    piece_.binary = in_.accept('~');
    if (!in_.end()) return in_.refuse_as(errc::bad_argument);
    if (!at_literal_) return in_.refuse(errc::missing_argument);
    begin();
    return stop(append_arguments::stop::literal, utf8 ? append_place::utf8 : append_place::message);
  }

  // cat-part = "TEXT" SP literal / "URL" SP astring
  bool read_parts(bool first) {
    for (;; first = false) {
      if (!first) {
        if (in_.accept(')')) return read_further();
        if (!in_.space()) return false;
      }
      if (in_.accept_word("URL")) {
        if (!in_.space()) return false;
        if (wants_literal()) return stop(append_arguments::stop::collect, append_place::part);
        append_action one{.what = append_action::kind::url, .piece = {}, .url = {}};
        if (!in_.astring(one.url)) return false;
        if (actions_.size() == most_actions) return in_.refuse(errc::too_many);
        actions_.push_back(one);
      } else if (in_.accept_word("TEXT")) {
        if (!in_.space()) return false;
        in_.accept('~');
        if (!in_.end()) return in_.refuse_as(errc::bad_argument);
        return at_literal_ ? stop(append_arguments::stop::literal, append_place::part)
                           : in_.refuse(errc::missing_argument);
      } else {
        return in_.refuse(in_.done() ? errc::missing_argument : errc::bad_argument);
      }
    }
  }

  void begin() {
    actions_.push_back({.what = append_action::kind::begin, .piece = piece_, .url = {}});
    piece_.flags = {};
    piece_.internal_date.reset();
    piece_.binary = piece_.catenated = false;
  }

  static constexpr std::size_t most_actions = 1000;
  scanner& in_;
  arena_list<append_action> actions_;
  append_piece piece_;
  bool at_literal_;
  append_arguments::stop stop_ = append_arguments::stop::end;
  append_place next_ = append_place::message;
};

}  // namespace

base::result<append_arguments> parse_append(std::string_view text, append_place place, bool by_uid, bool at_literal,
                                            const parse_options& options, arena& memory) {
  scanner in(text, 0, options, memory);
  append_reader reader(in, at_literal);
  if (!reader.read(place, by_uid)) return in.failure();
  return reader.result();
}

}  // namespace briefwerk::protocol::imap
