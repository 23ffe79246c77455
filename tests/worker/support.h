// Shared by the worker's tests: directories, specs, and waiting for real processes.
#pragma once

#include <functional>
#include <string>

#include "common/json.h"
#include "tests/fakes/temp_dir.h"

namespace scm::worker {

// Polls until `done`; a test failure after two minutes, which only a hang can reach.
bool WaitUntil(const std::function<bool()>& done, const char* what);

// A SCM_SPEC for the fake trainer, without work_dir.
Json FakeSpec(const Json& script, int64_t steps, int64_t save_steps = 5, int64_t seed = 11);

std::string Binary(const std::string& name);
void WriteText(const std::string& path, const std::string& text);
std::string ReadText(const std::string& path);
bool Contains(const std::string& text, const std::string& part);

}  // namespace scm::worker
