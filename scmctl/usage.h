// What somebody is told whose command line cannot be run: what is wrong with it, what was meant
// perhaps, and how it goes. Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace scm::ctl {

// "" unless an argument is "--name=" with nothing behind it, as an unset variable leaves it. CLI11
// would take the next word for its value.
std::string EmptyOption(const std::vector<std::string>& arguments);

// `root` has tried to parse the command line and thrown `error`. Ends with a line break.
std::string UsageMessage(const CLI::App& root, const CLI::ParseError& error);

}  // namespace scm::ctl
