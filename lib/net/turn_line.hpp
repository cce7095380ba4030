#pragma once

// Whose turn it is, where each turn costs so much that a crowd must not keep a single one waiting. By standing first,
// then round and round by network, so that many connections from one place wait for each other and not others for them.
// Nobody waits for ever: whoever is of lesser standing comes after `patience` turns of the better.
//
// As long as what waits; nothing is remembered of a network that has nothing here.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <string_view>
#include <utility>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/net/standing.hpp"

namespace briefwerk::net {

template <class Step>
class turn_line {
 public:
  static constexpr unsigned patience = 8;

  void put(standing of, const base::ip_address& peer, Step step) {
    rank& its = ranks_[static_cast<std::size_t>(of)];
    const auto [at, is_new] = its.steps.try_emplace(network_of(peer));
    at->second.push_back(std::move(step));
    if (is_new) its.turns.push_back(at);
    ++size_;
  }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  // There must be one.
  Step take() {
    rank* chosen = nullptr;
    for (rank& one : ranks_) {
      if (one.turns.empty()) continue;
      if (chosen == nullptr) {
        chosen = &one;
      } else if (++one.passed_over > patience) {
        chosen = &one;
      }
    }
    chosen->passed_over = 0;
    --size_;
    return chosen->take();
  }

 private:
  // An IPv4 /24 or an IPv6 /48: what one owner gets easily.
  static base::ip_address network_of(const base::ip_address& peer) {
    const std::string_view octets = peer.octets();
    const auto cut = [octets]<std::size_t Size>(std::array<std::uint8_t, Size> made, std::size_t length) {
      for (std::size_t i = 0; i < length; ++i) made[i] = static_cast<std::uint8_t>(octets[i]);
      return made;
    };
    if (peer.is_v4()) return base::ip_address::v4(cut(std::array<std::uint8_t, 4>{}, 3));
    return base::ip_address::v6(cut(std::array<std::uint8_t, 16>{}, 6));
  }

  struct rank {
    using by_network = std::map<base::ip_address, std::list<Step>>;
    by_network steps;                                 // none is empty
    std::deque<typename by_network::iterator> turns;  // each network once
    unsigned passed_over = 0;

    Step take() {
      const auto at = turns.front();
      turns.pop_front();
      Step step = std::move(at->second.front());
      at->second.pop_front();
      if (at->second.empty()) steps.erase(at);
      else turns.push_back(at);
      return step;
    }
  };
  std::array<rank, 3> ranks_;  // by standing
  std::size_t size_ = 0;
};

}  // namespace briefwerk::net
