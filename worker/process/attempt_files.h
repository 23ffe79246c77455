// The files of an attempt's directory, WORK_DIR/attempts/TASK-ATTEMPT. What re-attaching after a
// restart of the daemon needs is all here. Who writes each: D the daemon, S the shim, T the
// trainer.
#pragma once

namespace scm::worker::attempt_files {

inline constexpr char kSpec[] = "spec.json";         // D: SCM_SPEC
inline constexpr char kSplit[] = "data_split.json";  // D: SCM_SPEC.split_file
inline constexpr char kLease[] = "lease.json";       // D: lease and command, written last
inline constexpr char kReports[] = "report.jsonl";   // T appends: the report spool
inline constexpr char kLog[] = "log.txt";            // T, S append: stdout and stderr
inline constexpr char kCommands[] = "stdin.fifo";    // D writes lines, T reads them
inline constexpr char kPid[] = "pid.json";           // S, once the trainer has been executed
inline constexpr char kDeadline[] = "deadline";      // D: CLOCK_BOOTTIME ns; S kills at it
inline constexpr char kExit[] = "exit.json";         // S: how it ended; written by rename, once
inline constexpr char kAcked[] = "acked.json";       // D: offsets the coordinator has committed
inline constexpr char kStop[] = "stop.json";         // D: a stop was sent, its grace is running
inline constexpr char kLock[] = "lock";              // S holds flock(2) on it while it lives
inline constexpr char kWork[] = "work";              // T: SCM_SPEC.work_dir

}  // namespace scm::worker::attempt_files
