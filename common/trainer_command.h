// What the words of trainer.command mean to a worker (docs/trainer-protocol.md, "What a worker lets
// you run"), as far as that can be said without its file system. Pure.
#pragma once

#include <string>
#include <vector>

namespace scm {

inline constexpr const char* kBuiltInPrograms[] = {"scm-trainer", "scm-evaluator", "scm-report"};

bool IsBuiltInProgram(const std::string& word);
// Programs that run a script which the second word names: python3, bash, …
bool IsInterpreter(const std::string& word);
// "python3, python, bash, …".
std::string InterpreterList();

// What a worker that may start `trainers` certainly refuses of `command`: the word that is not
// allowed, or "" if it may start it. No trainers: the worker has not said what it allows.
std::string WordNotAllowed(const std::vector<std::string>& command,
                           const std::vector<std::string>& trainers);

// The sentence for people: which word, and what to do about it.
std::string NoWorkerAllows(const std::string& word);

}  // namespace scm
