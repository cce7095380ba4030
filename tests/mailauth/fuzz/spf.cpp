#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mailauth/spf.hpp"

namespace {

namespace base = briefwerk::base;
namespace spf = briefwerk::mailauth::spf;

void require(bool holds) {
  if (!holds) std::abort();
}

// Every name has the record under test, and addresses, names and exchanges that the kind of question decides on; so
// includes and redirects go in circles.
class circular_resolver final : public base::resolver {
 public:
  explicit circular_resolver(std::string_view record) : record_(record) {}
  std::size_t asked() const noexcept { return asked_; }

  base::task<base::dns_answer> query(std::string name, base::dns_type type) override {
    ++asked_;
    require(!name.empty() && name.size() <= 253);
    base::dns_answer out;
    out.status = base::dns_status::found;
    switch (type) {
      case base::dns_type::txt:
        out.records = {base::dns_txt{record_}};
        break;
      case base::dns_type::a:
        out.records = {base::ip_address::v4({192, 0, 2, 1})};
        break;
      case base::dns_type::mx:
        out.records = {base::dns_mx{1, name}, base::dns_mx{2, "b\xff.example"}};
        break;
      case base::dns_type::ptr:
        out.records = {base::dns_name{"a.example"}, base::dns_name{".."}};
        break;
      default:
        out.status = name.size() % 3 == 0 ? base::dns_status::failed : base::dns_status::no_data;
        break;
    }
    co_return out;
  }

 private:
  std::string record_;
  std::size_t asked_ = 0;
};

}  // namespace

// A record and the names of the envelope: the first two octets say where the sender and the HELO begin.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  spf::request about;
  if (size >= 2) {
    const auto sender = static_cast<std::size_t>(data[0] & 63), helo = static_cast<std::size_t>(data[1] & 63);
    text.remove_prefix(2);
    about.sender = text.substr(0, sender);
    text.remove_prefix(about.sender.size());
    about.helo = text.substr(0, helo);
    text.remove_prefix(about.helo.size());
  }
  const auto parsed = spf::parse_record(text);
  if (!parsed) require(parsed.error().position <= text.size() || text.size() > base::limits::spf_record);
  (void)spf::parse_explanation(text);

  about.ip = size % 2 == 0 ? base::ip_address::v4({192, 0, 2, 1}) : base::ip_address::parse("2001:db8::1").value();
  circular_resolver dns(text);
  briefwerk::mailauth::trace_list trace;
  const auto found = base::sync_wait(spf::check_mail_from(dns, about, briefwerk::mailauth::tracer(&trace)));
  // Ten terms with at most eleven questions each, records, the names of the address, the explanation.
  require(dns.asked() <= 150);
  for (const char c : found.explanation + found.problem) require(c >= 0x20 && c <= 0x7e);
  const std::string field = spf::received_spf(found, about);
  for (std::size_t i = 0; i + 1 < field.size(); ++i)
    if (field[i] == '\n' && i + 1 < field.size()) require(field[i + 1] == ' ' || field[i + 1] == '\t');
  return 0;
}
