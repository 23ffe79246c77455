#include "scmctl/commands/use_it.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"

namespace scm::ctl {
namespace {

constexpr char kMark[] = "<!-- written by scmctl report -->\n";

constexpr char kModel[] = R"md(
## The model

`model/` is the base with the adapter merged into it, in Hugging Face's form:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("model")
tokenizer = AutoTokenizer.from_pretrained("model")
inputs = tokenizer("Your prompt", return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs, max_new_tokens=32)[0]))
```

For llama.cpp, convert it with the script of llama.cpp's own repository:
`python convert_hf_to_gguf.py model --outfile model.gguf`
)md";

constexpr char kAdapter[] = R"md(
## The adapter

It needs the base model that it was trained on, in Hugging Face's form:

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained("BASE")
model = PeftModel.from_pretrained(base, "ADAPTER")
```
)md";

}  // namespace

std::string UseItText(const UseIt& what) {
  std::string text = absl::StrCat(
      kMark, "# ", what.name, " (", what.experiment, ")\n\n",
      "| file or folder | what it is |\n| --- | --- |\n",
      "| `report.html`, `report.md`, `report.json` | the report: decision, evidence, limits |\n");
  if (what.adapters) {
    absl::StrAppend(&text, "| `adapters/seed-N/` | the adapter of every seed that finished |\n");
  }
  if (what.adapter) {
    absl::StrAppend(&text, "| `adapter/` | the adapter that was exported, one of those |\n");
  }
  if (what.model) {
    absl::StrAppend(&text, "| `model/` | the exported adapter merged into its base |\n");
  }
  absl::StrAppend(&text, "\n`manifest.json` in each folder holds the SHA-256 of its files.\n");
  if (what.model) absl::StrAppend(&text, kModel);
  if (what.adapter || what.adapters) {
    std::string adapter = kAdapter;
    adapter.replace(adapter.find("ADAPTER"), 7, what.adapter ? "adapter" : "adapters/seed-N");
    absl::StrAppend(&text, adapter);
  }
  return text;
}

absl::Status WriteUseIt(const UseIt& what, const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/README.md");
  if (FileExists(path)) {
    const auto before = ReadFile(path);
    if (!before.ok() || !absl::StartsWith(*before, kMark)) return absl::OkStatus();
  }
  return WriteFileAtomically(path, UseItText(what));
}

}  // namespace scm::ctl
