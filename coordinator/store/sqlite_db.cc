#include "coordinator/store/sqlite_db.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::store {
namespace {

absl::StatusCode CodeOf(int extended, int system_errno) {
  const int primary = extended & 0xff;
  if (primary == SQLITE_FULL) return absl::StatusCode::kResourceExhausted;
  // A failed fsync is never "try again": the kernel may have dropped the pages already.
  const bool sync = extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC;
  const bool no_room = system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
  if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && no_room && !sync) {
    return absl::StatusCode::kResourceExhausted;
  }
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) return absl::StatusCode::kDataLoss;
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    return absl::StatusCode::kFailedPrecondition;
  }
  if (primary == SQLITE_INTERRUPT) return absl::StatusCode::kDeadlineExceeded;
  return absl::StatusCode::kInternal;
}

// Steps of SQLite's machine between two looks at the clock: well below a millisecond.
constexpr int kStepsPerLook = 5000;

constexpr char kExclusive[] = "PRAGMA locking_mode = EXCLUSIVE";
constexpr char kWal[] = "PRAGMA journal_mode = WAL";
constexpr char kFull[] = "PRAGMA synchronous = FULL";
constexpr char kReadSynchronous[] = "PRAGMA synchronous";
constexpr char kBegin[] = "BEGIN IMMEDIATE";
constexpr char kCommit[] = "COMMIT";
constexpr char kRollback[] = "ROLLBACK";

}  // namespace

Statement::Statement(Statement&& other) noexcept { *this = std::move(other); }

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(statement_, other.statement_);
  std::swap(bound_, other.bound_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::Check(int result) {
  if (result != SQLITE_OK && bound_.ok()) bound_ = database_->Error("cannot bind a value");
}

Statement& Statement::Text(int parameter, absl::string_view value) {
  // A null pointer would bind NULL, also for an empty text.
  const char* data = value.data() == nullptr ? "" : value.data();
  Check(sqlite3_bind_text64(statement_, parameter, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::Integer(int parameter, int64_t value) {
  Check(sqlite3_bind_int64(statement_, parameter, value));
  return *this;
}

Statement& Statement::Real(int parameter, double value) {
  Check(sqlite3_bind_double(statement_, parameter, value));
  return *this;
}

absl::Status Statement::Run() {
  absl::StatusOr<bool> row = Step();
  while (row.ok() && *row) row = Step();
  Reset();
  return row.status();
}

absl::StatusOr<bool> Statement::Step() {
  if (!bound_.ok()) return bound_;
  errno = 0;
  const int result = sqlite3_step(statement_);
  const int step_errno = errno;
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return database_->Error(absl::StrCat("cannot run \"", sqlite3_sql(statement_), "\""), step_errno);
}

void Statement::Reset() {
  sqlite3_reset(statement_);  // repeats the error of the step, which was reported
  sqlite3_clear_bindings(statement_);
  bound_ = absl::OkStatus();
}

std::string Statement::TextAt(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  const int bytes = sqlite3_column_bytes(statement_, column);
  if (text == nullptr) return "";
  return std::string(reinterpret_cast<const char*>(text), static_cast<size_t>(bytes));
}

int64_t Statement::IntegerAt(int column) const { return sqlite3_column_int64(statement_, column); }

double Statement::RealAt(int column) const { return sqlite3_column_double(statement_, column); }

bool Statement::IsTextAt(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_TEXT;
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int result = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) return absl::ResourceExhaustedError("no memory for a database connection");
  std::unique_ptr<Database> database(new Database(path, handle));
  if (result != SQLITE_OK) return database->Error("cannot open it");
  sqlite3_extended_result_codes(handle, 1);
  // The lock comes first: in this order SQLite keeps the WAL's index in this process's memory.
  SCM_RETURN_IF_ERROR(database->Value(kExclusive).status());
  SCM_ASSIGN_OR_RETURN(const std::string mode, database->Value(kWal));
  if (mode != "wal") {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": the file system does not allow SQLite's WAL mode (got \"", mode,
                     "\"): put the data directory on a local disk"));
  }
  SCM_RETURN_IF_ERROR(database->Execute(kFull));
  SCM_ASSIGN_OR_RETURN(const std::string synchronous, database->Value(kReadSynchronous));
  if (synchronous != "2") {
    return absl::InternalError(absl::StrCat(path, ": synchronous is ", synchronous, ", not FULL"));
  }
  return database;
}

Database::~Database() { sqlite3_close_v2(handle_); }

Database::TimeLimit::TimeLimit(Database& database, absl::Duration allowed)
    : database_(database),
      end_(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(allowed)) {
  sqlite3_progress_handler(
      database_.handle_, kStepsPerLook,
      [](void* self) {
        const auto* limit = static_cast<const TimeLimit*>(self);
        return std::chrono::steady_clock::now() >= limit->end_ ? 1 : 0;
      },
      this);
}

Database::TimeLimit::~TimeLimit() {
  sqlite3_progress_handler(database_.handle_, 0, nullptr, nullptr);
}

absl::Status Database::Error(absl::string_view what, int step_errno) const {
  const int extended = sqlite3_extended_errcode(handle_);
  // SQLite keeps the errno of most failures, but not of a COMMIT's.
  const int kept_errno = sqlite3_system_errno(handle_);
  const absl::StatusCode code = CodeOf(extended, kept_errno != 0 ? kept_errno : step_errno);
  const absl::string_view hint =
      code == absl::StatusCode::kResourceExhausted    ? " (no room on the disk)"
      : code == absl::StatusCode::kFailedPrecondition ? " (another program has it open)"
                                                      : "";
  return absl::Status(code, absl::StrCat(path_, ": ", what, ": ", sqlite3_errmsg(handle_), hint,
                                         " [SQLite ", extended, "]"));
}

absl::StatusOr<Statement> Database::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return Error(absl::StrCat("cannot prepare \"", sql, "\""));
  return Statement(this, statement);
}

absl::Status Database::Execute(absl::string_view sql) {
  SCM_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  return statement.Run();
}

absl::StatusOr<std::string> Database::Value(absl::string_view sql) {
  SCM_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  SCM_ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return absl::InternalError(absl::StrCat(path_, ": \"", sql, "\" gives no row"));
  return statement.TextAt(0);
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  SCM_RETURN_IF_ERROR(database.Execute(kBegin));
  return Transaction(&database);
}

absl::Status Transaction::Commit() {
  const absl::Status status = database_->Execute(kCommit);
  if (!status.ok()) Rollback();
  database_ = nullptr;
  return status;
}

// SQLite may have rolled back by itself already, which leaves autocommit on.
void Transaction::Rollback() {
  if (sqlite3_get_autocommit(database_->handle_) == 0) {
    database_->Execute(kRollback).IgnoreError();
  }
}

Transaction::~Transaction() {
  if (database_ != nullptr) Rollback();
}

}  // namespace scm::store
