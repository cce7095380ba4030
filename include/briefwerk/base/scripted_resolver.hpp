#pragma once

// A resolver that answers from a table: the reference implementation, for tests of the library and of what embeds
// it. A name that the table does not hold is dns_status::no_name; a name it holds with other types is no_data.

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/base/resolver.hpp"

namespace briefwerk::base {

// Thread-safe.
class scripted_resolver final : public resolver {
 public:
  scripted_resolver() = default;
  // Queries still held are answered with dns_status::failed, as after a time-out.
  ~scripted_resolver() override;

  // Names compare without regard to ASCII case and a final dot. add() may be called again for more records.
  scripted_resolver& add(std::string_view name, dns_type type, std::vector<dns_record> records,
                         bool authenticated = false, std::chrono::seconds ttl = std::chrono::seconds(300));
  scripted_resolver& add_address(std::string_view name, std::string_view address);  // A or AAAA, by its text
  scripted_resolver& add_mx(std::string_view name, std::uint16_t preference, std::string_view exchange);
  scripted_resolver& add_txt(std::string_view name, std::string_view text);
  scripted_resolver& add_ptr(std::string_view address, std::string_view name);   // `address` as text
  scripted_resolver& add_alias(std::string_view name, std::string_view target);  // CNAME
  // The name exists, without records.
  scripted_resolver& add_name(std::string_view name);
  // Every question for this name and type answers dns_status::failed; as SERVFAIL and time-outs do.
  scripted_resolver& add_failure(std::string_view name, dns_type type);
  // The same for every type of which the name has no records.
  scripted_resolver& add_failure(std::string_view name);
  void clear();

  // From now on questions for `name` wait until release(). The driver's deadlines can be tested against that.
  void hold(std::string_view name);
  // Answers everything held, and holds no name any longer.
  void release();
  std::size_t held() const;

  struct question {
    std::string name;
    dns_type type;
    bool operator==(const question&) const = default;
  };
  std::vector<question> asked() const;  // in order

  task<dns_answer> query(std::string name, dns_type type) override;

 private:
  using key = std::pair<std::string, dns_type>;
  dns_answer look_up(std::string name, dns_type type) const;

  mutable std::mutex mutex_;
  std::map<key, dns_answer> answers_;
  std::map<std::string, std::string> aliases_;
  std::vector<std::string> names_, failing_names_, held_names_;
  std::vector<question> asked_;
  std::vector<completion<status>> held_;
};

}  // namespace briefwerk::base
