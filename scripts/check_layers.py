#!/usr/bin/env python3
"""Dependencies point down only. Fails, naming file and line, where a folder includes what it must not,
or where the pure core uses proto, gRPC, SQL, threads or wall time; and where JSON is read or written by
nlohmann's own functions, which throw, instead of common/json.h. Also where a namespace has two types of
one name (two programs may agree on that by luck, one may not), and where a header
that is reserved for one room (CPU kernels, write access to tables) is included elsewhere. And where a
test does not lie in the folder that mirrors the one which it tests.

    scripts/check_layers.py [ROOT]
"""
import pathlib
import re
import sys

# Folder → the project's folders it may include. The longest matching folder counts.
ALLOWED = {
    "common": {"common"},
    "experiment": {"common", "experiment"},
    "statistics": {"common", "statistics"},
    "corpus": {"common", "corpus"},
    "report": {"common", "experiment", "statistics", "report"},
    "claims": {"common", "claims"},
    "answers": {"common", "answers", "scm"},
    "coordinator/core": {"common", "experiment", "statistics", "coordinator/core"},
    "coordinator/store": {"common", "coordinator/store"},
    "coordinator/checkpoint": {"common", "coordinator/checkpoint"},
    "coordinator/state": {"common", "experiment", "coordinator/core", "coordinator/store",
                          "coordinator/state"},
    "coordinator/views": {"common", "experiment", "answers", "coordinator/core", "coordinator/store",
                          "coordinator/state", "coordinator/views", "scm"},
    "coordinator/controller": {"common", "experiment", "coordinator/core", "coordinator/store",
                               "coordinator/checkpoint", "coordinator/state", "coordinator/views",
                               "coordinator/controller", "coordinator/controller/stages"},
    "coordinator/controller/stages": {"common", "experiment", "coordinator/core", "coordinator/state",
                                      "coordinator/controller", "coordinator/controller/stages"},
    "coordinator/rpc": {"common", "answers", "coordinator/controller", "coordinator/core", "coordinator/state",
                        "coordinator/views", "coordinator/store", "coordinator/checkpoint",
                        "coordinator/rpc", "scm"},
    "coordinator/telemetry": {"common", "answers", "coordinator/core", "coordinator/state", "coordinator/views",
                              "coordinator/rpc", "coordinator/telemetry"},
    "model": {"common", "model"},
    "worker/link": {"common", "worker", "worker/link", "scm"},
    "worker/process": {"common", "worker", "worker/process"},
    "worker/host": {"common", "worker/link", "worker/host"},
    "worker/attempt": {"common", "corpus", "worker", "worker/attempt", "worker/link", "worker/process",
                       "worker/host"},
    "worker": {"common", "worker", "worker/attempt", "worker/link", "worker/process", "worker/host"},
    "trainer/protocol": {"common", "corpus", "experiment", "trainer/protocol"},
    "trainer/compute": {"common", "model", "trainer/compute"},
    "trainer/gang": {"common", "trainer/gang"},
    "trainer/data": {"common", "corpus", "experiment", "model", "trainer/compute", "trainer/gang",
                     "trainer/protocol", "trainer/data"},
    "trainer/loop": {"common", "corpus", "experiment", "model", "trainer/compute", "trainer/gang",
                     "trainer/protocol", "trainer/data", "trainer/loop"},
    "trainer/export": {"common", "model", "trainer/compute", "trainer/protocol", "trainer/data",
                       "trainer/loop", "trainer/export"},
    "trainer": {"common", "trainer", "trainer/protocol", "trainer/loop", "trainer/export"},
    "evaluator": {"common", "corpus", "model", "trainer/compute", "trainer/protocol", "trainer/data",
                  "trainer/loop", "evaluator"},
    "scmctl/render": {"common", "scmctl/render"},
    "scmctl": {"common", "experiment", "statistics", "corpus", "coordinator/core", "report", "claims", "model",
               "answers", "trainer/data", "scmctl", "scmctl/render", "scm"},
}
PURE = ("coordinator/core", "statistics", "claims")
# They know the messages of answers, and nothing of the network that carries them.
MESSAGES_ONLY = ("answers", "coordinator/views")
NETWORK = re.compile(r"grpc|worker\.pb\.h|experiment\.pb\.h")
IMPURE = re.compile(
    r"\.pb\.h|grpc|sqlite3|<thread>|<mutex>|<condition_variable>|<future>|<atomic>|<chrono>|<fstream>|"
    r"absl/time/clock\.h|absl/synchronization|common/clock\.h|common/files\.h|absl::Now\(")
# What throws at bytes of others; common/json.cc alone may use it.
THROWING = re.compile(r"(\.|->)dump\(|[jJ]son::parse\(")
MAY_THROW = "common/json.cc"
# Folders of the project that belong to no layer.
OTHER_CODE = ("bench", "samples")
# The kernels behind trainer/compute/kernels.h: who else uses them chooses an instruction set by hand.
# Header (or folder of headers) → who alone may include it, and what that is called.
RESERVED = (
    ("trainer/compute/cpu/", re.compile(r"trainer/compute/"), "the compute room"),
    ("coordinator/state/table_writer.h", re.compile(r"(coordinator/state|tests/coordinator)/"),
     "the reducer's room (and tests)"),
)
# A test is about the folder of its first include, apart from these, whose words all folders share.
SHARED = {"common", "experiment", "answers", "scm"}
# Tests that first include something else: why, and which.
ABOUT_ITS_FOLDER_ALL_THE_SAME = {
    "by a controller, and another folder's functions tell what came of it": (
        "coordinator/controller/placement_test.cc", "coordinator/controller/ranks_test.cc",
        "coordinator/controller/simulation_test.cc", "coordinator/controller/sweep_packs_test.cc",
        "coordinator/controller/time_test.cc", "coordinator/controller/stages/judge_test.cc"),
    "by a server, with what a server needs": (
        "coordinator/rpc/border_fuzz_test.cc", "coordinator/rpc/session_binding_test.cc"),
    "by a program, with what is laid before it": (
        "evaluator/end_to_end_test.cc", "evaluator/inputs_test.cc", "trainer/loop/end_to_end_test.cc",
        "trainer/data/inputs_test.cc", "worker/daemon_events_test.cc", "worker/daemon_memory_test.cc",
        "worker/process/process_test.cc"),
    "by a simulation of it": ("coordinator/core/policy/abort_rates_test.cc",),
    "by what its folder makes of another one's": (
        "model/companion_test.cc", "trainer/data/conversations_test.cc", "trainer/export/export_test.cc",
        "trainer/loop/files_test.cc", "trainer/protocol/agreement_test.cc"),
}
# A namespace opened or closed, or a type defined, at the start of a line, as clang-format leaves them.
SCOPE = re.compile(r"^(?:namespace (?P<open>[\w:]*) ?\{|(?P<close>\}  // namespace)"
                   r"|(?:class|struct|enum class|enum) (?:\[\[\w+\]\] )?(?P<type>\w+)(?: final)?(?: :.*)?(?: \{.*)?$)")
INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"')


def folder_of(path: str):
    best = None
    for folder in ALLOWED:
        if path.startswith(folder + "/") and (best is None or len(folder) > len(best)):
            best = folder
    return best


def problems_of(root: pathlib.Path, path: pathlib.Path):
    name = path.relative_to(root).as_posix()
    folder = folder_of(name)
    if folder is None:
        return
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if folder.startswith(PURE) and IMPURE.search(line) and not line.lstrip().startswith("//"):
            yield f"{name}:{number}: {folder} is pure, but has: {line.strip()}"
        match = INCLUDE.match(line)
        if folder in MESSAGES_ONLY and line.startswith("#include") and NETWORK.search(line):
            yield f"{name}:{number}: {folder} knows the messages of answers only: {line.strip()}"
        if not match:
            continue
        target = folder_of(match.group(1)) or match.group(1).split("/")[0]
        known = target in ALLOWED or target == "scm"
        if known and target not in ALLOWED[folder]:
            yield f"{name}:{number}: {folder} must not include {target} ({match.group(1)})"


def throwing_json(root: pathlib.Path, path: pathlib.Path):
    name = path.relative_to(root).as_posix()
    if name == MAY_THROW:
        return
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if THROWING.search(line) and not line.lstrip().startswith("//"):
            yield f"{name}:{number}: use ParseJson or DumpJson, which cannot throw: {line.strip()}"


def types_of(path: pathlib.Path):
    """(namespace, type, line) of every type that other files can see."""
    scopes = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = SCOPE.match(line)
        if not match:
            continue
        if match["open"] is not None:
            scopes.append(match["open"] or "(anonymous)")
        elif match["close"]:
            scopes.pop()
        elif scopes and "(anonymous)" not in scopes and ("{" in line or not line.endswith(";")):
            yield "::".join(scopes), match["type"], number


def types_twice(root: pathlib.Path, paths):
    first = {}
    for path in paths:
        name = path.relative_to(root).as_posix()
        for namespace, kind, number in types_of(path):
            known = first.setdefault((namespace, kind), f"{name}:{number}")
            if known != f"{name}:{number}":
                yield f"{name}:{number}: {namespace} has a type {kind} already: {known}"


def reserved_includes(root: pathlib.Path, path: pathlib.Path):
    name = path.relative_to(root).as_posix()
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        for header, allowed, room in RESERVED:
            if match and match.group(1).startswith(header) and not allowed.match(name):
                yield f"{name}:{number}: only {room} includes {match.group(1)}"


def tested_folder(mirrored: str, includes):
    """The folder of what a test is about, by its includes; None where they tell nothing."""
    for include in includes:
        folder = include.rpartition("/")[0]
        if folder == mirrored or folder_of(include) and include.split("/")[0] not in SHARED:
            return folder
    # By real processes or a fixture alone.
    for include in includes:
        if include.startswith("tests/") and not include.startswith("tests/fakes/"):
            return include.rpartition("/")[0][len("tests/"):]
    return next(filter(None, map(folder_of, includes)), None)


def misplaced_tests(root: pathlib.Path):
    declared = {name for names in ABOUT_ITS_FOLDER_ALL_THE_SAME.values() for name in names}
    for path in sorted((root / "tests").glob("**/*_test.cc")):
        name = path.relative_to(root / "tests").as_posix()
        mirrored = name.rpartition("/")[0]
        includes = [match.group(1) for match in map(INCLUDE.match, path.read_text().splitlines()) if match]
        tested = tested_folder(mirrored, includes)
        if tested is not None and tested != mirrored and name not in declared:
            yield f"tests/{name}: tests {tested}/, so it belongs to tests/{tested}/"
        elif tested == mirrored and name in declared:
            yield f"tests/{name}: is no exception any more"


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = []
    for folder in ALLOWED:
        for suffix in ("*.h", "*.cc"):
            for path in sorted((root / folder).glob(f"**/{suffix}")):
                if folder_of(path.relative_to(root).as_posix()) == folder:
                    found.extend(problems_of(root, path))
                    found.extend(throwing_json(root, path))
    everything = [path for folder in (*ALLOWED, *OTHER_CODE) for suffix in ("*.h", "*.cc")
                  for path in sorted((root / folder).glob(f"**/{suffix}"))]
    everything = list(dict.fromkeys(everything))
    found.extend(types_twice(root, everything))
    found.extend(misplaced_tests(root))
    for path in everything:
        found.extend(reserved_includes(root, path))
    for folder in OTHER_CODE:
        for path in sorted((root / folder).glob("**/*.cc")):
            found.extend(throwing_json(root, path))
    for problem in found:
        print(problem)
    print(f"{len(found)} layer violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
