// SQLite's C interface with owners. It throws SqlError, which sqlite.cpp catches and turns into a Result: nothing else includes this file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

namespace nlb::store {

struct SqlError {
  int code;              // extended
  std::string text;
};

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

inline SqlError last_error(sqlite3* database) { return {sqlite3_extended_errcode(database), sqlite3_errmsg(database)}; }

inline void run(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) throw last_error(database);
}

class Statement {
 public:
  Statement(sqlite3* database, const char* sql) : database_(database) {
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr) != SQLITE_OK) throw last_error(database);
    statement_.reset(made);
  }

  template <class... Values> Statement& with(const Values&... values) {   // starts anew
    sqlite3_reset(statement_.get());
    int at = 0;
    (bind(++at, values), ...);
    return *this;
  }
  bool step() {                                                           // false: no more rows
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    const auto error = last_error(database_);
    sqlite3_reset(statement_.get());
    if (code != SQLITE_DONE) throw error;
    return false;
  }
  void all() {
    while (step()) {}
  }
  std::int64_t integer(int column) { return sqlite3_column_int64(statement_.get(), column); }
  std::string bytes(int column) {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  void bind(int at, std::int64_t value) { check(sqlite3_bind_int64(statement_.get(), at, value)); }
  void bind(int at, const std::string& value) {   // the caller's string outlives the steps
    check(sqlite3_bind_blob64(statement_.get(), at, value.data() == nullptr ? "" : value.data(), value.size(), SQLITE_STATIC));
  }
  void check(int code) {
    if (code != SQLITE_OK) throw last_error(database_);
  }

  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace nlb::store
