#include "store/queue/queue_records.hpp"

#include <algorithm>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/limits.hpp"
#include "store/mailbox/keys.hpp"
#include "store/mailbox/octet_codec.hpp"

namespace briefwerk::store {
namespace {

constexpr std::uint8_t version = 1;
// Times before 1970 sort before those after it.
constexpr std::uint64_t time_bias = std::uint64_t{1} << 63;

enum item_bits : std::uint8_t { smtputf8 = 1, eight_bit = 2, require_tls = 4, held = 8 };

}  // namespace

namespace queue_keys {

std::string of_item(std::string_view id) { return std::string(1, item).append(id); }

std::string of_due(std::int64_t next_attempt, std::string_view id) {
  std::string key(1, due);
  append_key_number(key, static_cast<std::uint64_t>(next_attempt) ^ time_bias);
  return key.append(id);
}

std::optional<due_entry> parse_due(std::string_view key) {
  if (!key.starts_with(due)) return std::nullopt;
  key.remove_prefix(1);
  std::uint64_t time = 0;
  if (!take_key_number(key, time) || key.empty()) return std::nullopt;
  return due_entry{static_cast<std::int64_t>(time ^ time_bias), key};
}

}  // namespace queue_keys

std::string encode(const queue_item& item) {
  octet_writer out;
  const int bits = (item.smtputf8 ? smtputf8 : 0) | (item.eight_bit ? eight_bit : 0) | (item.require_tls ? require_tls : 0) |
                   (item.held.empty() ? 0 : held);
  out.u8(version).u8(static_cast<std::uint8_t>(bits)).u8(item.return_content);
  out.i64(item.arrived).i64(item.next_attempt).u32(item.attempts).u64(item.size).fixed(item.message.view());
  out.text(item.sender).text(item.account).text(item.envelope_id);
  if (!item.held.empty()) out.text(item.held);
  out.u32(static_cast<std::uint32_t>(item.recipients.size()));
  for (const auto& to : item.recipients) {
    out.u8(static_cast<std::uint8_t>(to.state)).u8(to.notify).u8(to.delay_reported ? 1 : 0);
    out.text(to.address).text(to.original_recipient).text(to.last_reply).text(to.last_host);
  }
  return out.take();
}

base::result<queue_item> decode_queue_item(std::string_view value, std::string_view id) {
  const auto corrupt = base::fail(base::errc::corrupt);
  constexpr std::size_t least_recipient = 3 + 4 * 4;
  octet_reader in(value);
  if (in.u8() != version) return corrupt;
  queue_item item;
  item.id = id;
  const std::uint8_t bits = in.u8();
  item.smtputf8 = (bits & smtputf8) != 0;
  item.eight_bit = (bits & eight_bit) != 0;
  item.require_tls = (bits & require_tls) != 0;
  item.return_content = in.u8();
  item.arrived = in.i64();
  item.next_attempt = in.i64();
  item.attempts = in.u32();
  item.size = in.u64();
  const auto blob = in.fixed(blob_ref::size);
  if (!in.ok() || bits > (smtputf8 | eight_bit | require_tls | held)) return corrupt;
  item.message = blob_ref::from(blob);
  item.sender = in.text();
  item.account = in.text();
  item.envelope_id = in.text();
  if ((bits & held) != 0) item.held = in.text();
  const std::uint32_t recipients = in.u32();
  if ((bits & held) != 0 && item.held.empty()) return corrupt;
  if (!in.ok() || recipients > in.left() / least_recipient) return corrupt;
  item.recipients.resize(recipients);
  for (auto& to : item.recipients) {
    const std::uint8_t state = in.u8();
    to.state = static_cast<recipient_state>(state);
    to.notify = in.u8();
    const std::uint8_t delay = in.u8();
    to.delay_reported = delay == 1;
    to.address = in.text();
    to.original_recipient = in.text();
    to.last_reply = in.text();
    to.last_host = in.text();
    if (state > static_cast<std::uint8_t>(recipient_state::failed) || delay > 1) return corrupt;
  }
  if (!in.complete()) return corrupt;
  return item;
}

std::string queue_ids::make(const base::clock& time, const base::crypto& random) {
  const std::uint64_t now = static_cast<std::uint64_t>(time.now().time_since_epoch().count()) << 16;
  std::uint64_t before = last_.load(std::memory_order_relaxed);
  std::uint64_t made = 0;
  do {
    made = std::max(now, before + 1);  // a clock that was set back does not reorder them either
  } while (!last_.compare_exchange_weak(before, made, std::memory_order_relaxed));
  std::string octets;
  append_key_number(octets, made);
  return base::hex_encode(octets + random.random_octets(5));
}

base::result<std::optional<queue_item>> read_queue_item(const view& now, std::string_view id) {
  const std::string key = queue_keys::of_item(id);
  if (id.empty() || key.size() > base::limits::store_key) return std::optional<queue_item>();
  auto value = now.get(key);
  if (!value) return base::fail(value.error());
  if (!*value) return std::optional<queue_item>();
  auto item = decode_queue_item((*value)->view(), id);
  if (!item) return base::fail(item.error());
  return std::optional(std::move(*item));
}

base::result<std::optional<queue_item>> read_queue_item(const view& now, const faults& report, std::string_view id) {
  auto item = read_queue_item(now, id);
  if (!item && item.error() == base::errc::corrupt) return report.corrupt(keys::queue_partition, queue_keys::of_item(id));
  return item;
}

base::result<std::uint64_t> read_queue_count(const view& now, const faults& report) {
  auto value = now.get(queue_keys::count);
  if (!value) return base::fail(value.error());
  if (!*value) return 0;
  octet_reader in((*value)->view());
  const bool known = in.u8() == version;
  const std::uint64_t count = in.u64();
  if (!known || !in.complete()) return report.corrupt(keys::queue_partition, queue_keys::count);
  return count;
}

base::status queue_writer::insert(const queue_item& item) {
  const std::string key = queue_keys::of_item(item.id);
  auto there = now_.get(key);
  if (!there) return base::fail(there.error());
  if (*there || out_.writes().contains(key)) return base::fail(base::errc::already_exists);
  out_.put(key, encode(item));
  if (!item.held.empty()) return {};
  out_.put(queue_keys::of_due(item.next_attempt, item.id), {});
  ++added_;
  return {};
}

base::status queue_writer::replace(const queue_item& item) {
  auto before = read_queue_item(now_, report_, item.id);
  if (!before) return base::fail(before.error());
  if (!*before) return base::fail(base::errc::not_found);
  queue_item after = item;
  after.message = (*before)->message;
  out_.erase(queue_keys::of_due((*before)->next_attempt, item.id));
  out_.put(queue_keys::of_item(item.id), encode(after));
  if (item.held.empty()) out_.put(queue_keys::of_due(item.next_attempt, item.id), {});
  added_ += ((*before)->held.empty() ? -1 : 0) + (item.held.empty() ? 1 : 0);
  return {};
}

base::status queue_writer::remove(std::string_view id) {
  auto before = read_queue_item(now_, report_, id);
  if (!before) return base::fail(before.error());
  if (!*before) return base::fail(base::errc::not_found);
  out_.erase(queue_keys::of_due((*before)->next_attempt, id));
  out_.erase(queue_keys::of_item(id));
  if ((*before)->held.empty()) --added_;
  return {};
}

base::status queue_writer::finish() {
  if (added_ == 0) return {};
  auto count = read_queue_count(now_, report_);
  if (!count) return base::fail(count.error());
  const auto after = static_cast<std::int64_t>(*count) + added_;
  out_.put(queue_keys::count, octet_writer().u8(version).u64(static_cast<std::uint64_t>(std::max<std::int64_t>(after, 0))).take());
  return {};
}

}  // namespace briefwerk::store
