"""The commands of samples/README.md ("Try it") as they stand there: a trainer of one's own, in Python
without libraries, goes through sweep, replicates and report. And: interrupted, it ends with the same."""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

parser = argparse.ArgumentParser()
parser.add_argument("--bin-dir", default="build/bin")
arguments, rest = parser.parse_known_args()
BIN = pathlib.Path(arguments.bin_dir).resolve()
sys.argv[1:] = rest
ROOT = pathlib.Path(__file__).resolve().parents[2]


def documented_commands():
    chapter = (ROOT / "samples" / "README.md").read_text().partition("## Try it")[2]
    return re.search(r"```\n(.*?)```", chapter, flags=re.S)[1].strip().splitlines()


class Samples(unittest.TestCase):
    def setUp(self):
        # Beside the samples, so that the commands' paths hold and reports do not land in the repository.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="scm-samples-"))
        os.symlink(ROOT / "samples", self.folder / "samples")
        self.environment = dict(os.environ, SCM_HOME=str(self.folder / "home"),
                                PATH=f"{BIN}:{os.environ['PATH']}")
        self.environment.pop("SCM_COORDINATOR", None)

    def tearDown(self):
        self.run_line("scmctl local down")
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_line(self, line):
        return subprocess.run(line.split(), cwd=self.folder, env=self.environment, text=True,
                              capture_output=True, timeout=300)

    def ask(self, line):
        done = self.run_line(line + " -o json")
        self.assertEqual(done.returncode, 0, f"{line}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def test_the_documented_commands(self):
        commands = documented_commands()
        self.assertGreaterEqual(len(commands), 4)
        for line in commands:
            done = self.run_line(line)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}\n{done.stderr}")
            if "--follow" in line:
                runs = self.ask("scmctl runs own-trainer")["runs"]
                self.assertEqual([run["state"] for run in runs], ["SUCCEEDED"] * 5)
                # The better of the two learning rates was replicated.
                self.assertEqual({run["parameters"]["training.learning_rate"] for run in runs
                                  if run["stage"] == "replicate"}, {0.2})
        report = next(self.folder.glob("runs/own-trainer-*/report.md"))
        self.assertIn("3 of 3 seeds", report.read_text())

    def test_a_run_that_diverges_says_so(self):
        text = (ROOT / "samples" / "fake.yaml").read_text().replace("./trainers", "samples/trainers")
        text = text.replace("[sweep, replicate, report]", "[replicate]")
        text = re.sub(r"^sweep:\n(  .*\n)+", "", text, flags=re.M)
        text = re.sub(r"learning_rate: [0-9.e-]+", "learning_rate: 1.0e+150", text)
        self.assertIn("1.0e+150", text)
        (self.folder / "diverges.yaml").write_text(text)
        self.run_line("scmctl local up --workers 1 --allow-trainer samples/trainers/minimal_trainer.py")
        identifier = self.ask("scmctl submit diverges.yaml")["experiment"]
        self.assertEqual(self.run_line(f"scmctl wait {identifier}").returncode, 4)
        for run in self.ask(f"scmctl runs {identifier}")["runs"]:
            self.assertEqual((run["state"], run["rule"]), ("ABORTED", "non_finite"))
        logs = self.run_line(f"scmctl logs {identifier}")
        self.assertNotIn("Traceback", logs.stdout + logs.stderr)

    def test_an_interrupted_run_ends_with_the_same(self):
        # Long enough to be caught in the middle.
        text = (ROOT / "samples" / "fake.yaml").read_text()
        text = text.replace("[sweep, replicate, report]", "[replicate]")
        text = re.sub(r"^sweep:\n(  .*\n)+", "", text, flags=re.M)
        text = text.replace("max_steps: 60", "max_steps: 800").replace("save_steps: 20", "save_steps: 400")
        text = text.replace("eval_steps: 5", "eval_steps: 400").replace("after_step: 40", "after_step: 799")
        text = text.replace("seeds: [11, 12, 13]", "seeds: [11]")
        text = text.replace("./trainers", "samples/trainers").replace("batch_size: 8", "batch_size: 600")
        (self.folder / "long.yaml").write_text(text)
        self.run_line("scmctl local up --workers 1 --allow-trainer samples/trainers/minimal_trainer.py")
        ends = []
        for interrupt in (False, True):
            identifier = self.ask("scmctl submit long.yaml")["experiment"]
            if interrupt:
                self.until(lambda: self.ask(f"scmctl runs {identifier}")["runs"][0]["step"] > 0)
                self.ask(f"scmctl pause {identifier}")
                state = lambda: self.ask(f"scmctl status {identifier}")["experiment"]["state"]
                self.until(lambda: state() == "PAUSED")
                self.assertLess(self.ask(f"scmctl runs {identifier}")["runs"][0]["step"], 800)
                self.ask(f"scmctl resume {identifier}")
            self.assertEqual(self.run_line(f"scmctl wait {identifier}").returncode, 0)
            run = self.ask(f"scmctl runs {identifier}")["runs"][0]
            self.assertEqual(run["attempts"], 2 if interrupt else 1)
            last = self.ask(f"scmctl checkpoints ls {run['id']}")["checkpoints"][-1]
            self.assertEqual(last["step"], 800)
            ends.append([file["sha256"] for file in last["files"]])
        self.assertEqual(ends[0], ends[1])

    def until(self, condition):
        deadline = time.monotonic() + 120
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not come about")
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main(verbosity=2)
