#include "apps/admin/commands.hpp"
#include "briefwerk/base/encoding.hpp"

namespace briefwerk::apps::commands {
namespace {

filter::session_facts session_of(const json& request) {
  filter::session_facts session;
  session.session_id = "trial";
  const std::string from = text_or(request, "address", "127.0.0.1");
  const auto address = base::ip_address::parse(from);
  if (!address) throw refusal(from + " is not an address");
  session.remote.address = *address;
  session.hello = text_or(request, "hello", "");
  session.extended = true;
  session.tls_version = "TLSv1.3";
  session.login = text_or(request, "login", "");
  session.account = session.login;
  session.where = session.login.empty() ? filter::scope::inbound : filter::scope::submission;
  return session;
}

mail::smtp_envelope envelope_of(const json& request) {
  mail::smtp_envelope envelope;
  const std::string sender = text_or(request, "sender", "");
  if (!sender.empty()) envelope.sender = address(sender);
  if (const auto to = request.find("recipients"); to != request.end()) {
    for (const auto& one : *to) envelope.recipients.push_back({.address = address(one.get<std::string>())});
  }
  return envelope;
}

std::string in_words(const mail::message_edit& edit) {
  using mail::edit_kind;
  switch (edit.what) {
    case edit_kind::add_header: return "add " + edit.name + ":" + edit.value;
    case edit_kind::insert_header: return "insert at " + std::to_string(edit.index) + " " + edit.name + ":" + edit.value;
    case edit_kind::change_header:
      return (edit.value.empty() ? "remove " : "change ") + std::to_string(edit.index) + " " + edit.name + ":" + edit.value;
    case edit_kind::replace_body: return "new body of " + std::to_string(edit.value.size()) + " octets";
    case edit_kind::change_sender: return "sender <" + edit.name + "> " + edit.value;
    case edit_kind::add_recipient: return "add recipient <" + edit.name + "> " + edit.value;
    case edit_kind::remove_recipient: return "remove recipient <" + edit.name + ">";
    case edit_kind::renumber: break;
  }
  return {};
}

json describe(const filter::verdict& v) {
  json fields = json::array(), edits = json::array();
  for (const auto& one : v.add_fields) fields.push_back(one.name + ": " + one.value);
  for (const auto& one : v.edits) {
    if (one.what != mail::edit_kind::renumber) edits.push_back(in_words(one));
  }
  return {{"action", filter::to_string(v.what)}, {"score", v.score},           {"reason", v.reason},
          {"text", v.text},                      {"fields", std::move(fields)}, {"edits", std::move(edits)}};
}

}  // namespace

base::task<json> filter_test(const context& with, const json& request) {
  if (!with.chain) throw refusal("no filter is at hand");
  const auto octets = base::base64_decode(text(request, "octets"));
  if (!octets) throw refusal("octets: not base64");
  filter::session_facts session = session_of(request);
  const mail::smtp_envelope envelope = envelope_of(request);
  const auto said = co_await with.chain->explain(session, envelope, {*octets});
  json stages = json::array();
  for (const auto& one : said.stages) {
    json row = {{"hook", filter::to_string(one.at)}, {"stage", one.stage}};
    row.update(describe(one.verdict));
    row["dry_run"] = one.dry_run;
    row["failed"] = one.failed;
    row["timed_out"] = one.timed_out;
    row["took_us"] = std::chrono::ceil<std::chrono::microseconds>(one.took).count();
    stages.push_back(std::move(row));
  }
  co_return json{{"stages", std::move(stages)}, {"verdict", describe(said.sum)}};
}

}  // namespace briefwerk::apps::commands
