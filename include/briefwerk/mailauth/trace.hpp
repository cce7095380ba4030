#pragma once

// How a check explains itself: every question to DNS with its answer, every decision with its reason, as steps in
// order. All methods of the room take a `tracer`; one that nobody reads costs a test of a pointer.
//
//   trace_list steps;
//   co_await spf::check_mail_from(dns, request, tracer(&steps));
//   for (const trace_step& one : steps) std::printf("%*s%s: %s\n", one.depth * 2, "", …);

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/task.hpp"

namespace briefwerk::mailauth {

struct trace_step {
  int depth = 0;          // steps that belong to an earlier step are one deeper
  std::string_view what;  // who speaks: "dns", "spf", "dkim", …; a literal, so it lives as long as the program
  std::string text;       // one line for people; from the network, but printable: what is not ASCII is escaped as \xNN
};

// Owned by the caller, used from the chain of the check alone.
class trace_sink {
 public:
  virtual ~trace_sink() = default;
  virtual void step(trace_step step) = 0;
};

// Keeps the steps.
class trace_list final : public trace_sink {
 public:
  void step(trace_step step) override { steps_.push_back(std::move(step)); }
  const std::vector<trace_step>& steps() const noexcept { return steps_; }

 private:
  std::vector<trace_step> steps_;
};

// A small value that is handed down through a check.
class tracer {
 public:
  tracer() = default;  // nobody listens
  explicit tracer(trace_sink* sink, int depth = 0) noexcept : sink_(sink), depth_(depth) {}

  explicit operator bool() const noexcept { return sink_ != nullptr; }
  tracer deeper() const noexcept { return tracer(sink_, depth_ + 1); }

  // `text` is called, for a std::string, only when somebody listens:
  //   trace.step("spf", [&] { return "the record of " + domain + " is cut"; });
  template <class Text>
  void step(std::string_view what, Text&& text) const {
    if (sink_ != nullptr) write(what, std::forward<Text>(text)());
  }

 private:
  void write(std::string_view what, std::string text) const;

  trace_sink* sink_ = nullptr;
  int depth_ = 0;
};

// "TXT example.org: found, "v=spf1 -all"", as the step of a question to DNS says it.
std::string describe_answer(std::string_view name, base::dns_type type, const base::dns_answer& answer);

// Asks, and writes question and answer as one step "dns".
base::task<base::dns_answer> ask(base::resolver& dns, std::string name, base::dns_type type, tracer trace);

}  // namespace briefwerk::mailauth
