#include "server/scan/asking_threads.hpp"

#include <algorithm>
#include <utility>

namespace briefwerk::server {

using filter::scan_answer;

namespace {

constexpr std::string_view not_asked = "the scanner hangs and is not asked at the moment";

}  // namespace

asking_threads::asking_threads(scanner_options options)
    : options_(std::move(options)), breaker_("virus", "scan", options_.hanging) {}

void asking_threads::start() {
  for (unsigned i = 0; i < std::max(options_.at_once, 1u); ++i) {
    threads_.emplace_back([this](std::stop_token stop) { run(std::move(stop)); });
  }
}

void asking_threads::stop() {
  for (std::jthread& one : threads_) one.request_stop();
  threads_.clear();
  line_.clear();  // their completions answer that they were dropped
}

base::task<scan_answer> asking_threads::scan(std::string_view message) {
  if (message.size() > options_.size) co_return scan_answer{filter::scan_outcome::too_large, "message"};
  auto asking = breaker_.ask();
  if (!asking) co_return scan_failed(std::string(not_asked));
  scan_answer answer = scan_failed("the scanner is going away");
  const deadline until = std::chrono::steady_clock::now() + options_.limit;
  (void)co_await base::wait_for<base::status>([&](base::completion<base::status> done) {
    {
      const std::lock_guard lock(mutex_);
      line_.push_back({message, until, &answer, std::move(*asking), std::move(done)});
    }
    waiting_.notify_one();
  });
  co_return answer;
}

scan_answer asking_threads::answer_of(question& one) noexcept {
  try {
    if (!one.asking.is_still_asked()) return scan_failed(std::string(not_asked));
    if (std::chrono::steady_clock::now() >= one.until) return scan_failed("too many scans at once");
    base::result<scan_answer> said = ask(one.message, one.until);
    if (said) {
      one.asking.heard();
      return std::move(*said);
    }
    if (said.error() == base::errc::timed_out) one.asking.timed_out();
    if (broke_off(said.error())) return scan_failed("the scan broke off");
    return scan_failed("no answer of the scanner: " + said.error().message());
  } catch (const std::exception&) {
    return {};
  }
}

void asking_threads::run(std::stop_token stop) {
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!waiting_.wait(lock, stop, [this] { return !line_.empty(); })) return;
    if (stop.stop_requested()) return;
    question one = std::move(line_.front());
    line_.pop_front();
    lock.unlock();
    *one.answer = answer_of(one);
    base::completion<base::status> done = std::move(one.done);
    {
      const question ended = std::move(one);  // what it showed counts before the next message comes
    }
    done(base::status());
  }
}

}  // namespace briefwerk::server
