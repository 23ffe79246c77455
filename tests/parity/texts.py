"""Varied texts for comparing tokenizers: languages, code, digits, white space, odd characters."""
import inspect
import json
import random
import textwrap

SPANISH = [
    "El artículo 14 bis de la Constitución Nacional garantiza la protección integral de la familia.",
    "¿Puede el empleador rescindir el contrato sin preaviso? No, salvo justa causa.",
    "La prescripción adquisitiva exige posesión pública, pacífica, continua e ininterrumpida.",
    "Según la Ley N.º 20.744, artículos 231 y ss., el preaviso será de un (1) mes o de dos (2).",
    "El Código Civil de España (1889) dispone en su art. 1902: «El que por acción u omisión…»",
    "Señoría, la niñez y la cigüeña; pingüino, vergüenza, ñandú, acción, corazón, ÁÉÍÓÚÜÑ.",
    "JURISDICCIÓN: Uruguay. DOMINIO: laboral. VIGENCIA: 2024-01-31.",
    "$ 1.234.567,89 — US$ 45 — 3,5 % anual — 1/2 — 10.º — §27 — 2º párrafo",
]
ENGLISH = [
    "I'm sure they've done it; we'll see what he'd say. It's O'Brien's, isn't it? DON'T! YOU'LL SEE",
    "The quick brown fox jumps over the lazy dog 1234567890 times, i.e. 12 345 678.",
    "Answer: (B)\n\nExplanation: the clause is void.\n",
    "https://example.org/a/b?c=d&e=%20f#g user@example.org 192.168.0.1 2001:db8::1",
]
OTHER = [
    "Привет, мир! Как дела?", "你好，世界。今天天气怎么样？", "こんにちは世界。カタカナ、ひらがな", "안녕하세요 세계",
    "مرحبا بالعالم ١٢٣٤٥", "שלום עולם", "नमस्ते दुनिया १२३", "สวัสดีชาวโลก", "Γειά σου Κόσμε",
    "e\u0301 n\u0303 u\u0308 combining", "\ufb01ne \u2126 \u212a \u017f 's 'S '\u017f \u017ft", "½ ¾ ² ³ ① Ⅷ ௧ 𝟙𝟚𝟛",
    "👍 👩‍👩‍👧‍👦 🇦🇷🇨🇱🇺🇾🇪🇸 ❤️ 👋🏽 🤖x🤖", "a\u180eb \u180e c", "x\u0085y\u00a0z\u2028w\u2029v\u3000u\u200bt\ufefb",
    "\u2003\u2003em  \u2009thin\u202fnarrow", "\ufeffbom", "\u0300\u0301", "\U0001d54f\U0001f600\U00020000",
]
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", "\t\t", " \n", "\n ", " \t \n\n  ",
          "a  b", "a   b", "a \n b", "  a", "a  ", "\n\n\na\n\n\n", "\t\tif x:\n\t\t\treturn  y\n",
          "a\u00a0\u00a0b", "trailing   \n   leading", " " * 100, "\n" * 50, " \n" * 40, "x" + " " * 77 + "y"]
# Blocks with letters and numbers of Unicode 15 and 16.
NEWER = [(0x1c89, 0x1c8a), (0xa7cb, 0xa7dc), (0x105c0, 0x105f3), (0x10d40, 0x10d85), (0x11380, 0x113d3),
         (0x116d0, 0x116e3), (0x11bc0, 0x11bf9), (0x11f02, 0x11f59), (0x13441, 0x143fa), (0x16100, 0x16139),
         (0x16d40, 0x16d79), (0x1ccf0, 0x1ccf9), (0x1e030, 0x1e06d), (0x1e4d0, 0x1e4f9), (0x1e5d0, 0x1e5fa),
         (0x2ebf0, 0x2ee5d), (0x31350, 0x323af)]
SPECIAL = ["<|im_start|>user\nHola<|im_end|>\n", "<|begin_of_text|>x<|eot_id|>", "<|endoftext|>",
           "<|im_start|", "<|im_start|><|im_end|><file_sep>", "<|start_header_id|>user<|end_header_id|>\n\nHi"]


def _code():
    source = inspect.getsource(json) + inspect.getsource(textwrap) + inspect.getsource(random)
    lines = source.split("\n")
    return [line + "\n" for line in lines if line.strip()] + [
        "\n".join(lines[i:i + 12]) for i in range(0, len(lines), 12)]


def varied_texts(count, seed):
    """At least `count` texts, the same for the same seed; every fixed one is among them."""
    rng = random.Random(seed)
    texts = SPANISH + ENGLISH + OTHER + SPACES + SPECIAL + _code()[:600] + [""]
    pieces = SPANISH + ENGLISH + OTHER + SPACES + SPECIAL
    alphabet = [chr(c) for c in range(32, 127)] + list("áéíóúñü¿¡«»—…“”’ \n\t\r") + list("0123456789") * 3
    planes = [(0x20, 0x7f), (0xa0, 0x250), (0x370, 0x530), (0x590, 0x700), (0x900, 0xe00), (0x1e00, 0x2c00),
              (0x3000, 0x3200), (0x4e00, 0x9fff), (0xac00, 0xd7a0), (0x1f300, 0x1f700), (0, 0x20)]
    planes += [(a, b + 1) for a, b in NEWER]
    while len(texts) < count:
        kind = rng.randrange(5)
        if kind == 0:
            texts.append("".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 120))))
        elif kind == 1:
            words = " ".join(rng.sample(pieces, 3)).split(" ")
            rng.shuffle(words)
            texts.append(" ".join(words))
        elif kind == 2:
            low, high = rng.choice(planes)
            texts.append("".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 40))))
        elif kind == 3:
            # New characters among old ones, and any code point at all.
            low, high = rng.choice(NEWER)
            new = [chr(rng.randrange(low, high + 1)) for _ in range(4)]
            any_one = [chr(c) for c in (rng.randrange(0x20, 0x110000) for _ in range(4)) if not 0xd800 <= c < 0xe000]
            texts.append("".join(rng.choice(new + any_one + alphabet[:40]) for _ in range(rng.randrange(1, 30))))
        else:
            texts.append("".join(rng.choice(pieces)[:rng.randrange(1, 30)] for _ in range(4)))
    return texts
