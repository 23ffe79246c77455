#!/usr/bin/env python3
"""How many arrows a reader has to follow in each folder: its children (files without their ending, so that
a header and its source are one, and folders as a whole) are the boxes, and an arrow leads from one box to
another if a file in the first includes a header in the second. Few arrows and no circle mean that the
folder shows its architecture.

    scripts/count_arrows.py [--root ROOT] [--from REVISION] [FOLDER ...]

Without folders: every folder with sources. `--from` counts the tree of a git revision instead.
Exit 1: the boxes of some folder form a circle; it is named.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"', re.MULTILINE)
SKIPPED = ("build", ".venv", ".git", "models")


def sources(root: pathlib.Path):
    for path in sorted(root.glob("**/*")):
        name = path.relative_to(root).as_posix()
        if path.suffix in (".h", ".cc") and not name.startswith(SKIPPED):
            yield name, path.read_text(errors="replace")


def box_of(folder: str, name: str):
    """The child of `folder` in which this file lies; None outside."""
    prefix = folder + "/" if folder else ""
    if not name.startswith(prefix):
        return None
    child = name[len(prefix):].split("/")
    return child[0] + "/" if len(child) > 1 else child[0].rsplit(".", 1)[0]


def includes_of(root: pathlib.Path):
    texts = dict(sources(root))
    return {name: [h for h in INCLUDE.findall(text) if h in texts] for name, text in texts.items()}


def arrows_in(folder: str, includes):
    found = set()
    for name, headers in includes.items():
        source = box_of(folder, name)
        for header in headers if source else ():
            target = box_of(folder, header)
            if target and target != source:
                found.add((source, target))
    return found


def circle_in(arrows):
    """Boxes that form a circle in which a folder stands, or [] if there is none. Files alone may refer to
    each other: a source includes the header of whoever includes its own."""
    after = {}
    for source, target in arrows:
        after.setdefault(source, []).append(target)
    done, path = set(), []

    def visit(box):
        if box in path:
            return path[path.index(box):] + [box]
        if box in done:
            return []
        path.append(box)
        for target in sorted(after.get(box, [])):
            if (found := visit(target)) and any(box.endswith("/") for box in found):
                return found
        path.pop()
        done.add(box)
        return []

    for box in sorted(after):
        if (found := visit(box)) and any(box.endswith("/") for box in found):
            return found
    return []


def count(root: pathlib.Path, wanted):
    includes = includes_of(root)
    folders = {""}
    for name in includes:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[:n + 1]) for n in range(len(parts)))
    circles = 0
    for folder in sorted(wanted or folders):
        boxes = {box_of(folder, name) for name in includes} - {None}
        arrows = arrows_in(folder, includes)
        circle = circle_in(arrows)
        circles += bool(circle)
        print(f"{folder or '.':32} {len(boxes):4} boxes {len(arrows):5} arrows"
              + (f"   circle: {' → '.join(circle)}" if circle else ""))
    return circles


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", default=pathlib.Path(__file__).parent.parent, type=pathlib.Path)
    parser.add_argument("--from", dest="revision")
    parser.add_argument("folder", nargs="*")
    options = parser.parse_args()
    if not options.revision:
        return 1 if count(options.root.resolve(), options.folder) else 0
    with tempfile.TemporaryDirectory() as place:
        archive = subprocess.run(["git", "-C", options.root, "archive", options.revision],
                                 check=True, capture_output=True).stdout
        packed = pathlib.Path(place, "tree.tar")
        packed.write_bytes(archive)
        with tarfile.open(packed) as tar:
            tar.extractall(place, filter="data")
        return 1 if count(pathlib.Path(place), options.folder) else 0


if __name__ == "__main__":
    sys.exit(main())
