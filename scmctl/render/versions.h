// Which of two programs is older. Pure.
#pragma once

#include <string>

namespace scm::ctl {

// < 0, 0, > 0: numbers between dots compared as numbers ("0.9.0" < "0.10.0"), anything else as
// text; a version with a suffix comes before the same without ("1.0.0-rc1" < "1.0.0").
int CompareVersionNumbers(const std::string& a, const std::string& b);

// "" if they are equal, else which side is older and what to do about it.
std::string VersionNote(const std::string& ours, const std::string& coordinator);

}  // namespace scm::ctl
