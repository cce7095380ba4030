#pragma once

// One IMAP session: the loop between a stream and the machine, and the commands. Lives and dies on its stream's thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/mail/rights.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/mail/uid_set.hpp"
#include "briefwerk/net/stream.hpp"
#include "briefwerk/protocol/imap/sequence_view.hpp"
#include "briefwerk/protocol/imap/server_session.hpp"
#include "deflate_layer.hpp"
#include "fetch_plan.hpp"
#include "notifications.hpp"
#include "refusal.hpp"
#include "service.hpp"

namespace briefwerk::server::imap {

class list_choice;
class search_plan;
class search_context;
class slices;
enum class search_stage : std::uint8_t;

namespace wire = protocol::imap;
using index_ranges = std::vector<wire::index_range>;

class session final : public watcher {
 public:
  session(net::stream connection, imap_service::impl& service, thread_state& thread, base::executor& where);
  ~session() override;

  base::task<void> run();

 private:
  // While the client proves who it is.
  struct login_state {
    auth_origin origin;
    std::string exporter, end_point;
    std::unique_ptr<auth_exchange> exchange;
    std::optional<auth_result> succeeded;  // its data went out; the client has to acknowledge
  };
  // An APPEND under way.
  struct append_state {
    std::vector<message_buffer> messages;
    std::vector<store::local_target> targets;
    store::account_id account;  // whose mailbox it is, and what it is called there
    std::string mailbox;
    store::mailbox_id target = 0;
    mail::flag_set flags = 0;   // that may be set
    std::uint64_t octets = 0;  // announced
    std::uint32_t replaced = 0;  // UID, of REPLACE
    bool by_uid = false;
    std::chrono::steady_clock::time_point begun;
  };
  // What FETCH, STORE and the like work on.
  struct selection {
    index_ranges ranges;        // of announced_
    std::size_t count = 0;
  };

  // A mailbox that a command names: whose it is, and what the user may do with it. Its name is the one in that account.
  struct place {
    store::account_id account;
    store::mailbox_info info;
    mail::right_set rights = 0;
  };
  struct new_place {
    store::account_id account;
    std::string name;
  };
  struct identified {
    store::account_id account;  // empty: anyone
    bool negative = false;
  };

  void store_changed(store::mailbox_id mailbox) override;

  // The loop (session.cpp).
  base::task<bool> prepare_tls();
  // `listens`: news end the wait.
  base::task<bool> take_input(bool idling, bool listens);
  // What was read, as it is or decompressed, for the machine.
  enum class fed : std::uint8_t { yes, more, broken };
  fed feed_machine(std::size_t count);
  fed feed_decompressed();
  base::task<bool> send(std::span<const std::string_view> pieces);
  base::task<bool> send_compressed(std::span<const std::string_view> pieces);
  base::task<bool> send_collected();  // false: the connection is gone
  bool output_is_full() noexcept { return machine_.output().size() >= send_at_; }
  base::task<void> answer(const wire::question& question);
  base::task<void> run_command(const wire::command& command);
  void log_end(std::string_view why);

  // Logging in (session_login.cpp).
  base::task<void> authenticate(const wire::auth_question& question);
  base::task<void> run(const wire::login_command& command);
  login_state& login();
  void logged_in(const auth_result& who, std::string_view mechanism);
  void refuse_login(const auth_result& why, std::string_view mechanism);

  // Mailboxes by name (session_mailboxes.cpp, session_list.cpp).
  base::task<void> run(const wire::list_command& command);
  base::task<void> run(const wire::status_command& command);
  base::task<void> run(const wire::create_command& command);
  base::task<void> run(const wire::delete_command& command);
  base::task<void> run(const wire::rename_command& command);
  base::task<void> run(const wire::subscribe_command& command);
  base::task<base::status> write_status(std::string_view name, store::account_id account, store::mailbox_id mailbox,
                                        wire::status_items items);
  struct names {
    std::vector<store::mailbox_info> infos;
    std::size_t own = 0;  // so many of the user's own; the rest is of these accounts, with these rights
    std::vector<std::pair<store::account_id, mail::right_set>> shared;
  };
  base::task<base::result<names>> all_names();
  base::task<bool> write_listed(const wire::list_command& command, list_choice& choice,
                                const store::listed_mailbox& one, const place* shared);
  base::task<base::status> list_own(const wire::list_command& command, list_choice& choice,
                                    std::vector<store::mailbox_info>& left);
  base::task<base::status> list_shared(const wire::list_command& command, list_choice& choice,
                                       std::vector<store::mailbox_info> own);
  base::task<void> write_further(const wire::list_command& command, const store::mailbox_info& info,
                                 const store::account_id& account, mail::right_set granted);
  static bool may_note(mail::right_set granted) noexcept;  // RFC 5464 §3.3
  // RFC 8474 §4: of all mailboxes that this user may see.
  std::string id_of(const store::account_id& account, store::mailbox_id mailbox) const;

  // Rights (session_access.cpp).
  bool is_sharing() const noexcept { return machine_.options().offered.acl; }
  base::task<base::result<store::account_id>> other_account(std::string login);
  // Errors: as of mailbox_store::find(); no_such_mailbox also for what the user may not look up, base::errc::denied
  // without all rights of `needed`.
  base::task<base::result<place>> locate(std::string name, mail::right_set needed);
  base::task<base::result<place>> locate_mailbox(std::string name, mail::right_set needed);
  base::task<base::result<new_place>> locate_new(std::string name);
  base::task<base::result<std::vector<place>>> shared_places();
  base::task<bool> renew_rights();
  void write_permanent_flags(std::span<const std::string> keywords);
  bool may(mail::right_set needed) const noexcept { return (rights_ & needed) == needed; }
  base::task<std::optional<identified>> identify(std::string_view text);
  base::task<void> change_rights(std::string name, std::string_view identifier, store::flag_change how,
                                 mail::right_set changed);
  base::task<void> run(const wire::get_acl_command& command);
  base::task<void> run(const wire::set_acl_command& command);
  base::task<void> run(const wire::delete_acl_command& command);
  base::task<void> run(const wire::list_rights_command& command);
  base::task<void> run(const wire::my_rights_command& command);

  // The selected mailbox (session_select.cpp).
  base::task<void> run(const wire::select_command& command);
  base::task<void> run_close(bool expunges);
  base::task<void> begin_idle();
  base::task<void> end_idle();
  // Tells the client what changed in the mailbox, where it may be told, and brings latest_ up to date. False: the
  // mailbox is gone, and the machine has been told to end.
  base::task<bool> refresh(bool may_expunge, bool by_uid);
  void write_select_data(const store::mailbox_info& info, std::string_view name, const store::opened_mailbox& opened);
  // Waits for the messages of a large mailbox, which were not at hand when it was selected. False: they cannot be
  // read, and the machine has been told to end.
  base::task<bool> finish_opening();
  // \Recent of what came into `now`, where the client has that flag. False: there was nothing.
  bool take_recent(std::uint32_t uid_next);
  std::uint32_t count_recent(const store::mailbox_snapshot& in) const noexcept;
  mail::flag_set recent_flag(std::uint32_t uid) const noexcept {
    return !recent_.empty() && recent_.contains(uid) ? mail::flags::recent : 0;
  }
  void leave_mailbox() noexcept;
  // Ends the command: what changed, then the tagged answer.
  base::task<void> finish(wire::condition how, std::string_view code, std::string_view text, bool may_expunge, bool by_uid);
  // What a set means; nothing when it was refused (BAD) and the command is answered.
  std::optional<selection> select_messages(const wire::number_set& set, bool by_uid);
  // The message as it is now; null: it is gone from the mailbox.
  const store::message_entry* current(const store::message_entry& announced) const noexcept;

  // FETCH (session_fetch.cpp).
  base::task<void> run(const wire::fetch_command& command);
  static void narrow(selection& what, const wire::result_range& to);
  base::task<bool> fetch_from_index(const wire::fetch_command& command, const fetch_plan& plan, const selection& what);
  base::task<bool> fetch_summaries(const wire::fetch_command& command, fetch_plan& plan, const selection& what,
                                   bool& incomplete);
  base::task<bool> fetch_batches(const wire::fetch_command& command, fetch_plan& plan, const selection& what,
                                 bool& incomplete);
  fetch_subject subject_at(std::uint32_t index) const;
  void write_fetched(fetch_plan& plan, fetch_subject& subject);
  base::task<void> set_seen(std::vector<fetch_subject>& batch);
  base::task<void> load_summaries(std::vector<fetch_subject>& batch, fetch_memory& memory);
  base::task<void> load_octets(std::vector<fetch_subject>& batch, fetch_memory& memory);
  // As much of each message as `is_enough` asks for, `least` octets at first.
  base::task<void> load_beginnings(std::vector<fetch_subject>& batch, fetch_memory& memory, std::uint64_t least,
                                   std::function<bool(std::string_view)> is_enough);
  base::task<bool> write_rows(fetch_plan& plan, std::vector<fetch_subject>& batch, bool& incomplete);

  // Changes (session_store.cpp, session_append.cpp).
  base::task<void> run(const wire::store_command& command);
  base::task<bool> write_stored(const wire::store_command& command, const selection& what,
                                std::span<const std::uint32_t> changed);
  void tell_new_keywords();
  void remember_silent(const wire::store_command& command, const selection& what, std::span<const std::uint32_t> changed);
  void remember_told(const mail::uid_set& uids);
  base::task<void> run(const wire::copy_command& command);
  base::task<void> run(const wire::move_command& command);
  base::task<void> transfer(const wire::number_set& messages, bool by_uid, std::string name, bool move);
  base::task<void> run(const wire::expunge_command& command);
  // Teaching (session_reports.cpp).
  bool has_listener() const noexcept { return static_cast<bool>(options().reported); }
  void report_flags(const wire::store_command& command, std::span<const std::uint32_t> changed,
                    const store::mailbox_snapshot& before);
  void report_transfer(std::span<const std::uint32_t> uids, mail::special_use from, mail::special_use to);
  base::task<void> report_append(std::string mailbox, mail::uid_set uids);
  base::task<void> report_replaced(std::string mailbox, std::uint32_t replaced, mail::uid_set uids);
  void report(const store::mailbox_snapshot& in, std::span<const std::uint32_t> uids, bool junk);

  base::task<void> append_begin(const wire::append_begin& question);
  bool prepare_replace(const wire::append_piece& piece);
  store::local_target target_of(const wire::append_piece& piece) const;
  bool take_message_data(std::string_view octets);
  base::task<void> append_url(const wire::append_url& question);
  base::task<std::optional<std::string_view>> octets_of_url(const std::string& url, store::message_octets& octets,
                                                            std::string& scratch);
  base::task<void> store_replaced(append_state& received, const store::message_source& message);
  base::task<void> append_end();
  base::task<base::result<place>> locate_target(std::string name);

  // SEARCH (session_search.cpp).
  base::task<void> run(const wire::search_command& command);
  // What SEARCH, SORT and THREAD begin with: what changed is told, then the indices that the program means are found.
  // False: the session is over.
  struct search_result {
    std::vector<std::uint32_t> hits;
    std::vector<std::uint8_t> scores;  // of each hit where the program is fuzzy; else empty
    bool with_modseq = false;
    std::uint8_t score_of(std::uint32_t hit) const noexcept;  // 0 where there are no scores
    std::uint32_t lowest = 0;  // UID below which nothing was looked at, for the limit's sake; 0: all was
  };
  // `all_or_none`: past the limit the command is refused and answered, and false comes back as well.
  base::task<bool> begin_search(const wire::search_program& program, bool all_or_none, search_result& found);
  base::task<bool> search_here(const wire::search_program& program, bool all_or_none, search_result& found);
  bool refuse_charset(const wire::search_command& command);
  search_plan plan_search(const wire::search_program& program) const;
  index_ranges meant(const wire::number_set& set, bool by_uid) const;
  base::task<bool> tell_progress(std::size_t done, std::size_t of);
  // Judges by a full-text index what is open, where that is quicker than to look at the messages.
  base::task<void> ask_index(search_plan& plan, std::vector<std::uint32_t>& open, std::vector<std::uint32_t>& hits);
  // Judges by kept texts of header fields what is open, where it is much; reads, and keeps, those that are missing.
  base::task<void> ask_texts(search_plan& plan, std::vector<std::uint32_t>& open, std::vector<std::uint32_t>& hits);
  base::task<std::shared_ptr<shared_texts>> fill_texts(std::span<const mail::envelope_field> fields,
                                                       std::span<const std::uint32_t> open,
                                                       std::span<const std::uint32_t> uids);
  base::task<void> find_messages(search_plan& plan, std::span<const wire::index_range> among,
                                 std::vector<std::uint32_t>& hits);
  base::task<void> judge_batch(search_plan& plan, std::vector<fetch_subject>& batch, fetch_memory& memory,
                               std::vector<std::uint32_t>& hits);
  base::task<void> judge_loaded(search_plan& plan, search_stage known, std::vector<fetch_subject>& batch,
                                std::vector<std::uint32_t>& hits);
  // `mailbox`: its name, where the answer has to tell it (RFC 7377 §2.1).
  void write_search_result(const wire::search_command& command, const search_result& found, std::string_view mailbox = {});
  // The scores of those hits that the answer names by ALL or PARTIAL, else of all.
  static std::span<const std::uint8_t> told_scores(const wire::search_command& command, std::span<const std::uint8_t> scores) noexcept;
  // Positions of a PARTIAL range in a result of `count`: from the first to before the second.
  static std::pair<std::size_t, std::size_t> span_of(const wire::result_range& range, std::size_t count) noexcept;
  static std::vector<std::uint32_t> named_hits(const wire::search_command& command, std::span<const std::uint32_t> hits);
  std::optional<std::uint64_t> modseq_of(std::span<const std::uint32_t> hits) const;
  void save_result(const wire::search_command& command, std::span<const std::uint32_t> hits);

  // SORT and THREAD (session_sort.cpp).
  // `summary`: octets, for mail::view_summary(); empty where the message cannot be read.
  using summary_function =
      std::function<void(std::uint32_t index, const store::message_entry& entry, std::string_view summary)>;
  using subject_function =
      std::function<void(std::uint32_t index, const store::message_entry& entry, std::int64_t sent, std::string_view base_subject)>;
  base::task<void> run(const wire::sort_command& command);
  base::task<void> run(const wire::thread_command& command);
  base::task<bool> for_each_summary(std::span<const std::uint32_t> hits, summary_function f);
  base::task<bool> for_each_subject(std::span<const std::uint32_t> hits, subject_function f);
  base::task<void> visit_some(std::span<const std::uint32_t> hits, std::size_t& next, slices& turn,
                              const summary_function& f);
  // The messages of `found` in the order that the keys say, as indices.
  base::task<bool> sort_hits(std::span<const wire::sort_key> keys, const search_result& found, std::vector<std::uint32_t>& order);
  // Adds those of `missing` of which there are digests; leaves the others.
  base::task<void> read_digests(std::vector<std::uint32_t>& missing, sort_table& into);
  // A table that knows these messages, as far as they can be read. False: the connection is gone.
  base::task<bool> fill_table(std::span<const std::uint32_t> hits, std::span<const std::uint32_t> uids,
                              sort_fields fields, std::shared_ptr<shared_sort_table>& table);
  void write_sort_result(const wire::search_command& search, std::vector<std::uint32_t> order, const search_result& found);

  // ESEARCH (session_multisearch.cpp).
  class visit;
  base::task<void> run(const wire::multisearch_command& command);
  std::string_view why_not(const wire::multisearch_command& command) const noexcept;
  base::task<void> renew_selected_name();
  base::task<bool> search_selected(const wire::search_command& command, bool& limited_search);
  base::task<void> search_in(const wire::search_command& command, const store::account_id& account,
                             const store::mailbox_info& info, bool& limited_search);

  // Results that are kept up to date (session_contexts.cpp).
  base::task<void> run(const wire::cancel_update_command& command);
  search_context* context_of(std::string_view tag) const noexcept;
  void open_context(const wire::search_command& command, std::span<const std::uint32_t> hits);
  mail::uid_set context_numbers(const search_context& context, const mail::uid_set& uids) const;
  void tell_vanished_results(const mail::uid_set& vanished);
  base::task<void> tell_changed_results(const index_ranges& touched, std::uint32_t first_new);

  // NOTIFY (session_notify.cpp).
  using known_names = std::map<std::string, notifications::named, std::less<>>;
  base::task<void> run(const wire::notify_command& command);
  base::task<base::status> begin_notifying(bool tell_status);
  void listen_to(const store::account_id& account);
  known_names names_to_tell(const names& all) const;
  // errc::limit_exceeded: there are too many.
  base::task<base::status> watch_mailboxes(const names& all, bool tell_status);
  base::task<base::status> know_mailbox(notifications::place where, notifications::watched& one);
  base::task<void> write_first_status(const notifications::place& where, const notifications::watched& one);
  void write_no_access(const store::mailbox_info& info);
  void wake();
  bool has_news(bool idling) const noexcept;
  base::task<void> tell_news(bool idling);
  base::task<void> tell_mailbox(notifications::place where);
  base::task<bool> tell_names();
  void tell_changed_names(const names& all, const known_names& before, const known_names& now);
  void write_names(const names& all, const std::map<std::string_view, std::string_view>& told, const known_names& before);
  base::task<void> tell_new_messages(std::uint32_t first);
  base::task<void> write_attributes(std::span<const wire::fetch_item> items, wire::fetch_kinds kinds, selection what);
  // What this session did is not told to it (RFC 5465 §5).
  void did_to_name(std::string_view name);
  base::task<void> did_append(store::account_id account, store::mailbox_id mailbox, mail::uid_set uids);
  base::task<void> did_note(const place& where);

  // What a client missed (session_resync.cpp).
  base::task<base::result<mail::uid_set>> vanished_since(std::uint64_t modseq, mail::uid_set asked, std::uint32_t known_below);
  base::task<bool> write_resync(const wire::qresync_parameters& known);
  base::task<void> write_vanished(const wire::fetch_command& command);

  // MESSAGELIMIT (session_limits.cpp).
  // Leaves those with the highest UIDs, as many as a command deals with; answers the lowest of them, 0: all are left.
  std::uint32_t keep_highest(selection& what) const;
  std::uint32_t keep_highest_deleted(mail::uid_set& uids) const;
  static void turn_round(selection& what);
  std::string limited(std::string code, std::uint32_t lowest);
  std::uint32_t most_saved() const noexcept;  // by one COPY or APPEND; 0: any number
  index_ranges searched(const wire::search_program& program, std::size_t parent = 0) const;

  // QUOTA (session_quota.cpp).
  base::task<void> run(const wire::get_quota_command& command);
  base::task<void> run(const wire::get_quota_root_command& command);
  base::task<void> run(const wire::set_quota_command& command);
  base::task<base::status> write_quota(std::string_view root, store::account_id account);

  // METADATA (session_metadata.cpp).
  base::task<void> run(const wire::get_metadata_command& command);
  base::task<void> run(const wire::set_metadata_command& command);
  // Answers the size of the largest value that was left out for its size; 0: none was.
  base::task<base::result<std::uint64_t>> write_metadata(std::string name, store::account_id account,
                                                         store::mailbox_id mailbox, wire::get_metadata_command wanted);
  base::task<base::result<place>> noted_mailbox(std::string name);

  base::task<void> run(const wire::unauthenticate_command& command);
  void run_id();
  void write_namespaces();
  void complete(const refusal& why);
  bool is_selected() const noexcept { return selected_ != 0; }
  const imap_options& options() const noexcept { return service_.options; }
  store::mailbox_store& mail() const noexcept { return *service_.options.mail; }

  // Octets of answers collected before they are sent: of one command few at first, so that an answer needs no more memory
  // than it has octets, then more. A third more is room for the row that reaches them.
  static constexpr std::size_t first_batch_octets = 3u << 10, batch_octets = 96u << 10;

  imap_service::impl& service_;
  thread_state& thread_;
  base::executor& where_;
  net::stream stream_;
  wire::server_session machine_;
  pool<input_buffer>::lease input_;  // only while there is input
  pool<input_buffer>::lease plain_;  // what it decompressed to
  std::unique_ptr<deflate_layer> deflate_;
  std::string id_;
  std::size_t send_at_ = first_batch_octets;
  store::account_id account_;
  std::string login_name_;
  std::unique_ptr<login_state> login_;
  std::unique_ptr<append_state> append_;
  // The user's own mailbox that the last APPEND found, by the name it was given. Believed until the store refuses one, which
  // looks for itself: who appends many messages is not made to wait for the same answer.
  struct {
    std::string name;
    place where;
  } appends_to_;

  store::mailbox_id selected_ = 0;
  mail::special_use selected_use_ = mail::special_use::none;
  store::account_id owner_;          // of the selected mailbox
  std::string selected_name_;        // as it was selected, or by renew_selected_name()
  mail::right_set rights_ = mail::rights::all;  // what the user may do there
  store::snapshot_ptr announced_, latest_;
  std::shared_ptr<store::pending_snapshot> opening_;  // brings both: no command before
  // Messages whose flags the client knows up to this modseq, though announced_ is older.
  mail::uid_set told_;
  std::vector<std::string> keywords_told_;  // those of latest_, where they were told before the rest of its changes
  std::uint64_t told_modseq_ = 0;
  mail::uid_set recent_;             // \Recent in this session (RFC 3501 §2.3.2)
  mail::uid_set saved_;              // "$" (RFC 5182)

  std::vector<std::unique_ptr<search_context>> contexts_;
  std::unique_ptr<notifications> notify_;  // after NOTIFY SET
  base::steady_time progress_told_{};

  std::uint64_t octets_sent_ = 0, sent_before_command_ = 0;
  std::uint32_t commands_ = 0, fetched_ = 0, appended_ = 0;
  bool modseq_told_ = false;         // HIGHESTMODSEQ, since CONDSTORE was enabled
  bool modseqs_shown_ = false;       // the command under way told those of messages, as latest_ has them
  bool news_ = false;                // the selected mailbox may have changed
  std::chrono::milliseconds quiet_for_{};  // in IDLE: with no other word to the client than that the server is there
  bool waiting_ = false;             // for the client or for news, in IDLE or after NOTIFY
  bool own_change_ = false;          // the command under way changed the selected mailbox itself
  bool likely_more_ = false;         // the last read filled its buffer
  bool lost_ = false;                // the connection is gone
};

}  // namespace briefwerk::server::imap
