#pragma once

// Whose turn it is, where each turn costs so much that a crowd must not keep a single one waiting. By standing first,
// then round and round by network, so that many connections from one place wait for each other and not others for them.
// Nobody waits for ever: whoever is of lesser standing comes after `patience` turns of the better.
//
// Takes memory for what waits; nothing is remembered of a network that has nothing here. Not thread-safe.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
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

  // Room for one more where the line is full: takes out what may wait least, the last step of the network that has the
  // most among those of worst standing. Nothing: the newcomer has no better claim, since its standing is no better and
  // its network has as many here.
  std::optional<Step> displace(standing newcomer, const base::ip_address& peer) {
    const auto own = static_cast<std::size_t>(newcomer);
    for (std::size_t worst = ranks_.size(); worst-- > own;) {
      rank& one = ranks_[worst];
      if (one.turns.empty()) continue;
      const auto most = std::ranges::max_element(
          one.turns, {}, [](const auto& network) { return network->second.size(); });
      const auto same = one.steps.find(network_of(peer));
      const std::size_t of_newcomer = same == one.steps.end() ? 0 : same->second.size();
      if (worst == own && (*most)->second.size() <= of_newcomer + 1) return std::nullopt;
      --size_;
      return one.take_last(most);
    }
    return std::nullopt;
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

    Step take_last(typename std::deque<typename by_network::iterator>::iterator of) {
      const auto at = *of;
      Step step = std::move(at->second.back());
      at->second.pop_back();
      if (at->second.empty()) {
        steps.erase(at);
        turns.erase(of);
      }
      return step;
    }

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
