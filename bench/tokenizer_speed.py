"""Tokenising with scm against tokenizers, on one thread each, on the same texts in the same minutes.

    PYTHON bench/tokenizer_speed.py --bin-dir build/bin [--megabytes 12] [--rounds 5]

PYTHON has tokenizers and llama-models. The texts mix languages, code, numbers and odd characters, the same
in every run; the vocabularies are those of SmolLM2 and Llama 3. Both sides take turns, a pass over all texts
each, so that a busy machine slows both alike; tokenizers is asked by encode_batch_fast, which leaves out what
scm has no use for. Sides that differ in the number of tokens fail the bench.
"""
import argparse
import importlib.metadata
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "parity"))

SEED = 11


def mixed_texts(size):
    """About `size` bytes: documents of one to four kilobytes."""
    import texts
    rng = random.Random(SEED)
    sources = [texts.SPANISH, texts.ENGLISH, texts._code(), texts.OTHER + texts.SPECIAL + texts.SPACES[:20]]
    made, total = [], 0
    while total < size:
        wanted, parts = rng.randrange(1000, 4000), []
        while wanted > 0:
            source = rng.choices(sources, (4, 3, 2, 1))[0]
            words = rng.choice(source).split(" ")
            if rng.random() < 0.5:
                rng.shuffle(words)
            if rng.random() < 0.3:
                words.append(str(rng.randrange(10 ** rng.randrange(1, 9))))
            parts.append(" ".join(words))
            wanted -= len(parts[-1].encode())
        made.append(rng.choice((" ", "\n", "\n\n")).join(parts))
        total += len(made[-1].encode())
    return made


def vocabularies(folder):
    """Name to (model for scm, tokenizer of tokenizers)."""
    import support
    import test_tokenizer
    from tokenizers import Tokenizer
    test_tokenizer.SmolLM2.path = support.smollm2()
    import gguf
    test_tokenizer.SmolLM2.reader = gguf.GGUFReader(support.smollm2())
    smollm2 = test_tokenizer.SmolLM2.reference(test_tokenizer.SmolLM2())
    llama3 = test_tokenizer.write_llama3(folder / "llama3")
    return {"SmolLM2": (support.smollm2(), smollm2),
            "Llama 3": (llama3, Tokenizer.from_file(str(llama3 / "tokenizer.json")))}


class Ours:
    def __init__(self, program, model, file):
        self.process = subprocess.Popen([program, model, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def turn(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["seconds"], answer["tokens"]


def their_turn(tokenizer, texts):
    begin = time.perf_counter()
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return time.perf_counter() - begin, sum(len(e) for e in encodings)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin-dir", required=True, type=pathlib.Path)
    parser.add_argument("--megabytes", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    texts = mixed_texts(arguments.megabytes * 1e6)
    size = sum(len(t.encode()) for t in texts) / 1e6
    peer = "tokenizers " + importlib.metadata.version("tokenizers")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        file = folder / "texts.jsonl"
        file.write_text("".join(json.dumps(t) + "\n" for t in texts), encoding="utf-8")
        sides = {}
        for name, (model, tokenizer) in vocabularies(folder).items():
            tokenizer.encode_special_tokens = True
            sides[name] = Ours(arguments.bin_dir / "tokenize-bench", model, file), tokenizer, [], []
        for _ in range(arguments.rounds):
            for name, (ours, tokenizer, mine, theirs) in sides.items():
                mine.append(ours.turn())
                theirs.append(their_turn(tokenizer, texts))
                if mine[-1][1] != theirs[-1][1]:
                    raise SystemExit(f"{name}: {mine[-1][1]} tokens, and {theirs[-1][1]} of {peer}")
        for name, (_, _, mine, theirs) in sides.items():
            of_rounds = sorted(b[0] / a[0] for a, b in zip(mine, theirs))
            print(f"{name}: scm {size / statistics.median(a for a, _ in mine):.1f} MB/s, {peer} "
                  f"{size / statistics.median(b for b, _ in theirs):.2f} MB/s: {statistics.median(of_rounds):.2f} x "
                  f"({of_rounds[0]:.2f}–{of_rounds[-1]:.2f})", flush=True)
        # Of a round: the time for both vocabularies.
        ratios = sorted(sum(theirs[i][0] for _, _, _, theirs in sides.values())
                        / sum(mine[i][0] for _, _, mine, _ in sides.values()) for i in range(arguments.rounds))
    print(f"tokenise: {statistics.median(ratios):.2f} x {peer} ({ratios[0]:.2f}–{ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
