#include "libnlb/store/etcd.hpp"

#include <array>
#include <charconv>
#include <cstdio>

#include "etcd/journal.pb.h"
#include "libnlb/store/clock.hpp"
#include "libnlb/store/etcd_client.hpp"
#include "libnlb/store/etcd_watch.hpp"

namespace nlb::store {

namespace {

using namespace etcdserverpb;
using Repeat = EtcdClient::Repeat;

constexpr std::int64_t page_keys = 1000;
constexpr int journal_tries = 8;              // against other writers of the same journal

std::string digits(std::uint64_t seq) {
  std::array<char, 24> text{};
  return {text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%020llu", static_cast<unsigned long long>(seq)))};
}
std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string encode(const JournalRecord& record) {
  wire::JournalRecord out;
  out.set_at_mono_ns(record.at_mono.time_since_epoch().count());
  out.set_at_wall_ns(record.at_wall.time_since_epoch().count());
  out.set_command(record.command);
  out.set_kind(record.kind);
  out.set_body(record.body);
  return out.SerializeAsString();
}
Result<JournalRecord> decode(std::uint64_t seq, const std::string& bytes) {
  wire::JournalRecord in;
  if (!in.ParseFromString(bytes)) return fail(ErrorKind::bad_input, "etcd: journal record " + std::to_string(seq) + ": it is damaged: trim the journal");
  return JournalRecord{seq, MonoTime(Duration(in.at_mono_ns())), WallTime(Duration(in.at_wall_ns())), in.command(), in.kind(), in.body()};
}

Revision of(const Condition& condition, const RangeResponse& now) {
  if (now.kvs().empty()) return 0;
  return condition.of == Condition::Of::created ? now.kvs(0).create_revision() : now.kvs(0).mod_revision();
}

void add_compare(TxnRequest& request, const Condition& condition, const std::string& key) {
  auto& compare = *request.add_compare();
  compare.set_key(key);
  compare.set_result(Compare::EQUAL);
  if (condition.of == Condition::Of::created) {
    compare.set_target(Compare::CREATE);
    compare.set_create_revision(condition.revision);
  } else {
    compare.set_target(Compare::MOD);
    compare.set_mod_revision(condition.revision);
  }
}

void add_put(TxnRequest& request, const std::string& key, const std::string& value, LeaseId lease = 0) {
  auto& put = *request.add_success()->mutable_request_put();
  put.set_key(key);
  put.set_value(value);
  put.set_lease(lease);
}

void add_read_on_failure(TxnRequest& request, const std::string& key, bool keys_only) {
  auto& range = *request.add_failure()->mutable_request_range();
  range.set_key(key);
  range.set_keys_only(keys_only);
}

class EtcdStore final : public Store {
 public:
  EtcdStore(std::unique_ptr<EtcdClient> client, const std::string& prefix)
      : client_(std::move(client)), base_(prefix + "/"), journal_(prefix + ".journal") {}

  Result<std::optional<Entry>> get(const std::string& key) override;
  Result<Entries> range(const std::string& prefix) override;
  Result<Committed> commit(const Transaction& transaction) override;
  Result<Lease> grant(Duration ttl, AfterRestart after) override;
  Result<Lease> keep_alive(LeaseId lease) override;
  Result<> revoke(LeaseId lease) override;
  Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from) override;
  Result<> compact(Revision before) override;
  Result<std::vector<JournalRecord>> journal(std::uint64_t from_seq, std::size_t count_max) override;
  Result<> trim_journal(std::uint64_t before_seq) override;

 private:
  struct Head {                    // of the journal
    Revision modified = 0;
    std::uint64_t last = 0;
  };
  Entry entry_of(const mvccpb::KeyValue& kv) const;
  Result<RangeResponse> read(const RangeRequest& request);
  TxnRequest request_of(const Transaction& transaction, const Head& head) const;
  Result<TxnResponse> send(const TxnRequest& request);
  // Why it failed: the condition that doesn't hold, or nothing: then the journal's head has moved, and is the new one.
  std::optional<Error> reason(const Transaction& transaction, const TxnResponse& response);
  Head head();
  void set_head(Head head);

  std::unique_ptr<EtcdClient> client_;
  const std::string base_, journal_;
  std::mutex mutex_;
  Head head_;                      // as we know it; guarded by mutex_
};

Entry EtcdStore::entry_of(const mvccpb::KeyValue& kv) const {
  return {kv.key().substr(base_.size()), kv.value(), kv.create_revision(), kv.mod_revision(), kv.lease()};
}

EtcdStore::Head EtcdStore::head() {
  const std::lock_guard lock(mutex_);
  return head_;
}
void EtcdStore::set_head(Head head) {
  const std::lock_guard lock(mutex_);
  if (head.modified > head_.modified) head_ = head;
}

Result<RangeResponse> EtcdStore::read(const RangeRequest& request) {
  RangeResponse response;
  return client_->ask("read", Repeat::yes, [&](auto& at, auto& context) { return at.kv->Range(&context, request, &response); })
      .map([&] { return std::move(response); });
}

Result<std::optional<Entry>> EtcdStore::get(const std::string& key) {
  RangeRequest request;
  request.set_key(base_ + key);
  return read(request).map([&](const RangeResponse& found) {
    return found.kvs().empty() ? std::nullopt : std::optional(entry_of(found.kvs(0)));
  });
}

Result<Entries> EtcdStore::range(const std::string& prefix) {
  RangeRequest request;
  request.set_key(base_ + prefix);
  request.set_range_end(prefix_end(base_ + prefix));
  request.set_limit(page_keys);
  Entries found;
  for (;;) {
    const auto page = read(request);
    if (!page) return tl::unexpected(page.error());
    for (const auto& kv : page->kvs()) found.entries.push_back(entry_of(kv));
    if (found.revision == 0) found.revision = page->header().revision();
    if (!page->more()) return found;
    request.set_key(page->kvs().rbegin()->key() + '\0');
    request.set_revision(found.revision);      // the later pages show the same state
  }
}

TxnRequest EtcdStore::request_of(const Transaction& transaction, const Head& head) const {
  TxnRequest request;
  for (const auto& condition : transaction.when) {
    add_compare(request, condition, base_ + condition.key);
    add_read_on_failure(request, base_ + condition.key, true);
  }
  for (const auto& operation : transaction.then) {
    if (operation.kind == Operation::Kind::put)
      add_put(request, base_ + operation.key, operation.value, operation.lease);
    else
      request.add_success()->mutable_request_delete_range()->set_key(base_ + operation.key);
  }
  if (transaction.journal.empty()) return request;
  add_compare(request, modified_at(journal_, head.modified), journal_);
  add_read_on_failure(request, journal_, false);
  auto seq = head.last;
  for (const auto& record : transaction.journal) add_put(request, journal_ + "/" + digits(++seq), encode(record));
  add_put(request, journal_, std::to_string(seq));
  return request;
}

Result<TxnResponse> EtcdStore::send(const TxnRequest& request) {
  TxnResponse response;
  return client_->ask("write", Repeat::if_not_done, [&](auto& at, auto& context) { return at.kv->Txn(&context, request, &response); })
      .map([&] { return std::move(response); });
}

std::optional<Error> EtcdStore::reason(const Transaction& transaction, const TxnResponse& response) {
  int at = 0;
  for (const auto& condition : transaction.when)
    if (const auto is = of(condition, response.responses(at++).response_range()); is != condition.revision) return conflict_of(condition, is);
  if (transaction.journal.empty()) return Error{ErrorKind::internal, "etcd: write: refused, but every condition holds: report this"};
  const auto& found = response.responses(at).response_range();
  if (!found.kvs().empty()) set_head({found.kvs(0).mod_revision(), number(found.kvs(0).value())});
  return std::nullopt;
}

Result<Committed> EtcdStore::commit(const Transaction& transaction) {
  if (auto good = check(transaction); !good) return tl::unexpected(good.error());
  for (int tries = 0; tries < journal_tries; ++tries) {
    const auto before = head();
    const auto response = send(request_of(transaction, before));
    if (!response) return tl::unexpected(response.error());
    const auto revision = response->header().revision();
    if (response->succeeded() && transaction.journal.empty()) return Committed{revision, 0};
    if (response->succeeded()) {
      const auto last = before.last + transaction.journal.size();
      set_head({revision, last});
      return Committed{revision, last};
    }
    if (auto why = reason(transaction, *response)) return tl::unexpected(*why);
  }
  return fail(ErrorKind::conflict, "etcd: write: others append to the same journal all the time: try again");
}

Result<Lease> EtcdStore::grant(Duration ttl, AfterRestart) {
  if (ttl <= Duration::zero()) return fail(ErrorKind::bad_input, "lease: a time to live of " + format_duration(ttl) + ": it must be above 0");
  LeaseGrantRequest request;
  request.set_ttl(std::chrono::ceil<std::chrono::seconds>(ttl).count());
  LeaseGrantResponse response;
  return client_->ask("grant a lease", Repeat::yes, [&](auto& at, auto& context) { return at.lease->LeaseGrant(&context, request, &response); })
      .map([&] { return Lease{response.id(), std::chrono::seconds(response.ttl())}; });
}

Result<Lease> EtcdStore::keep_alive(LeaseId lease) {
  LeaseKeepAliveRequest request;
  request.set_id(lease);
  LeaseKeepAliveResponse response;
  const auto asked = client_->ask("keep a lease alive", Repeat::yes, [&](auto& at, auto& context) {
    const auto stream = at.lease->LeaseKeepAlive(&context);
    const bool answered = stream->Write(request) && stream->Read(&response);
    stream->WritesDone();
    const auto status = stream->Finish();
    return answered ? grpc::Status::OK : status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "no answer") : status;
  });
  if (!asked) return tl::unexpected(asked.error());
  if (response.ttl() <= 0) return fail(ErrorKind::not_found, "keep alive: the lease has ended: ask for a new one");
  return Lease{lease, std::chrono::seconds(response.ttl())};
}

Result<> EtcdStore::revoke(LeaseId lease) {
  LeaseRevokeRequest request;
  request.set_id(lease);
  LeaseRevokeResponse response;
  return client_->ask("revoke a lease", Repeat::yes, [&](auto& at, auto& context) { return at.lease->LeaseRevoke(&context, request, &response); });
}

Result<std::unique_ptr<Watch>> EtcdStore::watch(const std::string& prefix, Revision from) {
  if (from <= 0) {
    RangeRequest request;
    request.set_key(base_);
    request.set_count_only(true);
    const auto now = read(request);
    if (!now) return tl::unexpected(now.error());
    from = now->header().revision() + 1;
  }
  return std::make_unique<EtcdWatch>(*client_, base_ + prefix, base_.size(), from);
}

Result<> EtcdStore::compact(Revision before) {
  CompactionRequest request;
  request.set_revision(before);
  CompactionResponse response;
  auto asked = client_->ask("compact", Repeat::yes, [&](auto& at, auto& context) {
    auto status = at.kv->Compact(&context, request, &response);
    const bool was = status.error_message().find("has been compacted") != std::string::npos;   // by somebody else already
    return was ? grpc::Status::OK : status;
  });
  return asked;
}

Result<std::vector<JournalRecord>> EtcdStore::journal(std::uint64_t from_seq, std::size_t count_max) {
  RangeRequest request;
  request.set_key(journal_ + "/" + digits(from_seq));
  request.set_range_end(prefix_end(journal_ + "/"));
  std::vector<JournalRecord> records;
  while (records.size() < count_max) {
    request.set_limit(std::min<std::int64_t>(page_keys, static_cast<std::int64_t>(std::min<std::size_t>(count_max - records.size(), page_keys))));
    const auto page = read(request);
    if (!page) return tl::unexpected(page.error());
    for (const auto& kv : page->kvs()) {
      auto record = decode(number(kv.key().substr(kv.key().size() - 20)), kv.value());
      if (!record) return tl::unexpected(record.error());
      records.push_back(std::move(*record));
    }
    if (!page->more()) break;
    request.set_key(page->kvs().rbegin()->key() + '\0');
  }
  return records;
}

Result<> EtcdStore::trim_journal(std::uint64_t before_seq) {
  DeleteRangeRequest request;
  request.set_key(journal_ + "/");
  request.set_range_end(journal_ + "/" + digits(before_seq));
  DeleteRangeResponse response;
  return client_->ask("trim the journal", Repeat::yes, [&](auto& at, auto& context) { return at.kv->DeleteRange(&context, request, &response); });
}

std::string trimmed(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '/') prefix.pop_back();
  return prefix;
}

}  // namespace

Result<std::unique_ptr<Store>> open_etcd_store(const EtcdOptions& options) {
  auto client = EtcdClient::make(options);
  if (!client) return tl::unexpected(client.error());
  return std::make_unique<EtcdStore>(std::move(*client), trimmed(options.prefix));
}

}  // namespace nlb::store
