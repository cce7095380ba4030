#pragma once

// Hands everything on to another engine: for tests that change a little of one.

#include "briefwerk/store/engine.hpp"

namespace briefwerk::store::testing {

class forwarding_engine : public engine {
 public:
  explicit forwarding_engine(engine& under) : under_(under) {}

  base::result<version_number> version(std::string_view partition) const override { return under_.version(partition); }
  base::result<std::unique_ptr<view>> read(std::string_view partition) const override { return under_.read(partition); }
  base::result<octets> read_blob(const blob_ref& ref) const override { return under_.read_blob(ref); }
  subscription watch(std::string_view partition, watch_function changed) override {
    return under_.watch(partition, std::move(changed));
  }
  base::result<encoded_blob> encode(const blob_parts& parts) const override { return under_.encode(parts); }
  base::result<std::unique_ptr<group>> begin(std::uint64_t octets) override { return under_.begin(octets); }
  void settle() noexcept override { under_.settle(); }
  bool group_is_atomic() const noexcept override { return under_.group_is_atomic(); }
  base::result<collect_report> collect(const mark_blobs& mark, std::chrono::milliseconds grace) override {
    return under_.collect(mark, grace);
  }

 private:
  engine& under_;
};

}  // namespace briefwerk::store::testing
