// One turn of a conversation. Values only.
#pragma once

#include <string>

namespace scm::model {

struct ChatMessage {
  std::string role;  // "system" (first only), "user" or "assistant"
  std::string content;
};

}  // namespace scm::model
