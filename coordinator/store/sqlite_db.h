// SQLite's C interface as three small classes: connection, statement, transaction. One thread at a
// time uses a connection and everything made from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace scm::store {

class Database;

// A prepared statement. Parameters and columns are numbered from 1 and from 0, as in SQLite.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  // Text must stay where it is until Run(), or until Reset() after the last Step().
  Statement& Text(int parameter, absl::string_view value);
  Statement& Integer(int parameter, int64_t value);
  Statement& Real(int parameter, double value);  // finite or infinite: SQLite makes NaN a NULL

  // Executes to the end, drops rows, and makes the statement ready for the next use.
  absl::Status Run();
  // True when there is a row to read. Call Reset() after the last one that is wanted.
  absl::StatusOr<bool> Step();
  void Reset();

  std::string TextAt(int column) const;
  int64_t IntegerAt(int column) const;
  double RealAt(int column) const;
  bool IsTextAt(int column) const;

 private:
  friend class Database;
  Statement(Database* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  void Check(int result);

  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  absl::Status bound_;  // first error of binding
};

// A connection. Errors: RESOURCE_EXHAUSTED the disk (or a limit on it) is full; DATA_LOSS the file
// is damaged or no database; FAILED_PRECONDITION another program holds it; DEADLINE_EXCEEDED a
// TimeLimit ended it; INTERNAL anything else.
class Database {
 public:
  // Opens or creates `path`, in WAL mode with synchronous=FULL and an exclusive lock (so that
  // SQLite needs no shared memory), and verifies that it got these.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  absl::Status Execute(absl::string_view sql);  // one statement without parameters
  absl::StatusOr<Statement> Prepare(absl::string_view sql);
  // The single value of a statement that gives one row, e.g. a PRAGMA.
  absl::StatusOr<std::string> Value(absl::string_view sql);
  const std::string& path() const { return path_; }

  // While it lives, statements that run longer than that (together) end with DEADLINE_EXCEEDED. For
  // statements that only read. One at a time.
  class TimeLimit {
   public:
    TimeLimit(Database& database, absl::Duration allowed);
    ~TimeLimit();
    TimeLimit(const TimeLimit&) = delete;
    TimeLimit& operator=(const TimeLimit&) = delete;

   private:
    Database& database_;
    const std::chrono::steady_clock::time_point end_;
  };

 private:
  friend class Statement;
  friend class Transaction;
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  absl::Status Error(absl::string_view what, int step_errno = 0) const;

  std::string path_;
  sqlite3* handle_;
};

// BEGIN IMMEDIATE … COMMIT. Rolls back when it is destroyed, or when Commit() fails.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  absl::Status Commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  void Rollback();
  Database* database_;  // null once it is over
};

}  // namespace scm::store
