#include "briefwerk/base/scripted_resolver.hpp"

#include <algorithm>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::base {
namespace {

std::string normal(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

scripted_resolver::~scripted_resolver() {
  std::vector<completion<status>> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(held_);
  }
  // Dropped unanswered: each wait ends with errc::cancelled and does not touch this object again.
}

scripted_resolver& scripted_resolver::add(std::string_view name, dns_type type, std::vector<dns_record> records,
                                          bool authenticated, std::chrono::seconds ttl) {
  std::lock_guard lock(mutex_);
  names_.push_back(normal(name));
  dns_answer& answer = answers_[{normal(name), type}];
  answer.status = dns_status::found;
  answer.authenticated = authenticated;
  answer.ttl = ttl;
  std::move(records.begin(), records.end(), std::back_inserter(answer.records));
  return *this;
}

scripted_resolver& scripted_resolver::add_address(std::string_view name, std::string_view address) {
  const auto parsed = ip_address::parse(address);
  if (!parsed) return add_failure(name, dns_type::a);
  return add(name, parsed->is_v4() ? dns_type::a : dns_type::aaaa, {*parsed});
}

scripted_resolver& scripted_resolver::add_mx(std::string_view name, std::uint16_t preference,
                                             std::string_view exchange) {
  return add(name, dns_type::mx, {dns_mx{preference, std::string(exchange)}});
}

scripted_resolver& scripted_resolver::add_txt(std::string_view name, std::string_view text) {
  return add(name, dns_type::txt, {dns_txt{std::string(text)}});
}

scripted_resolver& scripted_resolver::add_ptr(std::string_view address, std::string_view name) {
  const auto parsed = ip_address::parse(address);
  if (!parsed) return *this;
  return add(parsed->reverse_name(), dns_type::ptr, {dns_name{std::string(name)}});
}

scripted_resolver& scripted_resolver::add_alias(std::string_view name, std::string_view target) {
  std::lock_guard lock(mutex_);
  aliases_[normal(name)] = normal(target);
  return *this;
}

scripted_resolver& scripted_resolver::add_name(std::string_view name) {
  std::lock_guard lock(mutex_);
  names_.push_back(normal(name));
  return *this;
}

scripted_resolver& scripted_resolver::add_failure(std::string_view name, dns_type type) {
  std::lock_guard lock(mutex_);
  answers_[{normal(name), type}] = dns_answer{};
  return *this;
}

scripted_resolver& scripted_resolver::add_failure(std::string_view name) {
  std::lock_guard lock(mutex_);
  failing_names_.push_back(normal(name));
  return *this;
}

void scripted_resolver::clear() {
  std::lock_guard lock(mutex_);
  answers_.clear();
  aliases_.clear();
  names_.clear();
  failing_names_.clear();
  asked_.clear();
}

void scripted_resolver::hold(std::string_view name) {
  std::lock_guard lock(mutex_);
  held_names_.push_back(normal(name));
}

void scripted_resolver::release() {
  std::vector<completion<status>> due;
  {
    std::lock_guard lock(mutex_);
    held_names_.clear();
    due.swap(held_);
  }
  for (auto& one : due) one(status{});
}

std::size_t scripted_resolver::held() const {
  std::lock_guard lock(mutex_);
  return held_.size();
}

std::vector<scripted_resolver::question> scripted_resolver::asked() const {
  std::lock_guard lock(mutex_);
  return asked_;
}

dns_answer scripted_resolver::look_up(std::string name, dns_type type) const {
  bool aliased = false;
  for (std::size_t links = 0; links <= limits::dns_cname_chain; ++links) {
    const auto alias = aliases_.find(name);
    if (alias == aliases_.end()) {
      dns_answer out;
      const auto found = answers_.find({name, type});
      if (found != answers_.end())
        out = found->second;
      else if (std::ranges::find(failing_names_, name) == failing_names_.end())
        out.status = std::ranges::find(names_, name) != names_.end() ? dns_status::no_data : dns_status::no_name;
      if (aliased) out.canonical_name = name;
      return out;
    }
    name = alias->second;
    aliased = true;
  }
  return {};  // a loop: failed
}

task<dns_answer> scripted_resolver::query(std::string name, dns_type type) {
  name = normal(name);
  bool wait = false;
  {
    std::lock_guard lock(mutex_);
    asked_.push_back({name, type});
    wait = std::ranges::find(held_names_, name) != held_names_.end();
  }
  if (wait) {
    auto released = co_await wait_for<status>([this](completion<status> done) {
      std::lock_guard lock(mutex_);
      held_.push_back(std::move(done));
    });
    if (!released) co_return dns_answer{};
  }
  std::lock_guard lock(mutex_);
  co_return look_up(std::move(name), type);
}

}  // namespace briefwerk::base
