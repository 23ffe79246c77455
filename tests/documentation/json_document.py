"""docs/json.md as data: which keys each command prints, of which type, and when they are null."""
import dataclasses
import json
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
DOCUMENT = DOCS / "json.md"
FILES = DOCS / "report-data.md"
STATES = "PENDING ASSIGNED RUNNING STOPPING PAUSED SUCCEEDED FAILED ABORTED CANCELLED SKIPPED".split()
NON_FINITE = ("NaN", "Infinity", "-Infinity")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def matches(pattern):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


CHECKS = {
    "text": lambda value: isinstance(value, str),
    "id": matches(r"[ertkwc]-[1-9][0-9]*"),
    "state": lambda value: value in STATES,
    "time": matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "seconds": is_number,
    "bytes": lambda value: is_whole(value) and value >= 0,
    "integer": is_whole,
    "money": is_number,
    "ratio": lambda value: is_number(value) and 0 <= value <= 1,
    "number": is_number,
    "metric": lambda value: is_number(value) or value in NON_FINITE,
    "boolean": lambda value: isinstance(value, bool),
    "sha256": matches(r"[0-9a-f]{64}"),
    "path": matches(r"/.*"),
    "any": lambda value: True,
}


@dataclasses.dataclass
class Key:
    type: str
    nullable: bool

    def accepts(self, value):
        if value is None:
            return self.nullable
        if "|" in self.type:
            return value in self.type.split("|")
        return CHECKS[self.type](value)


def cells_of(line):
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def read_document():
    """{"checkpoints ls": {"checkpoints[].id": Key}}, with the rows of `runs` wherever they belong; the
    files of a report by their names."""
    commands = read_chapters(DOCUMENT.read_text())
    commands.update(read_chapters(FILES.read_text()))
    for keys in commands.values():
        if "runs[]" in keys and keys is not commands["report.json"]:
            keys.update(commands["runs"])
    return commands


def read_chapters(text):
    commands = {}
    for chapter in re.split(r"^## ", text, flags=re.M)[1:]:
        title, _, body = chapter.partition("\n")
        names = [re.match(r"[a-z]+_?[a-z]+(\.json|( [a-z]+)*)", quoted).group(0)
                 for quoted in re.findall(r"`([a-z][^`]*)`", title)]
        keys = {}
        for line in body.splitlines():
            if not line.startswith("| `"):
                continue
            key, kind, _, null = cells_of(line)
            keys[key.strip("`")] = Key(kind, null != "–")
        for name in names:
            commands[name] = keys
    return commands


class Contract:
    """Compares what is printed with the document, and remembers which keys were seen."""

    def __init__(self):
        self.commands = read_document()
        self.seen = {name: set() for name in self.commands}

    def problems(self, command, value):
        found = []
        self._walk(command, "", value, found)
        return found

    def missing(self):
        """Documented keys that were never printed; the words of one chapter count together."""
        lacking = []
        for name, keys in self.commands.items():
            together = set().union(*(seen for other, seen in self.seen.items()
                                     if self.commands[other] is keys))
            lacking += [f"{name}: {key}" for key in keys if key not in together]
        return lacking

    def _below(self, command, path):
        return any(key.startswith((path + ".", path + "[]")) for key in self.commands[command])

    def _walk(self, command, path, value, found):
        keys = self.commands[command]
        key = keys.get(path)
        if key is not None:
            self.seen[command].add(path)
            if not key.accepts(value):
                found.append(f"{command}: {path} is {json.dumps(value)[:80]}, documented as {key}")
            if value is None or not self._below(command, path):
                return
        elif path and not self._below(command, path):
            found.append(f"{command}: {path} is not documented")
            return
        if isinstance(value, dict):
            for name, inner in value.items():
                self._walk(command, self._name(command, path, name), inner, found)
        elif isinstance(value, list):
            # An empty list says nothing, but it is what its documented elements stand for.
            for inner in value:
                self._walk(command, path + "[]", inner, found)
        elif key is None:
            found.append(f"{command}: {path} should hold more, but is {json.dumps(value)[:80]}")

    def _name(self, command, path, name):
        star = path + ".*" if path else "*"
        return star if star in self.commands[command] else (f"{path}.{name}" if path else name)
