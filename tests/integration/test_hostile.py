"""Bytes that are no text, through the whole chain: a trainer that prints and reports them, directories
named in another encoding, rows that cannot be read. Nothing dies; what is wrong is named."""
import json
import os
import pathlib
import pty
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from mini_cluster import BIN, MiniCluster, experiment, run_tests

# Reports the lines that the experiment names (in hexadecimal), prints what it names, then trains.
TRAINER = """#!/usr/bin/env python3
import json, os, sys
spec = json.load(open(os.environ["SCM_SPEC"]))
fd = int(os.environ["SCM_REPORT_FD"])
wanted = spec["parameters"]["trainer"]["parameters"]
def report(**line):
    os.write(fd, (json.dumps(line) + "\\n").encode())
report(type="started")
os.write(1, bytes.fromhex(wanted.get("print", "")))
for line in wanted.get("lines", []):
    os.write(fd, bytes.fromhex(line) + b"\\n")
if wanted.get("end", 0) >= 0 and "last" not in wanted:
    for step in range(1, spec["stop_at_step"] + 1):
        report(type="progress", step=step, metrics={"train_loss": 1.0 / step})
    directory = os.path.join(spec["work_dir"], "step")
    os.makedirs(directory)
    open(os.path.join(directory, "state"), "w").write("x")
    report(type="validation", step=step, metrics={"validation_loss": 0.5})
    report(type="checkpoint", step=step, dir=directory)
    report(type="done", summary={"final_step": step})
sys.exit(wanted.get("end", 0))
"""


class Cluster(MiniCluster):
    def __init__(self):
        self.scripts = tempfile.mkdtemp(prefix="scm-hostile-")
        self.trainer = pathlib.Path(self.scripts, "trainer.py")
        self.trainer.write_text(TRAINER)
        self.trainer.chmod(0o755)
        super().__init__(workers=1)

    def up(self):
        self.scmctl("local", "up", "--workers", self.workers, "--allow-trainer", self.trainer, check=True)

    def own(self, name, **parameters):
        text = experiment(name=name, seeds=(11,), script=json.dumps(parameters), retries=0, max_steps=20)
        return text[:text.index("command: [")] + f"command: [{self.trainer}" + \
            text[text.index("], parameters"):]

    def close(self):
        super().close()
        shutil.rmtree(self.scripts)


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def events(self, experiment_id, kind):
        events = self.cluster.json("events", experiment_id)["events"]
        return [event["text"] for event in events if event["kind"] == kind]

    def restart(self):
        self.cluster.scmctl("local", "down", check=True)
        self.cluster.up()

    def test_a_report_line_that_is_no_text_is_named_and_the_run_succeeds(self):
        lines = [("x" + "ñ" * 300).encode()[:400], b"caf\xe9", b"a\0b", b"\x1b[2J", b"[" * 2000,
                 b'{"type":"progress","step":"12"}', b'{"type":"progress","step":-3}',
                 b'{"type":"progress","step":1e18}', b'{"type":"validation","step":999999}']
        for cut in (200, 201):
            lines.append(("x" + "ñ" * 300).encode()[:cut])
        e = self.cluster.submit(self.cluster.own("bad-lines", lines=[line.hex() for line in lines]))
        self.assertEqual(self.cluster.wait(e), 0, self.cluster.logs())
        self.assertEqual(len(self.events(e, "bad_report")), 4)  # 1, 2, 3, 10
        self.assertRegex(self.events(e, "bad_report")[3], "so far 1[01] lines")
        self.assertEqual(self.cluster.json("runs", e)["runs"][0]["step"], 20)
        self.restart()
        self.assertEqual(self.cluster.scmctl("status", e).returncode, 0)
        self.assertNotIn("\x1b", self.cluster.scmctl("events", e).stdout)

    def test_a_last_word_with_a_lone_surrogate_keeps_its_kind_and_message(self):
        word = rb'{"type":"failed","kind":"bad_input","message":"no \ud83d such \u001b[2J file"}'
        e = self.cluster.submit(self.cluster.own("lone", lines=[word.hex()], last=1, end=1))
        self.assertEqual(self.cluster.wait(e), 3)
        why = self.cluster.json("why", self.cluster.json("runs", e)["runs"][0]["id"])
        self.assertIn("bad_input: no \ufffd such \ufffd[2J file", why["reasons"][0]["text"])
        word = rb'{"type":"done","summary":{"note":"\udc00"}}'
        e = self.cluster.submit(self.cluster.own("lone-done", lines=[word.hex()], last=1))
        self.cluster.wait(e)
        self.assertEqual(self.cluster.json("runs", e)["runs"][0]["state"], "SUCCEEDED")

    def test_logs_are_bytes_for_a_pipe_and_text_for_a_terminal(self):
        raw = b"caf\xe9 \x1b[2J\x1b[31mred\x1b[0m \0 end\n"
        e = self.cluster.submit(self.cluster.own("log", print=raw.hex()))
        self.assertEqual(self.cluster.wait(e), 0)
        done = subprocess.run([BIN / "scmctl", "logs", e], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=dict(os.environ, SCM_HOME=self.cluster.home))
        self.assertEqual(done.stdout, raw)
        master, slave = pty.openpty()
        shown = subprocess.Popen([BIN / "scmctl", "logs", e], stdout=slave, stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, SCM_HOME=self.cluster.home, TERM="xterm"))
        os.close(slave)
        text = b""
        try:
            while piece := os.read(master, 65536):
                text += piece
        except OSError:
            pass  # how a terminal says that its other side is closed
        self.assertEqual(shown.wait(), 0)
        os.close(master)
        self.assertIn("caf\ufffd \x1b[31mred\x1b[0m  end", text.decode())
        self.assertNotIn(b"[2J", text)

    def test_a_directory_in_another_encoding_is_an_error_in_words(self):
        directory = os.path.join(os.fsencode(self.cluster.scripts), b"caf\xe9")
        os.makedirs(os.path.join(directory, b"c", b"documents"))
        os.makedirs(os.path.join(directory, b"c", b"items"))
        path = os.path.join(directory, b"e.yaml")
        with open(path, "w") as file:
            file.write(experiment(name="latin", seeds=(11,)).replace(
                "trainer:", "model: {base: m.gguf}\ndata: {corpus: c}\ntrainer:", 1)
                .replace(str(BIN / "scm-fake-trainer"), "scm-trainer"))
        environment = dict(os.environ, SCM_HOME=self.cluster.home)
        for verb in ("validate", "plan", "submit"):
            for form in ("table", "json"):
                done = subprocess.run([BIN / "scmctl", verb, path, "-o", form], env=environment,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 2, (verb, form, done.stderr))
                said = (done.stdout + done.stderr).decode()  # UTF-8, whatever was asked
                self.assertIn("is not UTF-8", said, (verb, form))
                self.assertNotIn("terminate", said)

    def test_a_file_in_another_encoding_beside_the_corpus_is_a_warning(self):
        corpus = pathlib.Path(self.cluster.scripts, "corpus")
        shutil.copytree(pathlib.Path(__file__).resolve().parents[2] / "samples" / "corpus", corpus)
        with open(os.path.join(os.fsencode(corpus), b"documents", b"espa\xf1a.txt"), "w") as file:
            file.write("x")
        path = pathlib.Path(self.cluster.scripts, "corpus.yaml")
        path.write_text(f"name: x\nmodel: {{base: nowhere.gguf}}\ndata: {{corpus: {corpus}}}\n")
        for form in ("table", "json"):
            done = self.cluster.scmctl("validate", path, "-o", form)
            self.assertEqual(done.returncode, 2)
            self.assertIn("espa\ufffda.txt: ignored", done.stdout + done.stderr)
        self.assertIn("errors", json.loads(done.stdout))

    def test_rows_that_cannot_be_read_cost_their_own_experiment_and_doctor_names_them(self):
        first = self.cluster.submit(self.cluster.own("first-of-two"))
        second = self.cluster.submit(self.cluster.own("second-of-two"))
        for e in (first, second):
            self.assertEqual(self.cluster.wait(e), 0)
        self.cluster.until(lambda: self.cluster.json("doctor")["healthy"], what="health")
        run = self.cluster.json("runs", first)["runs"][0]["id"]
        self.cluster.scmctl("local", "down", check=True)
        database = sqlite3.connect(pathlib.Path(self.cluster.home, "coordinator", "scm.db"))
        sound = database.execute("SELECT body FROM runs WHERE id = ?", (run,)).fetchone()[0]
        database.execute("UPDATE runs SET body = ? WHERE id = ?", ("{\"id\": \"caf", run))
        database.commit()
        database.close()
        self.cluster.up()
        self.assertIn(f"set aside: runs {run}", self.cluster.logs())
        self.assertEqual(self.cluster.json("status", second)["experiment"]["state"], "SUCCEEDED")
        self.assertIn("set aside", self.cluster.json("status", first)["experiment"]["reason"])
        done = self.cluster.scmctl("doctor")
        self.assertEqual(done.returncode, 1)
        self.assertIn(run, done.stdout)
        self.assertIn("problem", done.stdout)
        self.assertEqual(len(self.events(first, "row_set_aside")), 1)
        third = self.cluster.submit(self.cluster.own("third"))
        self.assertEqual(self.cluster.wait(third), 0)
        self.cluster.scmctl("local", "down", check=True)
        database = sqlite3.connect(pathlib.Path(self.cluster.home, "coordinator", "scm.db"))
        kept = database.execute("SELECT body FROM runs WHERE id = ?", (run,)).fetchone()[0]
        self.assertEqual(kept, "{\"id\": \"caf", "it stays as it is")
        database.execute("UPDATE runs SET body = ? WHERE id = ?", (sound, run))
        database.commit()
        database.close()
        self.cluster.up()
        self.assertEqual(len(self.cluster.json("runs", first)["runs"]), 1)
        self.cluster.until(lambda: self.cluster.scmctl("doctor").returncode == 0, what="health")

    def test_doctor_without_a_coordinator(self):
        environment = dict(os.environ, SCM_HOME=self.cluster.scripts + "/nowhere")
        environment.pop("SCM_COORDINATOR", None)
        done = subprocess.run([BIN / "scmctl", "doctor"], env=environment, text=True,
                              stdout=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("scmctl local up", done.stdout)


if __name__ == "__main__":
    run_tests()
