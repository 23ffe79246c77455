"""The layer check passes on the tree, and fails on each kind of planted violation."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHECK = ROOT / "scripts" / "check_layers.py"


def check(root):
    return subprocess.run([sys.executable, CHECK, root], stdout=subprocess.PIPE, text=True)


# What CONTRIBUTING says how to add, held against one that is there: title, number of files that every such thing
# touches, how to find it in the sources, the files that are it, and those that have to do with what only this one can.
ADDED = (
    ("A stage", 5, r"StageKind::kReport\b|\bReportStage\b",
     [f"coordinator/controller/stages/report_stage.{ending}" for ending in ("h", "cc")], []),
    ("A searcher", 2, r"\"random\"", [], []),
    ("An abort rule", 5, r"NoConvergence|\"no_convergence\"",
     [f"coordinator/core/policy/no_convergence.{ending}" for ending in ("h", "cc")],
     ["coordinator/state/persist.cc",   # rows that do not say yet what the searcher may make of an abort
      "experiment/checks.cc",           # a loss needs validations
      "report/trained.cc"]),            # the report judges by the same reduction
    ("A metric", 1, r"\"scm_run_grad_norm\"", [], []),
    ("A table", 4, r"\bCertificateRecord\b|\busing CertificateId\b", [],
     ["coordinator/controller/policy_runner.cc",                           # what certifies an abort
      *(f"coordinator/core/record_event.{ending}" for ending in ("h", "cc")),  # one may turn void
      *(f"coordinator/state/references.{ending}" for ending in ("h", "cc")),   # it refers to a run
      "coordinator/views/why_view.cc"]),                                   # what shows it
)


class Layers(unittest.TestCase):
    def test_the_tree_is_clean(self):
        done = check(ROOT)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_planted_violations_are_found(self):
        for line in ('#include "scm/v1/worker.pb.h"', "#include <grpcpp/grpcpp.h>",
                     "#include <sqlite3.h>", "#include <thread>", "#include <mutex>",
                     '#include "absl/time/clock.h"', '#include "common/clock.h"',
                     '#include "coordinator/store/state_store.h"', "auto t = absl::Now();"):
            with self.subTest(line=line), tempfile.TemporaryDirectory() as root:
                folder = pathlib.Path(root, "coordinator", "core")
                folder.mkdir(parents=True)
                (folder / "planted.cc").write_text(f"// first line\n{line}\n")
                done = check(root)
                self.assertEqual(done.returncode, 1)
                self.assertIn("planted.cc:2", done.stdout)

    def test_json_that_throws_is_found_wherever_it_stands(self):
        for folder in ("coordinator/rpc", "scmctl", "bench", "common"):
            for line in ("reply.set_json(answer.dump());", "Print(json->dump(2));",
                         "const auto json = nlohmann::json::parse(text);", "Json::parse(text);"):
                with self.subTest(folder=folder, line=line), tempfile.TemporaryDirectory() as root:
                    pathlib.Path(root, folder).mkdir(parents=True)
                    pathlib.Path(root, folder, "planted.cc").write_text(f"// .dump(\n{line}\n")
                    done = check(root)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn("planted.cc:2", done.stdout)
                    self.assertIn("1 layer violations", done.stdout)

    def test_a_type_stands_once_in_a_namespace(self):
        for second, problems in (("namespace scm::worker {\nstruct Grant {\n};\n}  // namespace scm::worker\n", 1),
                                 ("namespace scm::core {\nstruct Grant {\n};\n}  // namespace scm::core\n", 0),
                                 ("namespace scm::worker {\nnamespace {\nstruct Grant {};\n}  // namespace\n"
                                  "}  // namespace scm::worker\n", 0),
                                 ("namespace scm::worker {\nstruct Grant;\n}  // namespace scm::worker\n", 0),
                                 ("namespace scm::worker {\nenum class Grant : int;\n}  // namespace scm::worker\n", 0),
                                 ("namespace scm::worker {\nstruct Grant {};\n}  // namespace scm::worker\n", 1),
                                 ("namespace scm::worker {\nenum class Grant { kOne, kTwo };\n"
                                  "}  // namespace scm::worker\n", 1),
                                 ("namespace scm::worker {\nclass Grant final : public Base {\n};\n"
                                  "}  // namespace scm::worker\n", 1)):
            with self.subTest(second=second), tempfile.TemporaryDirectory() as root:
                for folder, text in (("worker", "namespace scm::worker {\nstruct Grant {\n};\n}  // namespace\n"),
                                     ("scmctl", second)):
                    pathlib.Path(root, folder).mkdir()
                    pathlib.Path(root, folder, "planted.h").write_text(text)
                done = check(root)
                self.assertIn(f"{problems} layer violations", done.stdout)
                self.assertEqual(done.returncode, problems)
                if problems:
                    self.assertIn("scm::worker has a type Grant already", done.stdout)

    def test_what_is_reserved_for_a_room_is_included_there_only(self):
        gemm, writer = "trainer/compute/cpu/gemm.h", "coordinator/state/table_writer.h"
        for header, folder, problems in (
                (gemm, "trainer/compute/cpu", 0), (gemm, "trainer/loop", 1), (gemm, "evaluator", 1),
                (gemm, "bench", 1), (writer, "coordinator/state", 0), (writer, "tests/coordinator/rpc", 0),
                (writer, "coordinator/controller", 1), (writer, "coordinator/rpc", 1)):
            with self.subTest(header=header, folder=folder), tempfile.TemporaryDirectory() as root:
                pathlib.Path(root, folder).mkdir(parents=True)
                pathlib.Path(root, folder, "planted.cc").write_text(f'#include "{header}"\n')
                self.assertIn(f"{problems} layer violations", check(root).stdout)

    def test_a_test_lies_in_the_folder_that_mirrors_what_it_tests(self):
        views, harness = '#include "coordinator/views/views.h"', '#include "tests/coordinator/controller/harness.h"'
        for folder, lines, problems in (
                ("coordinator/views", [views, harness], 0), ("coordinator/controller", [views, harness], 1),
                ("coordinator/controller", [harness], 0), ("coordinator/state", [harness], 1),
                ("coordinator/views", ['#include "common/files.h"', views], 0),
                ("model", ['#include "common/utf8.h"'], 1), ("common", ['#include "common/utf8.h"', views], 0),
                ("model", ['#include "model/tokenize/bpe.h"'], 1)):
            with self.subTest(folder=folder, lines=lines), tempfile.TemporaryDirectory() as root:
                pathlib.Path(root, "tests", folder).mkdir(parents=True)
                pathlib.Path(root, "tests", folder, "planted_test.cc").write_text("\n".join(lines))
                done = check(root)
                self.assertIn(f"{problems} layer violations", done.stdout)
                if problems:
                    self.assertIn(f"tests/{folder}/planted_test.cc: tests ", done.stdout)

    def test_what_is_added_is_the_few_files_that_contributing_names(self):
        text = (ROOT / "CONTRIBUTING.md").read_text()
        sources = {path.relative_to(ROOT).as_posix(): path.read_text()
                   for folder in ("common", "experiment", "corpus", "coordinator", "worker", "report", "scmctl")
                   for path in (ROOT / folder).glob("**/*") if path.suffix in (".h", ".cc", ".def")}
        for title, count, word, own, peculiar in ADDED:
            with self.subTest(title):
                paragraph = re.search(rf"\*\*{title}\.?\*\*(.*?)\n\n", text, re.DOTALL).group(1)
                named = set(re.findall(r"`([a-z_]+/[\w/]+\.(?:h|cc|def))`", paragraph[:paragraph.index("That is all")]))
                self.assertEqual(len(named), count, named)
                found = {name for name, source in sources.items() if re.search(word, source)}
                self.assertEqual(found, named | set(own) | set(peculiar))

    def test_no_folders_form_a_circle(self):
        done = subprocess.run([sys.executable, ROOT / "scripts" / "count_arrows.py"],
                              stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_circle_of_folders_is_found_and_named(self):
        with tempfile.TemporaryDirectory() as root:
            for folder, other in (("room/a", "room/b/x.h"), ("room/b", "room/a/x.h")):
                pathlib.Path(root, folder).mkdir(parents=True)
                pathlib.Path(root, folder, "x.h").write_text(f'#include "{other}"\n')
            done = subprocess.run([sys.executable, ROOT / "scripts" / "count_arrows.py", "--root", root],
                                  stdout=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("circle: a/ → b/ → a/", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
