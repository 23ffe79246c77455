// What somebody is told whose command line cannot be run: what is wrong with it, what was meant
// perhaps, and how it goes. Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace scm {

// `root` has tried to parse the command line and thrown `error`. Ends with a line break.
std::string UsageMessage(const CLI::App& root, const CLI::ParseError& error);

}  // namespace scm
