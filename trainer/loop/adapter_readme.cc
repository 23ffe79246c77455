#include "trainer/loop/adapter_readme.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace scm::trainer {
namespace {

constexpr char kReadmeHead[] = R"(---
library_name: peft
tags: [lora]
---

# A LoRA adapter

`adapter_model.safetensors` and `adapter_config.json` are the adapter in PEFT's format. It was
trained on the base

    )";

constexpr char kReadmeDirectoryUse[] = R"(
While that directory is there, one line opens both:

```python
from peft import AutoPeftModelForCausalLM
model = AutoPeftModelForCausalLM.from_pretrained("THIS DIRECTORY")
```

On another machine, say where the base is:

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM
base = AutoModelForCausalLM.from_pretrained("DIRECTORY OF THE BASE")
model = PeftModel.from_pretrained(base, "THIS DIRECTORY")
```

The tokenizer is the base's own: `AutoTokenizer.from_pretrained("DIRECTORY OF THE BASE")`.
)";

// `folder` and `file` of the GGUF base.
std::string GgufUse(absl::string_view folder, absl::string_view file) {
  return absl::StrCat(
      "\n`AutoPeftModel` cannot open this adapter by itself, because its base is a GGUF file, "
      "which "
      "transformers\ntakes only by a directory and a file name:\n\n```python\n"
      "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n"
      "base = AutoModelForCausalLM.from_pretrained(\"",
      folder, "\", gguf_file=\"", file,
      "\")\nmodel = PeftModel.from_pretrained(base, \"THIS DIRECTORY\")\n```\n\n"
      "The export format `merged` is a model of its own that needs neither.\n");
}

}  // namespace

std::string AdapterReadme(const std::string& base_model) {
  const std::string head = absl::StrCat(kReadmeHead, base_model, "\n");
  if (!absl::EndsWith(base_model, ".gguf")) return absl::StrCat(head, kReadmeDirectoryUse);
  const size_t slash = base_model.rfind('/');
  const absl::string_view path = base_model;
  return absl::StrCat(head, slash == path.npos
                                ? GgufUse(".", path)
                                : GgufUse(path.substr(0, slash), path.substr(slash + 1)));
}

}  // namespace scm::trainer
