#include "libnlb/store/sqlite.hpp"

#include <filesystem>

#include "libnlb/daemon/folder.hpp"
#include "libnlb/store/digest.hpp"
#include "libnlb/store/embedded.hpp"
#include "libnlb/store/file_lock.hpp"
#include "libnlb/store/sqlite_file.hpp"
#include "libnlb/store/sqlite_statement.hpp"

namespace nlb::store {

namespace {

constexpr std::int64_t application_id = 0x6e6c6273;   // "nlbs"
constexpr std::int64_t schema_version = 1;

constexpr const char* schema = R"(
BEGIN IMMEDIATE;
CREATE TABLE meta(one INTEGER PRIMARY KEY, revision INTEGER NOT NULL, lease_last INTEGER NOT NULL, journal_last INTEGER NOT NULL, digest INTEGER NOT NULL);
CREATE TABLE fact(key BLOB PRIMARY KEY, value BLOB NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, lease INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lease(id INTEGER PRIMARY KEY, ttl_ns INTEGER NOT NULL, after_restart INTEGER NOT NULL);
CREATE TABLE journal(seq INTEGER PRIMARY KEY, at_mono INTEGER NOT NULL, at_wall INTEGER NOT NULL, command BLOB NOT NULL, kind BLOB NOT NULL, body BLOB NOT NULL);
PRAGMA application_id = 1852596851;
PRAGMA user_version = 1;
COMMIT;)";
static_assert(application_id == 1852596851 && schema_version == 1, "the schema's text has the same numbers");

tl::unexpected<Error> error_of(const std::string& what, const SqlError& error) {
  switch (error.code & 0xff) {
    case SQLITE_FULL: return fail(ErrorKind::unavailable, what + ": the disk is full: nothing was changed: make room");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return fail(ErrorKind::bad_input, what + ": the file is damaged (" + error.text + "): put a copy from a backup in its place, or move it away to start empty");
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return fail(ErrorKind::unavailable, what + ": another program has the file locked: close it");
    default: return fail(ErrorKind::unavailable, what + ": " + error.text + ": check the disk and the file's rights");
  }
}

bool sync_failed(const SqlError& error) {
  return error.code == SQLITE_IOERR_FSYNC || error.code == SQLITE_IOERR_DIR_FSYNC;
}

Database open_file(const std::string& path) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) throw SqlError{code, opened != nullptr ? sqlite3_errmsg(opened) : "no memory"};
  sqlite3_db_config(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);   // until we know that the file is good
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_busy_timeout(opened, 5000);
  run(opened, "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF;");
  return database;
}

std::int64_t pragma(sqlite3* database, const char* sql) {
  Statement statement(database, sql);
  return statement.step() ? statement.integer(0) : 0;
}

void make_file(const std::string& path) {
  for (const char* end : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(path + end);
  const auto database = open_file(path);
  run(database.get(), "PRAGMA synchronous=FULL;");   // no log yet: all of it is in the one file that is renamed
  run(database.get(), schema);
  Statement(database.get(), "INSERT INTO meta VALUES(1, 1, 0, 0, ?)").with(digest_of(Counters())).step();
}

void check_identity(sqlite3* database) {
  if (pragma(database, "PRAGMA application_id") != application_id) throw SqlError{SQLITE_NOTADB, "it is not a store of nlb"};
  if (const auto version = pragma(database, "PRAGMA user_version"); version != schema_version)
    throw SqlError{SQLITE_NOTADB, "its version is " + std::to_string(version) + ", this program knows " + std::to_string(schema_version)};
  Statement check(database, "PRAGMA quick_check(1)");
  if (check.step(); check.bytes(0) != "ok") throw SqlError{SQLITE_CORRUPT, check.bytes(0)};
}

Entry entry_of(Statement& row) { return {row.bytes(0), row.bytes(1), row.integer(2), row.integer(3), row.integer(4)}; }
JournalRecord record_of(Statement& row) {
  return {static_cast<std::uint64_t>(row.integer(0)), MonoTime(Duration(row.integer(1))), WallTime(Duration(row.integer(2))),
          row.bytes(3), row.bytes(4), row.bytes(5)};
}

class SqliteLedger final : public Ledger {
 public:
  SqliteLedger(FileLock lock, Database database, std::string path)
      : lock_(std::move(lock)), database_(std::move(database)), path_(std::move(path)) {}

  // Reads everything and compares the digest; `model` and `counters_` are the file's state then.
  void load(Model& model, MonoTime now);
  LeaseId lease_last() const { return counters_.lease_last; }
  // Leases that do not outlive their process end here; the rest got a full ttl.
  Result<> end_process_leases(Model& model);

  Result<std::uint64_t> write(const LedgerWrite& change) override;
  Result<std::vector<JournalRecord>> journal(std::uint64_t from_seq, std::size_t count_max) override;
  Result<> trim_journal(std::uint64_t before_seq) override;

 private:
  template <class Step> Result<> transact(const char* what, Step step);
  void apply(const LedgerWrite& change);
  void forget(const std::string& key);
  void append(JournalRecord record);
  void load_leases(Model& model, MonoTime now);

  FileLock lock_;               // outlives the database
  Database database_;
  std::string path_;
  Counters counters_;
  std::string broken_;          // why no write is safe any more
  Statement put_{database_.get(), "INSERT INTO fact VALUES(?,?,?,?,?)"};
  Statement forget_{database_.get(), "DELETE FROM fact WHERE key=? RETURNING key,value,created,modified,lease"};
  Statement grant_{database_.get(), "INSERT INTO lease VALUES(?,?,?)"};
  Statement end_{database_.get(), "DELETE FROM lease WHERE id=? RETURNING ttl_ns,after_restart"};
  Statement append_{database_.get(), "INSERT INTO journal VALUES(?,?,?,?,?,?)"};
  Statement count_{database_.get(), "UPDATE meta SET revision=?, lease_last=?, journal_last=?, digest=? WHERE one=1"};
};

LeaseState lease_of(std::int64_t ttl_ns, std::int64_t after, MonoTime now) {
  return {Duration(ttl_ns), after == 0 ? AfterRestart::renewed : AfterRestart::ended, now + Duration(ttl_ns), {}};
}

void SqliteLedger::load_leases(Model& model, MonoTime now) {
  Statement rows(database_.get(), "SELECT id,ttl_ns,after_restart FROM lease");
  while (rows.step()) {
    auto lease = lease_of(rows.integer(1), rows.integer(2), now);
    counters_.rows += hash_of(rows.integer(0), lease);
    model.add(rows.integer(0), std::move(lease));
  }
}

void SqliteLedger::load(Model& model, MonoTime now) {
  load_leases(model, now);
  std::map<std::string, Entry> facts;
  Statement rows(database_.get(), "SELECT key,value,created,modified,lease FROM fact ORDER BY key");
  while (rows.step()) {
    auto entry = entry_of(rows);
    counters_.rows += hash_of(entry);
    facts.emplace_hint(facts.end(), entry.key, entry);
  }
  Statement records(database_.get(), "SELECT seq,at_mono,at_wall,command,kind,body FROM journal");
  while (records.step()) counters_.rows += hash_of(record_of(records));
  Statement meta(database_.get(), "SELECT revision,lease_last,journal_last,digest FROM meta WHERE one=1");
  if (!meta.step()) throw SqlError{SQLITE_CORRUPT, "its counters are missing"};
  counters_ = {meta.integer(0), meta.integer(1), static_cast<std::uint64_t>(meta.integer(2)), counters_.rows};
  if (meta.integer(3) != digest_of(counters_)) throw SqlError{SQLITE_CORRUPT, "its digest doesn't match what it holds"};
  model.restore(std::move(facts), counters_.revision);
}

Result<> SqliteLedger::end_process_leases(Model& model) {
  std::vector<LeaseId> over;
  Statement rows(database_.get(), "SELECT id FROM lease WHERE after_restart=1");
  while (rows.step()) over.push_back(rows.integer(0));
  for (const auto id : over) {
    const auto events = model.plan_end_of(id);
    const auto revision = events.empty() ? model.revision() : model.next_revision();
    if (auto written = write({revision, events, {}, std::nullopt, id}); !written) return tl::unexpected(written.error());
    model.apply(events);
    model.drop(id);
  }
  return {};
}

template <class Step> Result<> SqliteLedger::transact(const char* what, Step step) {
  if (!broken_.empty()) return fail(ErrorKind::unavailable, std::string(what) + " " + path_ + ": " + broken_ + ": start again when the disk is sound");
  const auto before = counters_;
  try {
    run(database_.get(), "BEGIN IMMEDIATE");
    step();
    count_.with(counters_.revision, counters_.lease_last, static_cast<std::int64_t>(counters_.journal_last), digest_of(counters_)).all();
    run(database_.get(), "COMMIT");
    return {};
  } catch (const SqlError& error) {
    counters_ = before;
    if (sync_failed(error)) broken_ = "an earlier sync of the disk failed";
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return error_of(std::string(what) + " " + path_, error);
  }
}

void SqliteLedger::forget(const std::string& key) {
  for (forget_.with(key); forget_.step();) counters_.rows -= hash_of(entry_of(forget_));
}

void SqliteLedger::append(JournalRecord record) {
  record.seq = ++counters_.journal_last;
  append_.with(static_cast<std::int64_t>(record.seq), record.at_mono.time_since_epoch().count(), record.at_wall.time_since_epoch().count(),
               record.command, record.kind, record.body).all();
  counters_.rows += hash_of(record);
}

void SqliteLedger::apply(const LedgerWrite& change) {
  counters_.revision = change.revision;
  for (const auto& event : change.events) {
    forget(event.entry.key);
    if (event.removed) continue;
    put_.with(event.entry.key, event.entry.value, event.entry.created, event.entry.modified, event.entry.lease).all();
    counters_.rows += hash_of(event.entry);
  }
  for (const auto& record : change.journal) append(record);
  if (change.granted) {
    const auto& [id, lease] = *change.granted;
    grant_.with(id, std::int64_t{lease.ttl.count()}, static_cast<std::int64_t>(lease.after)).all();
    counters_.lease_last = id;
    counters_.rows += hash_of(id, lease);
  }
  if (change.ended != 0)
    for (end_.with(change.ended); end_.step();) counters_.rows -= hash_of(change.ended, lease_of(end_.integer(0), end_.integer(1), {}));
}

Result<std::uint64_t> SqliteLedger::write(const LedgerWrite& change) {
  return transact("write", [&] { apply(change); }).map([&] { return counters_.journal_last; });
}

Result<std::vector<JournalRecord>> SqliteLedger::journal(std::uint64_t from_seq, std::size_t count_max) try {
  std::vector<JournalRecord> found;
  Statement rows(database_.get(), "SELECT seq,at_mono,at_wall,command,kind,body FROM journal WHERE seq>=? ORDER BY seq LIMIT ?");
  for (rows.with(static_cast<std::int64_t>(from_seq), static_cast<std::int64_t>(count_max)); rows.step();) found.push_back(record_of(rows));
  return found;
} catch (const SqlError& error) {
  return error_of("read " + path_, error);
}

Result<> SqliteLedger::trim_journal(std::uint64_t before_seq) {
  return transact("trim the journal of", [&] {
    Statement rows(database_.get(), "DELETE FROM journal WHERE seq<? RETURNING seq,at_mono,at_wall,command,kind,body");
    for (rows.with(static_cast<std::int64_t>(before_seq)); rows.step();) counters_.rows -= hash_of(record_of(rows));
  });
}

Result<> make_if_missing(const std::string& path) {
  const auto there = file_is_there(path);
  if (!there) return tl::unexpected(there.error());
  if (*there) return check_not_cut(path);
  make_file(path + ".new");
  return move_into_place(path + ".new", path);
}

Result<std::unique_ptr<Store>> open_locked(const std::string& path, Clock injected, FileLock lock) {
  const bool waits = !injected;
  auto clock = waits ? Clock(steady_now) : std::move(injected);
  if (auto made = make_if_missing(path); !made) return tl::unexpected(made.error());
  auto database = open_file(path);
  auto* raw = database.get();
  check_identity(raw);
  run(raw, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
  auto ledger = std::make_unique<SqliteLedger>(std::move(lock), std::move(database), path);
  Model model;
  ledger->load(model, clock());
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  if (auto ended = ledger->end_process_leases(model); !ended) return tl::unexpected(ended.error());
  const auto lease_last = ledger->lease_last();
  return std::make_unique<EmbeddedStore>(std::move(clock), waits, std::move(ledger), std::move(model), lease_last);
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, Clock injected) try {
  if (auto made = daemon::make_folder_of(path); !made) return tl::unexpected(made.error());
  auto lock = FileLock::take(path + ".lock");
  if (!lock) return tl::unexpected(lock.error());
  return open_locked(path, std::move(injected), std::move(*lock));
} catch (const SqlError& error) {
  return error_of("open " + path, error);
} catch (const std::filesystem::filesystem_error& error) {
  return fail(ErrorKind::unavailable, "open " + path + ": " + error.code().message() + ": check the folder and its rights");
}

}  // namespace nlb::store
