#pragma once

// What every engine must do. An engine's test file calls each part with a function that makes a fresh engine.

#include <functional>
#include <memory>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/store/engine.hpp"

namespace briefwerk::store::testing {

struct subject {
  std::shared_ptr<void> behind;  // whatever must outlive the engine: a folder, a disk
  std::unique_ptr<engine> made;
};
using factory = std::function<subject(const base::clock* time)>;

void conforms_in_reading_and_writing(const factory& make);
void conforms_in_scans(const factory& make);
void conforms_in_versions_and_conflicts(const factory& make);
void conforms_in_watching(const factory& make);
void conforms_in_single_rows(const factory& make);
void conforms_in_blobs(const factory& make);
void conforms_in_collection(const factory& make);
void conforms_under_a_committer(const factory& make);
void conforms_with_many_threads(const factory& make);
void conforms_to_a_model(const factory& make, unsigned seed);

}  // namespace briefwerk::store::testing
