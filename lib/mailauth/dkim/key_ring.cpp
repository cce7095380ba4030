#include "mailauth/dkim/key_ring.hpp"

#include <vector>

#include "briefwerk/base/when_all.hpp"

namespace briefwerk::mailauth {

base::task<void> key_ring::fetch(tracer trace) {
  std::vector<base::task<dkim_keys::answer>> questions;
  for (const auto& [name, answer] : found_)
    if (!answer) questions.push_back(keys_.find(name.first, name.second, trace));
  if (questions.empty()) co_return;
  std::vector<dkim_keys::answer> answers = co_await base::when_all(std::move(questions));
  auto next = answers.begin();
  for (auto& [name, answer] : found_)
    if (!answer) answer = std::move(*next++);
}

}  // namespace briefwerk::mailauth
