"""The documents hold together: every relative link and anchor resolves, every path, make target and verb
that they name exists, and every page can be reached from README.md."""
import argparse
import pathlib
import re
import subprocess
import sys
import unittest

parser = argparse.ArgumentParser()
parser.add_argument("--bin-dir", default="build/bin")
arguments, rest = parser.parse_known_args()
BIN = pathlib.Path(arguments.bin_dir).resolve()
sys.argv[1:] = rest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Not ours, or not in the repository.
IGNORED = ("build", ".venv", ".venv-parity", ".venv-cuda", ".git", "models", "runs", "shared")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
# Needed by nothing but a reader who looks for them by name.
ENTRANCES = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md"}


def pages():
    tops = [path for path in ROOT.iterdir() if path.name not in IGNORED]
    found = sorted([path for path in tops if path.suffix == ".md"] +
                   [path for top in tops if top.is_dir() for path in top.rglob("*.md")])
    assert len(found) > 10, f"only {len(found)} documents below {ROOT}"
    return found


def without_code(text):
    return re.sub(r"```.*?```", "", text, flags=re.S)


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", without_code(path.read_text()), flags=re.M):
        text = re.sub(r"[`*]", "", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return found


def links(path):
    for target in LINK.findall(without_code(path.read_text())):
        if not re.match(r"[a-z]+:", target):
            yield target


def name(path):
    return path.relative_to(ROOT).as_posix()


class Documents(unittest.TestCase):
    def test_every_relative_link_and_anchor_resolves(self):
        broken, count = [], 0
        for page in pages():
            for target in links(page):
                count += 1
                file, _, anchor = target.partition("#")
                there = (page.parent / file).resolve() if file else page
                if not there.exists():
                    broken.append(f"{name(page)}: {target} does not exist")
                elif anchor and anchor not in anchors(there):
                    broken.append(f"{name(page)}: {target}: no such heading")
        self.assertEqual(broken, [])
        self.assertGreater(count, 30)

    def test_every_page_can_be_reached_from_the_entrances(self):
        reached = {ROOT / entrance for entrance in ENTRANCES}
        todo = list(reached)
        while todo:
            page = todo.pop()
            text = page.read_text()
            named = {(page.parent / target.partition("#")[0]).resolve() for target in links(page)}
            named |= {ROOT / path for path in re.findall(r"`([\w/.-]+\.md)`", text)}
            for other in named - reached:
                if other.suffix == ".md" and other.exists():
                    reached.add(other)
                    todo.append(other)
        self.assertEqual([name(page) for page in pages() if page not in reached], [])

    def test_every_path_that_is_named_exists(self):
        folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - set(IGNORED)
        wrong, count = [], 0
        for page in pages():
            for code in re.findall(r"`([^`\n]+)`", page.read_text()):
                for word in re.findall(r"(?:^|[ (])((?:[\w.-]+/)+[\w.*{},-]*)", code):
                    if word.split("/")[0] not in folders:
                        continue
                    count += 1
                    for one in self.expand(word.rstrip(".,")):
                        below = (ROOT, page.parent)
                        if not any(any(folder.glob(one.rstrip("/"))) for folder in below):
                            wrong.append(f"{name(page)}: {one}")
        self.assertEqual(wrong, [], "named in a document, but not there")
        self.assertGreater(count, 50)

    def expand(self, word):
        """a/{b,c}.h → a/b.h, a/c.h."""
        braces = re.search(r"\{([^}]*)\}", word)
        if not braces:
            return [word]
        return [word[:braces.start()] + part + word[braces.end():] for part in braces[1].split(",")]

    def test_every_make_target_that_is_named_exists(self):
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
        for page in pages():
            for code in self.code(page.read_text(), "make"):
                for target in re.findall(r"(?<![\w=/-])[a-z][a-z-]*(?![\w=/-])", code.split("#")[0]):
                    self.assertIn(target, targets | {"make"}, f"{name(page)}: {code}")

    def test_every_verb_that_is_named_exists(self):
        verbs = set()
        for page in pages():
            for verb in re.findall(r"(?:^|[`$( ])scmctl ((?:local|workers|checkpoints|artifacts) [a-z]+|[a-z]+)",
                                   "\n".join(self.code(page.read_text(), "scmctl")), flags=re.M):
                verbs.add((verb, name(page)))
        self.assertGreater(len({verb for verb, _ in verbs}), 15)
        for verb in sorted({verb for verb, _ in verbs}):
            done = subprocess.run([BIN / "scmctl", *verb.split(), "--help"], capture_output=True)
            self.assertEqual(done.returncode, 0,
                             f"scmctl {verb}, named in {[page for v, page in verbs if v == verb]}")

    def code(self, text, program):
        """Lines of code blocks, and code in running text, that call the program."""
        for block in re.findall(r"```\w*\n(.*?)```", text, flags=re.S):
            for line in block.splitlines():
                if re.match(rf"\s*(\$ |build/bin/)?{program} ", line):
                    yield line.strip().removeprefix("$ ")
        yield from (code for code in re.findall(r"`([^`\n]+)`", text) if code.startswith(program + " "))


if __name__ == "__main__":
    unittest.main(verbosity=2)
