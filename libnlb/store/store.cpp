#include "libnlb/store/store.hpp"

#include <set>

namespace nlb::store {

namespace {

tl::unexpected<Error> too_much(const std::string& what, std::size_t is, std::size_t limit) {
  return fail(ErrorKind::bad_input, "transaction: " + what + " " + std::to_string(is) + " is above " + std::to_string(limit) + ": split it");
}

Result<> check_key(const std::string& key) {
  if (key.empty()) return fail(ErrorKind::bad_input, "transaction: an empty key: name one");
  if (key.size() > key_bytes_max) return too_much("key '" + key.substr(0, 40) + "...': length", key.size(), key_bytes_max);
  return {};
}

Result<> check_operation(const Operation& operation, std::set<std::string>& seen) {
  if (!seen.insert(operation.key).second)
    return fail(ErrorKind::bad_input, "transaction: key '" + operation.key + "' twice: a transaction changes a key at most once");
  return check_key(operation.key);
}

std::size_t bytes_of(const Transaction& transaction) {
  std::size_t bytes = 0;
  for (const auto& condition : transaction.when) bytes += condition.key.size();
  for (const auto& operation : transaction.then) bytes += operation.key.size() + operation.value.size();
  for (const auto& record : transaction.journal) bytes += record.command.size() + record.kind.size() + record.body.size();
  return bytes;
}

}  // namespace

Result<> check(const Transaction& transaction) {
  const auto operations = transaction.when.size() + transaction.then.size() + transaction.journal.size();
  if (operations > operations_max) return too_much("number of operations", operations, operations_max);
  if (const auto bytes = bytes_of(transaction); bytes > transaction_bytes_max) return too_much("number of bytes", bytes, transaction_bytes_max);
  for (const auto& condition : transaction.when)
    if (auto good = check_key(condition.key); !good) return good;
  std::set<std::string> seen;
  for (const auto& operation : transaction.then)
    if (auto good = check_operation(operation, seen); !good) return good;
  return {};
}

Error conflict_of(const Condition& condition, Revision is) {
  const auto what = condition.of == Condition::Of::created ? "created" : "modified";
  return {ErrorKind::conflict, "key '" + condition.key + "' was " + what + " at revision " + std::to_string(is) + ", not " +
                                   std::to_string(condition.revision) + ": somebody else was first: read it again"};
}

Result<Revision> Store::put(std::string key, std::string value, LeaseId lease) {
  return commit({{}, {put_of(std::move(key), std::move(value), lease)}, {}}).map([](const Committed& done) { return done.revision; });
}

Result<Revision> Store::remove(std::string key) {
  return commit({{}, {remove_of(std::move(key))}, {}}).map([](const Committed& done) { return done.revision; });
}

}  // namespace nlb::store
