#pragma once

// What every mailbox store must do. A store's test file calls each part with a function that makes an empty store.

#include <functional>
#include <memory>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::store::testing {

struct mailbox_subject {
  std::shared_ptr<void> behind;  // whatever must outlive the store, and the store itself
  mailbox_store* made = nullptr;
};
// The clock outlives the subject.
using mailbox_factory = std::function<mailbox_subject(const base::clock& time)>;

void conforms_in_accounts_and_names(const mailbox_factory& make);
void conforms_in_names_by_pieces(const mailbox_factory& make);
void conforms_in_renaming_and_removing(const mailbox_factory& make);
void conforms_in_delivery(const mailbox_factory& make);
void conforms_in_quota(const mailbox_factory& make);
void conforms_in_annotations(const mailbox_factory& make);
void conforms_in_access(const mailbox_factory& make);
void conforms_in_transfer_between_accounts(const mailbox_factory& make);
void conforms_in_watching_many(const mailbox_factory& make, int mailboxes);
void conforms_in_flags(const mailbox_factory& make);
void conforms_in_keywords(const mailbox_factory& make);
void conforms_in_copying_and_moving(const mailbox_factory& make);
void conforms_in_expunging(const mailbox_factory& make);
void conforms_in_summaries(const mailbox_factory& make);
void conforms_in_digests(const mailbox_factory& make);
void conforms_in_mailbox_watching(const mailbox_factory& make);
void conforms_to_a_mailbox_model(const mailbox_factory& make, unsigned seed, int steps);
void conforms_with_mailbox_threads(const mailbox_factory& make, int rounds);

// Counters of a snapshot agree with its messages, pages are in order and within their size.
void check_snapshot(const mailbox_snapshot& s);

}  // namespace briefwerk::store::testing
