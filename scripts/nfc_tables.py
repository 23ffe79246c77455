"""Writes model/tokenize/nfc_tables.inc: Unicode's tables of canonical normalisation, as far as tokenizers knows them.

    .venv-parity/bin/python scripts/nfc_tables.py > model/tokenize/nfc_tables.inc
"""
import unicodedata

from tokenizers import normalizers

normalise = normalizers.NFC().normalize_str
CHARACTERS = [chr(c) for c in range(0x110000) if not 0xd800 <= c < 0xe000]


def is_known_mark(mark):
    """Whether it is sorted among other marks as Unicode says; one that came too late is no mark to the library."""
    texts = ["q" + other + mark + "\u0323\u0334" for other in "\u0334\u0327\u05b0\u0301\u0345\u0323"]
    return all(normalise(text) == unicodedata.normalize("NFC", text) for text in texts)


def marks():
    ranges = []
    for mark in CHARACTERS:
        order = unicodedata.combining(mark)
        if order == 0 or not is_known_mark(mark):
            continue
        if ranges and ranges[-1][1] == ord(mark) - 1 and ranges[-1][2] == order:
            ranges[-1][1] = ord(mark)
        else:
            ranges.append([ord(mark), ord(mark), order])
    return [f"{{{first:#x}, {last:#x}, {order}}}" for first, last, order in ranges]


def pairs():
    """Those that are composed again, and those that stay apart."""
    composed, decomposed = [], []
    for whole in CHARACTERS:
        parts = unicodedata.decomposition(whole)
        if not parts or parts.startswith("<"):
            continue
        parts = "".join(chr(int(part, 16)) for part in parts.split())
        row = f"{{{ord(whole):#x}, {ord(parts[0]):#x}, {ord(parts[1]) if len(parts) > 1 else 0:#x}}}"
        if len(parts) > 1 and normalise(parts) == whole:
            composed.append(row)
        elif normalise(whole) != whole:
            decomposed.append(row)
    return composed, decomposed


def table(head, rows):
    lines, line = [head + " = {"], "   "
    for row in rows:
        if len(line) + len(row) > 97:
            lines.append(line)
            line = "   "
        line += f" {row},"
    return "\n".join(lines + [line, "};"])


composed, decomposed = pairs()
print("""// Canonical normalisation by the Unicode version that tokenizers 0.23 normalises by: the classes of
// marks, and what characters are made of. scripts/nfc_tables.py writes this file.
// clang-format off""")
print(table("constexpr MarkRange kMarks[]", marks()))
print("// Made of two, and made of them again.")
print(table("constexpr Pair kComposed[]", composed))
print("// Taken apart for good; into one character where the second is 0.")
print(table("constexpr Pair kDecomposed[]", decomposed))
print("// clang-format on")
