"""A real coordinator with scripted trainers, scraped by a real Prometheus: the names of the contract,
series of every run, every query of the dashboard and of the alerts, and what docs/metrics.md says."""
import json
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from common import (BIN, FAKE, ROOT, MiniCluster, Prometheus, experiment, gather, get, program,
                    read_yaml, until)

# DESIGN: labels of every name that the contract fixes.
RUN = {"experiment", "run", "seed"}
CONTRACT = {
    **{f"scm_run_{name}": RUN for name in (
        "step", "target_steps", "train_loss", "validation_loss", "validation_accuracy_ratio",
        "grad_norm", "learning_rate", "tokens_total", "cost_total", "last_checkpoint_step",
        "last_checkpoint_timestamp_seconds")},
    "scm_run_state": RUN | {"state"},
    "scm_run_aborts_total": RUN | {"rule"},
    "scm_experiment_info": {"experiment", "name"},
    "scm_experiment_runs": {"experiment", "state"},
    "scm_experiment_aborts_total": {"experiment", "rule"},
    "scm_experiment_last_abort_timestamp_seconds": {"experiment", "rule"},
    **{f"scm_experiment_{name}": {"experiment"}
       for name in ("cost", "budget", "projected_slip_seconds")},
    "scm_workers": {"state"},
    "scm_tasks": {"state"},
    "scm_gpu_utilization_ratio": {"worker", "gpu"},
    "scm_gpu_memory_used_bytes": {"worker", "gpu"},
    "grpc_server_handled_total": {"grpc_service", "grpc_method", "grpc_code"},
    "grpc_server_handling_seconds": {"grpc_service", "grpc_method"},
}
SEEDS = (11, 12, 13, 14, 15)

# One trial learns nothing and is aborted; the other's parameters are trained with five seeds.
MAIN = experiment(
    name="dash", seeds=SEEDS, max_steps=80, script="{curve: good, step_ms: 60}",
    stages="[sweep, replicate]",
    abort="{no_convergence: {after_step: 40, min_loss_reduction: 0.05}, below_random: none}",
    extra="""
sweep: {search: grid, max_trials: 2, seed: 1,
        space: {training.learning_rate: {choice: [2.0e-4, 1.0e-1]}}}
budget: {limit: 100.0, currency: USD, cpu_hour: 0.05, gpu_hour: {default: 2.0}}
timeline: {finish_by: 2099-12-31}
""")
NAN = experiment(name="nan", seeds=(7,), script="{curve: nan, nan_at_step: 12, step_ms: 100}")


# Its only run is aborted before Prometheus comes.
EARLY = experiment(name="early", seeds=(9,), script="{curve: nan, nan_at_step: 2}")


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cleanups = []
        try:
            cls.start()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for clean in reversed(cls.cleanups):
            clean()

    @classmethod
    def start(cls):
        program("prometheus"), program("promtool")
        cls.cluster = MiniCluster(workers=2)
        cls.cleanups.append(cls.cluster.close)
        local = cls.cluster.json("local", "status")
        cls.metrics_url = local["metrics_url"]
        cls.base_url = cls.metrics_url.removesuffix("/metrics")
        cls.expositions = [cls.scrape()]  # idle
        cls.start_worker_with_gpus(local["coordinator"])
        cls.early = cls.cluster.submit(EARLY)
        cls.cluster.wait(cls.early)
        directory = tempfile.TemporaryDirectory(prefix="scm-prometheus-")
        cls.cleanups.append(directory.cleanup)
        cls.began = time.time()
        cls.prometheus = Prometheus(pathlib.Path(directory.name),
                                    cls.metrics_url.split("/")[2],
                                    ROOT / "dashboards/prometheus/rules/*.yml")
        cls.cleanups.append(cls.prometheus.close)
        # Prometheus takes seconds to find its targets; what happens before that it has not seen.
        until(lambda: cls.prometheus.query('up{job="scm"} == 1'), what="the first scrape")
        cls.run_experiments()
        cls.ended = time.time()

    @classmethod
    def start_worker_with_gpus(cls, coordinator):
        home = pathlib.Path(cls.cluster.home)
        with (home / "logs/worker-gpu.log").open("w") as log:
            worker = subprocess.Popen(
                [BIN / "scm-worker", "--coordinator", coordinator, "--token-file",
                 home / "tokens/worker", "--work-dir", home / "gpu-worker", "--cpus", "1",
                 "--allow-trainer", FAKE, "--nvml", BIN / "libscm_fake_nvml.so"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def stop():
            worker.terminate()
            worker.wait()
        cls.cleanups.append(stop)
        until(lambda: len(cls.cluster.json("workers", "ls")["workers"]) == 3, what="third worker")

    @classmethod
    def run_experiments(cls):
        cls.main = cls.cluster.submit(MAIN)
        done = lambda e: cls.cluster.json("status", e)["experiment"]["state"] not in (
            "PENDING", "RUNNING", "STOPPING")

        def watch(identifier):
            until(lambda: cls.expositions.append(cls.scrape()) or done(identifier), 120,
                  f"the end of {identifier}\n{cls.cluster.logs()}")
        watch(cls.main)
        cls.nan = cls.cluster.submit(NAN)
        watch(cls.nan)
        cls.status = {e: cls.cluster.json("status", e) for e in (cls.early, cls.main, cls.nan)}
        until(lambda: cls.prometheus.query(
            f'scm_run_state{{experiment="{cls.nan}",state="ABORTED"}} == 1'),
              what="the end in Prometheus")
        cls.expositions.append(cls.scrape())

    @classmethod
    def scrape(cls):
        code, body = get(cls.metrics_url)
        if code != 200:
            raise AssertionError(f"/metrics answered {code}: {body}")
        return body

    def runs(self):
        return [run for status in self.status.values() for run in status["runs"]]

    def families(self):
        """Everything that was ever exported: {name: (type, help, set of label sets)}."""
        seen = {}
        for text in self.expositions:
            for name, family in gather(text).items():
                labels = seen.setdefault(name, (family["type"], family["help"], set()))[2]
                labels.update(frozenset(labels) for labels, _ in family["samples"])
        return seen

    def test_the_experiments_went_as_scripted(self):
        main, nan = self.status[self.main], self.status[self.nan]
        self.assertEqual(main["experiment"]["state"], "SUCCEEDED", json.dumps(main, indent=1))
        self.assertEqual(sorted(r["seed"] for r in main["runs"] if r["stage"] == "replicate"),
                         list(SEEDS))
        self.assertEqual([r["rule"] for r in main["runs"] if r["state"] == "ABORTED"],
                         ["no_convergence"])
        self.assertEqual(nan["runs"][0]["rule"], "non_finite")

    def test_every_run_has_loss_and_accuracy_in_prometheus(self):
        for run in self.runs():
            for metric in ("scm_run_train_loss", "scm_run_validation_loss",
                           "scm_run_validation_accuracy_ratio", "scm_run_step"):
                series = self.prometheus.query_range(f'{metric}{{run="{run["id"]}"}}', self.began,
                                                     time.time(), 0.5)
                self.assertEqual(len(series), 1, f"{metric} of {run}")
                labels = series[0]["metric"]
                self.assertEqual((labels["experiment"], labels["seed"]),
                                 (run["experiment"], str(run["seed"])))

    def test_the_last_value_is_the_one_that_scmctl_shows(self):
        for run in self.status[self.main]["runs"]:
            points = self.cluster.json("metrics", run["id"])["points"]
            for name, metric in (("train_loss", "scm_run_train_loss"),
                                 ("validation_loss", "scm_run_validation_loss"),
                                 ("validation_accuracy", "scm_run_validation_accuracy_ratio")):
                last = [p["value"] for p in points if p["name"] == name][-1]
                exported = self.prometheus.query(f'{metric}{{run="{run["id"]}"}}')[0]["value"][1]
                # The text format has 16 digits.
                self.assertAlmostEqual(float(exported) / last, 1, 14, f"{metric} of {run['id']}")

    def test_a_nan_loss_is_exported_as_nan(self):
        run = self.status[self.nan]["runs"][0]["id"]
        line = f'scm_run_train_loss{{experiment="{self.nan}",run="{run}",seed="7"}} NaN\n'
        self.assertIn(line, self.expositions[-1])
        unequal = self.prometheus.query("scm_run_train_loss != scm_run_train_loss")
        self.assertEqual({series["metric"]["run"] for series in unequal},
                         {run, self.status[self.early]["runs"][0]["id"]})

    def test_names_types_and_labels_are_those_of_the_contract(self):
        families = self.families()
        for name, labels in CONTRACT.items():
            self.assertIn(name, families)
            self.assertEqual(families[name][2], {frozenset(labels)}, name)
            self.assertEqual(families[name][0],
                             "histogram" if name == "grpc_server_handling_seconds" else
                             "counter" if name.endswith("_total") else "gauge", name)

    def test_exported_values_are_ids_and_states_of_the_contract(self):
        families = gather(self.expositions[-1])
        runs = {run["id"]: run for run in self.runs()}
        for labels, value in families["scm_run_state"]["samples"]:
            self.assertEqual(float(value), float(runs[labels["run"]]["state"] == labels["state"]),
                             labels)
        info = {labels["experiment"]: labels["name"]
                for labels, _ in families["scm_experiment_info"]["samples"]}
        self.assertEqual(info, {self.early: "early", self.main: "dash", self.nan: "nan"})
        for labels, value in families["scm_run_aborts_total"]["samples"]:
            self.assertEqual(float(value), float(runs[labels["run"]]["rule"] == labels["rule"]),
                             labels)

    def test_what_an_experiment_came_to_is_counted(self):
        families = gather(self.expositions[-1])
        for identifier, status in self.status.items():
            of = lambda name, label: {labels[label]: float(value)
                                      for labels, value in families[name]["samples"]
                                      if labels["experiment"] == identifier}
            for state, count in of("scm_experiment_runs", "state").items():
                self.assertEqual(count, sum(r["state"] == state for r in status["runs"]), state)
            for rule, count in of("scm_experiment_aborts_total", "rule").items():
                self.assertEqual(count, sum(r["rule"] == rule for r in status["runs"]), rule)

    def test_what_is_missing_is_not_zero(self):
        dashboard = json.loads((ROOT / "dashboards/experiment.json").read_text())
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                if "$experiment" in target["expr"]:
                    expression = self.substitute(target["expr"].replace("$experiment", "e-999"))
                    self.assertEqual(self.prometheus.query(expression), [], panel["title"])

    def check_metrics(self, text):
        done = subprocess.run([program("promtool"), "check", "metrics"], input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def test_promtool_finds_nothing_to_say(self):
        for text in (self.expositions[0], self.expositions[len(self.expositions) // 2],
                     self.expositions[-1]):
            self.assertEqual(self.check_metrics(text), (0, ""))
        self.assertNotEqual(self.check_metrics("# TYPE x counter\nx 1\n")[0], 0)

    def test_health_and_readiness(self):
        self.assertEqual(get(self.base_url + "/healthz"), (200, "ok\n"))
        self.assertEqual(get(self.base_url + "/readyz"), (200, "ready\n"))
        self.assertEqual(get(self.base_url + "/absent")[0], 404)

    def substitute(self, expression):
        names = {"coordinator": self.metrics_url.split("/")[2], "experiment": self.main,
                 "seed": ".+", "__rate_interval": "4s", "__range": "10m"}
        done = re.sub(r"\$(\w+)", lambda match: names[match[1]], expression)
        self.assertNotIn("$", done)
        return done

    def test_every_query_of_the_dashboard_returns_data(self):
        dashboard = json.loads((ROOT / "dashboards/experiment.json").read_text())
        asked = 0
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                asked += 1
                series = self.prometheus.query_range(self.substitute(target["expr"]), self.began,
                                                     self.ended)
                self.assertTrue(series, f'{panel["title"]}: {target["expr"]} returns nothing')
                for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                    self.assertTrue(all(label in s["metric"] for s in series),
                                    f'{panel["title"]}: the legend wants {label}')
                numbers = [v for s in series for _, v in s["values"] if v != "NaN"]
                self.assertTrue(numbers, f'{panel["title"]}: only NaN')
        self.assertGreater(asked, 25)

    def test_learning_is_one_line_a_seed(self):
        dashboard = json.loads((ROOT / "dashboards/experiment.json").read_text())
        panels = {panel["title"]: panel for panel in dashboard["panels"]}
        for title in ("Training loss", "Validation loss", "Validation accuracy", "Gradient norm",
                      "Learning rate"):
            series = self.prometheus.query_range(
                self.substitute(panels[title]["targets"][0]["expr"]), self.began, self.ended)
            seeds = [s["metric"]["seed"] for s in series]
            for seed in SEEDS:
                self.assertEqual(seeds.count(str(seed)), 1, f"{title}: {seeds}")

    def test_variables_offer_the_experiments_by_name_and_the_seeds(self):
        dashboard = json.loads((ROOT / "dashboards/experiment.json").read_text())
        variables = {v["name"]: v for v in dashboard["templating"]["list"]}
        query = variables["experiment"]["query"]["query"]
        inner = re.fullmatch(r"query_result\((.*)\)", query, re.S)[1]
        # Grafana shows a series as text and lets the expression pick (JavaScript's groups).
        regex = re.compile(variables["experiment"]["regex"].strip("/").replace("(?<", "(?P<"))
        offered = set()
        for series in self.prometheus.query(self.substitute(inner)):
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(series["metric"].items()))
            found = regex.search("{" + labels + "} 1 1700000000000")
            offered.add((found["value"], found["text"]))
        self.assertEqual(offered, {(e, f"{e}  {name}") for e, name in (
            (self.early, "early"), (self.main, "dash"), (self.nan, "nan"))})
        for name, expected in (("coordinator", {self.metrics_url.split("/")[2]}),
                               ("seed", {"1"} | {str(seed) for seed in SEEDS})):
            match, label = re.fullmatch(r"label_values\((.*), (\w+)\)",
                                        variables[name]["query"]["query"]).groups()
            values = {s[label] for s in self.prometheus.api(
                "series", **{"match[]": self.substitute(match), "start": self.began,
                             "end": time.time()})}
            self.assertEqual(values, expected, name)

    def test_annotations_are_times_of_the_aborts_in_milliseconds(self):
        dashboard = json.loads((ROOT / "dashboards/experiment.json").read_text())
        for annotation in dashboard["annotations"]["list"][1:]:
            series = self.prometheus.query_range(self.substitute(annotation["expr"]), self.began,
                                                 self.ended)
            self.assertTrue(series, annotation["name"])
            for one in series:
                for _, value in one["values"]:
                    self.assertTrue(self.began <= float(value) / 1000 <= self.ended, value)
        aborted = [s["metric"]["rule"] for s in self.prometheus.query_range(
            self.substitute(dashboard["annotations"]["list"][1]["expr"]), self.began, self.ended)]
        self.assertEqual(aborted, ["no_convergence"])

    def test_alerts_evaluate_and_those_that_should_fire_do(self):
        groups = self.prometheus.api("rules")["groups"]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
        written = read_yaml(ROOT / "dashboards/prometheus/rules/scm.yml")["groups"][0]["rules"]
        self.assertEqual(set(rules), {rule["alert"] for rule in written})
        until(lambda: all(r["health"] == "ok" for r in self.prometheus.api("rules")["groups"][0]
                          ["rules"]), what="every rule evaluated")
        alerts = lambda: {(a["labels"]["alertname"], a["labels"].get("run"))
                          for a in self.prometheus.api("alerts")["alerts"]}
        nan = self.status[self.nan]["runs"][0]["id"]
        early = self.status[self.early]["runs"][0]["id"]
        expected = {("ScmLossNotFinite", nan), ("ScmLossNotFinite", early)}
        expected |= {("ScmRunAborted", run["id"]) for run in self.runs() if run["rule"]}
        self.assertIn(("ScmRunAborted", early), expected, "aborted before its first scrape")
        self.assertEqual(len(expected), 5)
        until(lambda: expected <= alerts(), what="the alerts on every abort")
        self.assertNotIn("ScmCoordinatorDown", {name for name, _ in alerts()})

    def test_the_document_says_what_is_exported_and_nothing_else(self):
        documented = {}
        for line in (ROOT / "docs/metrics.md").read_text().splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 5 and cells[0].startswith("`"):
                documented[cells[0].strip("`")] = (
                    cells[1], frozenset(re.findall(r"`(\w+)`", cells[2])), cells[3])
        families = self.families()
        self.assertEqual(set(documented), set(families))
        for name, (kind, help_text, label_sets) in families.items():
            self.assertEqual(documented[name][0], kind, name)
            self.assertEqual({documented[name][1]}, label_sets, name)
            self.assertTrue(documented[name][2], f"{name} has no unit")
            self.assertTrue(help_text, f"{name} has no help")

    def test_no_secret_is_exported(self):
        for token in pathlib.Path(self.cluster.home, "tokens").iterdir():
            for text in self.expositions:
                self.assertNotIn(token.read_text().strip(), text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
