// Whether a text is well-formed XML, as far as charts and pages need it: tags that close in order,
// quoted attributes, no bare & or <.
#pragma once

#include <string>

namespace scm::report {

// "" or what is wrong, with the place. A doctype is skipped, the content of <style> is not read.
std::string XmlError(const std::string& text);

}  // namespace scm::report
