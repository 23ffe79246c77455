"""docs/json.md against a real cluster with a scripted trainer: every key that any verb prints is
documented with its type, every documented key is printed, and every verb's exit codes are the documented
ones. The scripted trainer also plays the evaluator and the exporter, so the model is a directory of zeros."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
import mini_cluster  # noqa: E402
import tiny_model  # noqa: E402
from json_document import Contract, read_document  # noqa: E402
from mini_cluster import MiniCluster, experiment  # noqa: E402

PROGRAMS = ["scmctl", "scm-coordinator", "scm-worker", "scm-attempt", "scm-report",
            "scm-fake-trainer"]

# What DESIGN promises to other programs: these keys, in these places.
PROMISED = {
    "submit": "experiment",
    "ls": "experiments[].id .name .state .stage .decision .submitted_at",
    "status": "experiment.id .name .state .stage .decision .reason .cost .currency .budget "
              "stages[].name .state .gate .reason "
              "runs[].id .experiment .stage .trial .task .seed .state .reason .rule .step .max_steps "
              ".attempts .worker .parameters.* "
              "tasks[].id .kind .stage .run .state .attempts .worker .reason",
    "runs": "runs[].id .experiment .stage .trial .task .seed .state .reason .rule .step .max_steps "
            ".attempts .worker .parameters.*",
    "metrics": "run points[].attempt .step .name .value",
    "checkpoints ls": "checkpoints[].id .run .attempt .step .state .bytes .sha256 .path "
                      ".files[].path .files[].bytes .files[].sha256",
    "workers ls": "workers[].id .host .state .gpus[].index .cpus .version .last_seen .tasks[]",
    "local status": "coordinator metrics_url data_dir workers[] pids.coordinator pids.workers.*",
    "why": "id reasons[].at .subject .rule .verdict .text .certificate",
    "doctor": "healthy checks[].check .state .text .advice",
    "plan": "tasks stages[].name rungs[].step cost.p50 .p90 .currency finish.p50 .p90 unplaceable "
            "statistics.min_p .detectable_effect warnings[]",
}

FULL = """
name: full
stages: [check, sweep, replicate, evaluate, export, report]
model: {{base: {folder}/model}}
data: {{corpus: {corpus}}}
trainer: {{command: [{fake}], parameters: {{items: 60}}}}
training: {{learning_rate: 2.0e-4, batch_size: 8, max_steps: 60, warmup_steps: 0, save_steps: 20,
  eval_steps: 5, early_stopping: none}}
check: {{steps: 10}}
sweep: {{search: grid, max_trials: 2, seed: 1,
  space: {{training.learning_rate: {{choice: [2.0e-4, 3.0e-4]}}}}}}
replicate: {{seeds: [11, 12, 13, 14, 15]}}
abort: {{no_convergence: none, below_random: none, stalled: none}}
budget: {{limit: 5.0, currency: EUR, cpu_hour: 0.05}}
evaluation: {{tasks: [legal_reasoning], baselines: [{{name: other, predictions: {folder}/answers.jsonl}}],
  primary: {{task: legal_reasoning, baseline: other}}, gates: {{accuracy: 0.99, p_value: 0.05}}}}
export: {{formats: [peft]}}
"""
CORPUS = pathlib.Path(__file__).resolve().parents[2] / "samples" / "corpus"
BUDGET = "budget: {limit: 5.0, currency: EUR, cpu_hour: 0.05}"


def paths(promise):
    """"a[].id .name b" → a[].id, a[].name, b: a word with a leading dot shares its predecessor's parent."""
    parent, found = "", []
    for word in promise.split():
        if word.startswith("."):
            found.append(parent + word)
        else:
            found.append(word)
            head, dot, _ = word.partition("." if "[]" not in word else "[].")
            parent = head + ("[]" if "[]" in word else "") if dot else ""
    return found


class Document(unittest.TestCase):
    def test_it_holds_everything_that_was_promised(self):
        commands = read_document()
        for command, promise in PROMISED.items():
            for path in paths(promise):
                self.assertIn(path, commands[command], f"{command} in docs/json.md")

    def test_it_names_only_types_that_it_explains(self):
        for command, keys in read_document().items():
            self.assertTrue(keys, f"{command} has no keys")
            for path, key in keys.items():
                key.accepts(0)  # raises for a type that nobody knows
                self.assertRegex(path, r"^[a-z_0-9]+(\[\]|\.[a-z_0-9]+|\.\*)*$", command)


class JsonContract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Programs find each other beside themselves: with the scripted one under the names of evaluator
        # and trainer, every stage can be played.
        cls.folder = tempfile.mkdtemp(prefix="scm-json-")
        programs = pathlib.Path(cls.folder, "bin")
        programs.mkdir()
        for name in PROGRAMS:
            shutil.copy2(mini_cluster.BIN / name, programs / name)
        for name in ("scm-evaluator", "scm-trainer"):
            shutil.copy2(mini_cluster.BIN / "scm-fake-trainer", programs / name)
        # A management library that knows two GPUs, so that workers have some to list.
        os.symlink(mini_cluster.BIN / "libscm_fake_nvml.so",
                   pathlib.Path(cls.folder, "libnvidia-ml.so.1"))
        os.environ["LD_LIBRARY_PATH"] = cls.folder
        mini_cluster.BIN, mini_cluster.FAKE = programs, programs / "scm-fake-trainer"
        cls.contract = Contract()
        cls.cluster = MiniCluster(workers=2)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def ask(self, *words, code=0, command=None):
        """Runs the command with -o json, checks exit code and shape, and returns the answer."""
        done = self.cluster.scmctl(*words, "-o", "json")
        what = f"scmctl {' '.join(map(str, words))}"
        self.assertEqual(done.returncode, code, f"{what}: {done.stdout}{done.stderr}")
        answer = json.loads(done.stdout)  # one document, and nothing else
        command = command or next(name for name in sorted(self.contract.commands, key=len, reverse=True)
                                  if what.startswith("scmctl " + name))
        self.assertEqual(self.contract.problems(command, answer), [], what)
        return answer

    def refused(self, code, *words):
        """An error: the code, a message, and nothing on standard output that a program could misread."""
        done = self.cluster.scmctl(*words, "-o", "json")
        what = f"scmctl {' '.join(map(str, words))}: {done.stdout}{done.stderr}"
        self.assertEqual(done.returncode, code, what)
        self.assertEqual(done.stdout, "", what)
        self.assertNotEqual(done.stderr.strip(), "", what)

    def write(self, name, text):
        path = pathlib.Path(self.cluster.home, name)
        path.write_text(text)
        return path

    def submit(self, **keys):
        return self.ask("submit", self.write("next.yaml", experiment(**keys)))["experiment"]

    def ask_elsewhere(self, *words):
        """As `ask`, on a machine without a coordinator."""
        with tempfile.TemporaryDirectory() as home:
            environment = dict(os.environ, SCM_HOME=home)
            environment.pop("SCM_COORDINATOR", None)
            done = subprocess.run([mini_cluster.BIN / "scmctl", *map(str, words), "-o", "json"],
                                  env=environment, text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_every_verb(self):
        self.before_anything_runs()
        self.an_experiment_with_every_stage()
        self.one_that_is_aborted()
        self.one_that_fails()
        self.several_runs_in_one_process()
        self.one_that_is_paused_drained_and_cancelled()
        self.a_cluster_that_goes_down_and_up()
        self.assertEqual(self.contract.missing(), [], "documented in docs/json.md, but never printed")

    def full_experiment(self):
        """With everything that it names."""
        if not (folder := pathlib.Path(self.folder, "inputs")).exists():
            folder.mkdir()
            tiny_model.write(folder / "model")
            items = [json.loads(line)["id"] for line in
                     (CORPUS / "items" / "legal_reasoning.jsonl").read_text().splitlines()]
            (folder / "answers.jsonl").write_text(
                "".join(json.dumps({"id": item, "predicted": 0}) + "\n" for item in items))
        return FULL.format(fake=mini_cluster.FAKE, folder=folder, corpus=CORPUS)

    def before_anything_runs(self):
        full = self.write("full.yaml", self.full_experiment())
        both = lambda: len(self.ask("local", "status")["workers"]) == 2
        self.cluster.until(both, what="two registered workers")
        self.assertEqual(len(self.ask("local", "status")["pids"]["workers"]), 2)
        self.ask("local", "up", "--workers", "2", "--allow-trainer", mini_cluster.FAKE)
        self.assertEqual(self.ask("ls")["experiments"], [])
        self.ask("version")
        self.assertTrue(self.ask("doctor")["healthy"])
        self.assertTrue(self.ask("validate", full)["valid"])
        wrong = self.write("wrong.yaml", self.full_experiment().replace("eval_steps", "evil"))
        self.assertFalse(self.ask("validate", wrong, code=2)["valid"])
        self.refused(2, "submit", wrong)
        self.refused(2, "validate", "no-such-file.yaml")
        self.refused(2, "plan", wrong)
        # Nothing measured yet; nowhere at all; and something that fits on no worker.
        self.assertIsNone(self.ask("plan", full)["cost"]["p50"])
        plan = self.ask_elsewhere("plan", full)
        self.assertEqual(self.contract.problems("plan", plan), [])
        for key in ("unplaceable", "slots"):
            self.assertIsNone(plan[key])
        self.assertEqual((plan["cost"]["p50"], plan["finish"]["p50"]), (None, None))
        self.assertNotEqual(plan["missing"], [])
        large = self.write("large.yaml", self.full_experiment() + "resources: {cpus: 999}\n")
        self.assertNotEqual(self.ask("plan", large, code=5)["unplaceable"], [])
        auto = "".join(line for line in self.full_experiment().splitlines(keepends=True)
                       if not line.startswith("trainer:")).replace("15]}", "15], packed: auto}")
        plan = self.ask("plan", self.write("auto.yaml", auto))
        self.assertIn("replicate.packed: auto", plan["packing"])
        packed = self.write("packed.yaml", experiment(stages="[sweep]", extra=(
            "sweep: {search: grid, packed: true, space: {training.learning_rate: {choice: [1.0e-4, 2.0e-4]}}}")))
        self.assertEqual(self.ask("plan", packed)["packing"], "the 2 trials train in one process")
        self.assertGreater(plan["training"]["epochs"], 0)
        # The price of each kind of GPU that the workers have, by whole words of its name.
        rented = self.write("rented.yaml", experiment(
            extra="resources: {gpus: 1}\nbudget: {limit: 5.0, gpu_hour: {A10: 1.0, H200: 3.5}}"))
        plan = self.ask("plan", rented)
        self.assertEqual([(gpu["gpu"], gpu["key"], gpu["gpu_hour"]) for gpu in plan["gpu_prices"]],
                         [("NVIDIA A100-SXM4-80GB", None, None), ("NVIDIA H200", "H200", 3.5)])
        self.assertIn("budget.gpu_hour.A10 names none", " ".join(plan["warnings"]))

    def an_experiment_with_every_stage(self):
        identifier = self.ask("submit", self.cluster.home + "/full.yaml")["experiment"]
        ended = self.ask("wait", identifier, code=7)
        self.assertEqual(ended["experiment"]["decision"], "no_go", self.cluster.logs())
        self.assertEqual([stage["name"] for stage in ended["stages"]],
                         ["check", "sweep", "replicate", "evaluate", "export", "report"])
        self.assertEqual(ended["experiment"]["currency"], "EUR")
        self.assertGreater(ended["experiment"]["cost"], 0)
        for words in (("status", identifier), ("status", "full"), ("watch", identifier)):
            self.ask(*words, code=7)
        run = ended["runs"][-1]["id"]
        self.assertEqual(self.ask("runs", run)["runs"][0]["id"], run)
        self.ask("runs", identifier)
        names = {point["name"] for point in self.ask("metrics", run)["points"]}
        self.assertLessEqual({"train_loss", "validation_loss", "validation_accuracy", "grad_norm",
                              "learning_rate", "tokens"}, names)
        self.ask("events", identifier)
        self.ask("events")
        for subject in (identifier, run, ended["tasks"][0]["id"], ended["runs"][1]["trial"], "w-1",
                        run + "/60"):
            self.assertNotEqual(self.ask("why", subject)["reasons"], [])
        checkpoints = self.ask("checkpoints", "ls", run)["checkpoints"]
        self.assertEqual([one["step"] for one in checkpoints], [20, 40, 60])
        self.ask("checkpoints", "download", run + "/60", "--out", self.cluster.home + "/fetched")
        self.assertTrue(pathlib.Path(self.cluster.home, "fetched", "manifest.json").is_file())
        self.artifacts_by_name(identifier, ended)
        self.assertEqual(self.ask("checkpoints", "verify")["damaged"], 0)
        pathlib.Path(checkpoints[0]["path"], checkpoints[0]["files"][0]["path"]).write_text("damaged")
        self.assertEqual(self.ask("checkpoints", "verify", run, code=3)["damaged"], 1)
        self.assertTrue(self.ask("checkpoints", "gc", identifier, "--preview")["preview"])
        self.assertGreater(self.ask("checkpoints", "gc", identifier)["bytes"], 0)
        self.assertEqual(self.ask("checkpoints", "ls", run)["checkpoints"][0]["state"], "DELETED")
        report = self.ask("report", identifier, "--out", self.cluster.home + "/report")
        self.assertFalse(report["interim"])
        self.assertTrue(pathlib.Path(report["report"]).is_file())
        for key in ("adapters", "adapter", "model"):
            self.assertTrue(pathlib.Path(report[key]).is_dir(), key)
        self.assertIn("from_pretrained", pathlib.Path(report["path"], "README.md").read_text())
        draft = pathlib.Path(self.cluster.home, "draft.md")
        draft.write_text("We trained five seeds.\n\nOur model sets a new state of the art.\n")
        linted = self.ask("report", "lint", draft, "--report", report["path"], code=3)
        self.assertEqual([(one["line"], one["supported"]) for one in linted["findings"]], [(3, False)])
        left_out = self.ask("report", identifier, "--without-model", "--out", self.cluster.home + "/small")
        self.assertIsNone(left_out["model"])
        self.assertFalse(pathlib.Path(left_out["path"], "model").exists())
        self.files_of_a_report(ended)
        self.assertGreater(self.ask("plan", self.cluster.home + "/full.yaml")["cost"]["p90"], 0)
        for verb in ("pause", "resume", "cancel"):
            self.refused(2, verb, identifier)

    def artifacts_by_name(self, identifier, ended):
        listed = self.ask("artifacts", "ls", identifier)
        self.assertEqual(self.ask("artifacts", "ls", "full"), listed)
        names = [one["name"] for one in listed["artifacts"]]
        self.assertEqual([one["id"] for one in listed["artifacts"]],
                         [one["id"] for one in ended["artifacts"]])
        self.assertEqual(len(listed["adapters"]), 5)
        # By task, and by experiment where the name stands once.
        out = self.cluster.home + "/merged"
        got = self.ask("artifacts", "download", "full/merged", "--out", out)
        self.assertTrue(pathlib.Path(out, "manifest.json").is_file())
        self.assertEqual(self.ask("artifacts", "download", got["id"], "--out", out), got)
        # Something else in that place is left alone; several of a name are told apart; none is said.
        self.refused(2, "artifacts", "download", "full/report", "--out", out)
        self.assertGreater(names.count("evaluation"), 1)
        self.refused(2, "artifacts", "download", "full/evaluation")
        self.refused(2, "artifacts", "download", "full/nothing-of-this-name")
        self.refused(2, "artifacts", "download", "full")

    def files_of_a_report(self, ended):
        task = {task["kind"]: task["id"] for task in ended["tasks"]}
        for kind, artifact, name in (("report", "report_data-1", "report_data.json"),
                                     ("evaluate", "evaluation", "evaluation.json"),
                                     ("report", "report", "report.json")):
            if kind not in task:
                continue
            out = pathlib.Path(self.cluster.home, f"{task[kind]}-{name}")
            self.ask("checkpoints", "download", f"{task[kind]}/{artifact}", "--out", out)
            content = json.loads((out / name).read_text())
            self.assertEqual(self.contract.problems(name, content), [], name)
            for run in content.get("runs", []):
                self.assertGreater(len(run["points"]), 10, f"{name}: the curve of {run['id']}")

    def one_that_is_aborted(self):
        identifier = self.submit(
            name="nan", seeds=(11,), max_steps=4000, stages="[replicate, report]", extra=BUDGET, abort="{non_finite: true}",
            script="{curve: nan, nan_at_step: 32, step_ms: 20, reports_diverged: false}")
        ended = self.ask("wait", identifier, code=4)
        self.files_of_a_report(ended)
        run = ended["runs"][0]
        self.assertEqual((run["state"], run["rule"]), ("ABORTED", "non_finite"))
        reason = self.ask("why", run["id"], "--verify")["reasons"][0]
        self.assertGreater(reason["certificate"]["saved"]["money"], 0)
        self.assertEqual([one["reproduced"] for one in
                          self.ask("why", reason["certificate"]["id"], "--verify")["verified"]], [True])
        self.ask("status", identifier, code=4)

    def one_that_fails(self):
        identifier = self.submit(name="failing", seeds=(11,), extra="",
                                 script="{exit_at_step: 3, fail_kind: bad_input}")
        ended = self.ask("wait", identifier, code=3)
        # No budget was given: money is unknown, not zero.
        for key in ("cost", "currency", "budget"):
            self.assertIsNone(ended["experiment"][key], key)
        self.assertIsNone(ended["runs"][0]["cost"])
        self.ask("status", identifier, code=3)
        self.assertTrue(self.ask("report", identifier, "--out", self.cluster.home + "/early")["interim"])

    def several_runs_in_one_process(self):
        text = experiment(name="pack", seeds=(11, 12)).replace("]}\nabort", "], packed: true}\nabort")
        identifier = self.ask("submit", self.write("pack.yaml", text))["experiment"]
        ended = self.ask("wait", identifier)
        self.assertEqual(ended["tasks"][0]["runs"], [run["id"] for run in ended["runs"]])
        for words in (("status", identifier), ("watch", identifier)):
            self.assertEqual(len(self.ask(*words)["tasks"][0]["runs"]), 2)

    def one_that_is_paused_drained_and_cancelled(self):
        identifier = self.submit(name="long", seeds=(11, 12), script="{step_ms: 50}", max_steps=100000)
        state = lambda: self.ask("status", identifier)["experiment"]["state"]
        step = lambda: min(run["step"] for run in self.ask("runs", identifier)["runs"])
        busy = lambda: all(worker["tasks"] for worker in self.ask("workers", "ls")["workers"])
        self.cluster.until(lambda: step() > 2 and busy(), what="both runs under way")
        self.assertEqual(state(), "RUNNING")
        self.ask("why", identifier)
        run = self.ask("runs", identifier)["runs"][0]["id"]
        self.refused(2, "checkpoints", "save", identifier)

        def one_between_those_that_are_due():
            self.assertEqual(self.ask("checkpoints", "save", run)["run"], run)
            return any(each["step"] % 10 for each in self.ask("checkpoints", "ls", run)["checkpoints"])
        self.cluster.until(one_between_those_that_are_due, what="a checkpoint that was asked for")
        self.ask("pause", "long")
        self.cluster.until(lambda: state() == "PAUSED", what="PAUSED")
        self.refused(2, "checkpoints", "save", run)
        self.refused(2, "pause", "nothing-of-this-name")
        self.ask("resume", identifier)
        before = step()
        self.cluster.until(lambda: step() > before and busy(), what="steps after resuming")
        self.assertEqual(self.ask("workers", "drain", "w-1")["state"], "DRAINING")
        idle = lambda: self.ask("workers", "ls")["workers"][0]["tasks"] == []
        self.cluster.until(idle, what="w-1 drained")
        self.assertEqual(self.ask("workers", "drain", "w-1", "--undo")["state"], "READY")
        # A worker that was taken back works again, and the drain cost no retry.
        self.cluster.until(busy, what="w-1 at work again")
        for task in self.ask("status", identifier)["tasks"]:
            self.assertLessEqual(task["attempts"], 3)
        self.assertIn(self.ask("cancel", identifier)["state"], ("STOPPING", "CANCELLED"))
        self.ask("wait", identifier, code=8)
        self.ask("status", identifier, code=8)
        for words in (("status",), ("watch",), ("wait",), ("runs",), ("metrics",), ("logs",), ("events",),
                      ("why",), ("checkpoints", "ls"), ("checkpoints", "verify"), ("checkpoints", "save"),
                      ("checkpoints", "download"), ("checkpoints", "gc"), ("artifacts", "ls"), ("artifacts", "download"),
                      ("workers", "drain"), ("report",), ("cancel",), ("resume",)):
            self.refused(2, *words, "nothing-of-this-name")
        self.refused(2, "frobnicate")
        self.refused(2, "ls", "--no-such-flag")
        self.refused(6, "ls", "--coordinator", "127.0.0.1:9")

    def a_cluster_that_goes_down_and_up(self):
        self.assertEqual(self.cluster.scmctl("logs", "long").returncode, 0)
        for shell in ("bash", "zsh"):
            self.assertEqual(self.cluster.scmctl("completion", shell).returncode, 0)
        self.ask("local", "down")
        down = self.ask("local", "status")
        self.assertEqual((down["coordinator"], down["workers"], down["pids"]["coordinator"]),
                         (None, [], None))
        self.refused(6, "ls")
        self.assertFalse(self.ask("doctor", code=1)["healthy"])
        self.cluster.up()
        self.assertEqual(len(self.ask("ls")["experiments"]), 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
