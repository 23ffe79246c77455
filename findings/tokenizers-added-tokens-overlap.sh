#!/usr/bin/env bash
# tokenizers 0.23.3: an added token with rstrip=True takes the spaces behind it, and an added token whose own text begins
# with a space is found all the same in those spaces. The two tokens overlap: the space is counted twice, offsets go
# back, and the lengths of the tokens add up to more than the text. Two flags that meet (rstrip before lstrip) do not
# overlap: there the first takes the space.
# Expected: tokens are pieces of the text, each character in one of them.
# Exit: 0 the behaviour is as said, 1 it changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3
"$folder/env/bin/python" - <<'PY'
import sys
import tokenizers
from tokenizers import AddedToken, Tokenizer, models

print(f"tokenizers {tokenizers.__version__}")


def offsets(text, *added):
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "x": 1}, unk_token="[UNK]"))
    tokenizer.add_tokens(list(added))
    encoding = tokenizer.encode(text)
    print(f"{text!r}: {list(zip(encoding.tokens, encoding.offsets))}")
    return encoding.offsets


def overlaps(spans):
    return any(end > begin for (_, end), (begin, _) in zip(spans, spans[1:]))


strips = AddedToken("<a>", rstrip=True, normalized=False)
spaced = offsets("x<a> b", strips, AddedToken(" b", normalized=False))
flags = offsets("x<a> <b>x", strips, AddedToken("<b>", lstrip=True, normalized=False))
sys.exit(not (overlaps(spaced) and spaced == [(0, 1), (1, 5), (4, 6)] and not overlaps(flags)))
PY
