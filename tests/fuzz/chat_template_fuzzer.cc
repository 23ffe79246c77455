// Any text as a chat template: refused, or it renders a conversation.
#include <cstddef>
#include <cstdint>

#include "model/chat/chat_template.h"
#include "model/chat/jinja_form.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)scm::model::JinjaForm(text);
  const auto chat = scm::model::ChatTemplate::Recognise(text, "input");
  if (!chat.ok()) return 0;
  (void)chat->Render({{"system", " s "}, {"user", "<think>"}, {"assistant", "\n</think>\n a"}},
                     "<s>");
  return 0;
}
