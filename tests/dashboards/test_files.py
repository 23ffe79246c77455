"""The files of dashboards/ and deploy/ by themselves: generated, well formed, and true of the programs."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

from common import BIN, HERE, ROOT, program, read_yaml

DASHBOARD = ROOT / "dashboards/experiment.json"
DEPLOY = ROOT / "deploy"
# Grafana's names of units that a panel may use here.
UNITS = {"short", "percentunit", "s", "bytes", "sci", "reqps"}


def run(*command, **keys):
    return subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **keys)


class Dashboard(unittest.TestCase):
    def setUp(self):
        self.dashboard = json.loads(DASHBOARD.read_text())

    def test_the_committed_file_is_the_generators(self):
        done = run("python3", "-B", ROOT / "dashboards/generate.py", "--check")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_check_notices_a_changed_file(self):
        with tempfile.TemporaryDirectory() as directory:
            shutil.copy(ROOT / "dashboards/generate.py", directory)
            copy = pathlib.Path(directory, "experiment.json")
            copy.write_text(DASHBOARD.read_text().replace("Training loss", "Loss"))
            self.assertEqual(run("python3", "-B", f"{directory}/generate.py", "--check").returncode, 1)
            self.assertEqual(run("python3", "-B", f"{directory}/generate.py").returncode, 0)
            self.assertEqual(copy.read_bytes(), DASHBOARD.read_bytes())

    def test_it_is_of_the_schema_that_grafana_migrates_from(self):
        self.assertEqual(self.dashboard["schemaVersion"], 39)
        self.assertTrue(8 <= len(self.dashboard["uid"]) <= 40)
        self.assertFalse(self.dashboard["editable"])
        self.assertNotIn("id", self.dashboard)
        ids = [panel["id"] for panel in self.dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))

    def test_panels_say_what_they_show_and_do_not_overlap(self):
        taken = set()
        for panel in self.dashboard["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(taken & cells, panel["title"])
            taken |= cells
            self.assertTrue(panel["title"])
            if panel["type"] == "row":
                continue
            self.assertIn(panel["type"], {"timeseries", "stat", "bargauge", "piechart",
                                          "state-timeline"})
            self.assertTrue(panel["description"], panel["title"])
            self.assertIn(panel["fieldConfig"]["defaults"]["unit"], UNITS, panel["title"])
            for part in [panel, *panel["targets"]]:
                self.assertEqual(part["datasource"]["uid"], "${datasource}")

    def test_every_query_is_of_one_coordinator_and_names_are_documented(self):
        documented = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/metrics.md").read_text(), re.M))
        for panel in self.dashboard["panels"]:
            for target in panel.get("targets", []):
                for name, matchers in re.findall(r"\b((?:scm|grpc)_\w+)(\{[^}]*\})?",
                                                 target["expr"]):
                    if name in ("grpc_code", "grpc_method", "grpc_service"):
                        continue
                    self.assertIn('instance="$coordinator"', matchers, target["expr"])
                    self.assertIn(name.removesuffix("_bucket"), documented)
                    if name.startswith("scm_run_") or name.startswith("scm_experiment_"):
                        self.assertIn('experiment="$experiment"', matchers, target["expr"])

    def test_every_variable_that_is_used_is_defined(self):
        defined = {v["name"] for v in self.dashboard["templating"]["list"]}
        builtin = {"__rate_interval", "__range", "__all"}
        used = set(re.findall(r"\$\{?(\w+)", DASHBOARD.read_text()))
        self.assertEqual(used - defined - builtin, set())
        self.assertEqual(defined - used, set())


class PrometheusFiles(unittest.TestCase):
    def test_promtool_accepts_the_configuration_and_rules(self):
        done = run(program("promtool"), "check", "config",
                   ROOT / "dashboards/prometheus/prometheus.yml")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("12 rules found", done.stdout)

    def test_it_scrapes_where_the_coordinator_is_told_to_serve(self):
        job = read_yaml(ROOT / "dashboards/prometheus/prometheus.yml")["scrape_configs"][0]
        self.assertEqual(job["job_name"], "scm")  # what the alerts select
        target = job["static_configs"][0]["targets"][0]
        self.assertIn(f"SCM_METRICS_LISTEN={target}\n",
                      (DEPLOY / "systemd/coordinator.env").read_text())
        services = read_yaml(DEPLOY / "compose/compose.yaml")["services"]
        self.assertIn(f"--metrics-listen {target} ", services["coordinator"]["command"])
        self.assertEqual(services["prometheus"]["network_mode"], "service:coordinator")

    def test_every_alert_fires_on_what_it_is_for(self):
        rules = ROOT / "dashboards/prometheus/rules/scm.yml"
        cases = (HERE / "alerts_test.yml").read_text()
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "test.yml")
            path.write_text(cases.replace("RULES", str(rules)))
            done = run(program("promtool"), "test", "rules", path)
        self.assertEqual(done.returncode, 0, done.stdout)
        for rule in read_yaml(rules)["groups"][0]["rules"]:
            self.assertIn(f"alertname: {rule['alert']}\n", cases, "an alert that nothing tests")
            self.assertTrue(rule["labels"]["severity"] in ("critical", "warning", "info"))
            self.assertTrue(rule["annotations"]["summary"])

    def test_grafana_is_given_the_data_source_and_the_dashboard(self):
        folder = ROOT / "dashboards/grafana/provisioning"
        source = read_yaml(folder / "datasources/scm.yaml")
        self.assertEqual(source["apiVersion"], 1)
        self.assertEqual(source["datasources"][0]["type"], "prometheus")
        provider = read_yaml(folder / "dashboards/scm.yaml")["providers"][0]
        self.assertFalse(provider["allowUiUpdates"])
        compose = read_yaml(DEPLOY / "compose/compose.yaml")["services"]["grafana"]
        self.assertTrue(any(f":{provider['options']['path']}/experiment.json" in volume
                            for volume in compose["volumes"]), compose["volumes"])
        self.assertIn("SCM_PROMETHEUS_URL", compose["environment"])


def flags_of(name):
    done = run(BIN / name, "--help")
    assert done.returncode == 0, done.stdout
    return set(re.findall(r"--[a-z][a-z-]*", done.stdout))


class Units(unittest.TestCase):
    """systemd's units: read by systemd where it is installed, and by hand everywhere."""

    def read(self, path):
        """{key: [values]} of one unit, with continued lines joined."""
        values = {}
        for line in path.read_text().replace("\\\n", " ").splitlines():
            key, separator, value = line.partition("=")
            if separator and not line.startswith("#"):
                values.setdefault(key, []).append(value.strip())
        return values

    def test_commands_are_of_the_programs_as_they_are(self):
        for unit in sorted((DEPLOY / "systemd").glob("*.service")):
            command = shlex.split(self.read(unit)["ExecStart"][0])
            name = pathlib.Path(command[0]).name
            used = {word for word in command if word.startswith("--")}
            self.assertTrue(used)
            self.assertLessEqual(used, flags_of(name), unit.name)

    def test_variables_are_set_by_the_example_files(self):
        examples = {"scm-coordinator.service": "coordinator.env", "scm-worker@.service": "worker-a.env"}
        for unit, example in examples.items():
            values = self.read(DEPLOY / "systemd" / unit)
            used = set(re.findall(r"\$\{?(\w+)", values["ExecStart"][0]))
            given = set(re.findall(r"^(\w+)=", (DEPLOY / "systemd" / example).read_text(), re.M))
            self.assertEqual(used, given)
            self.assertTrue(values["EnvironmentFile"][0].replace("%i", "a").endswith("/" + example))

    def test_the_worker_leaves_its_trainers_alive(self):
        worker = self.read(DEPLOY / "systemd/scm-worker@.service")
        self.assertEqual(worker["KillMode"], ["process"])
        self.assertEqual(worker["OOMPolicy"], ["continue"])
        for breaks in ("PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute", "PrivateNetwork",
                       "RuntimeDirectory", "DynamicUser"):
            self.assertNotIn(breaks, worker)

    def test_the_drop_in_adds_a_trainer_user_and_what_that_takes(self):
        unit = self.read(DEPLOY / "systemd/scm-worker@.service")
        added = self.read(DEPLOY / "systemd/trainer-user.conf")
        cleared, command = added["ExecStart"]
        self.assertEqual(cleared, "")
        self.assertIn("--trainer-user", flags_of("scm-worker"))
        self.assertEqual(command.replace("--trainer-user scm-trainer ", "").split(),
                         unit["ExecStart"][0].split())
        self.assertEqual(added["AmbientCapabilities"], added["CapabilityBoundingSet"])
        page = (ROOT / "docs/deploy.md").read_text()
        for capability in added["AmbientCapabilities"][0].split():
            self.assertIn(capability, page)

    def test_systemd_reads_them(self):
        if shutil.which("systemd-analyze") is None:
            # Said, not skipped: the commands are checked above without it.
            print("systemd-analyze is not installed: the units were checked by this test alone")
            return
        with tempfile.TemporaryDirectory() as directory:
            for unit in (DEPLOY / "systemd").glob("*.service"):
                text = unit.read_text().replace("/opt/scm/build/bin", str(BIN))
                pathlib.Path(directory, unit.name.replace("@", "@a")).write_text(text)
            units = sorted(pathlib.Path(directory).iterdir())
            done = run("systemd-analyze", "verify", "--man=no", *units,
                       env=dict(os.environ, SYSTEMD_LOG_LEVEL="warning"))
            complaints = [line for line in done.stdout.splitlines()
                          if any(unit.name in line for unit in units)]
            self.assertEqual(complaints, [], done.stdout)
            broken = units[0].read_text().replace("KillMode=", "KilMode=").replace(
                "ProtectSystem=strict", "ProtectSystem=stricct")
            units[0].write_text(broken)
            self.assertIn("stricct", run("systemd-analyze", "verify", "--man=no", units[0]).stdout)


class Compose(unittest.TestCase):
    def setUp(self):
        self.folder = DEPLOY / "compose"
        self.compose = read_yaml(self.folder / "compose.yaml")
        self.services = {}
        for name, service in self.compose["services"].items():
            self.services[name] = {**service.pop("<<", {}), **service}

    def test_every_file_that_it_mounts_exists(self):
        for name, service in self.services.items():
            if "build" in service:
                context = (self.folder / service["build"]["context"]).resolve()
                self.assertEqual(context, ROOT.resolve())
                self.assertTrue((context / service["build"]["dockerfile"]).is_file())
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith((".", "/")) and not source.startswith("./state/"):
                    self.assertTrue((self.folder / source).exists(), f"{name}: {source}")

    def test_commands_are_of_the_programs_as_they_are(self):
        for name in ("coordinator", "worker"):
            command = shlex.split(self.services[name]["command"])
            used = {word for word in command if word.startswith("--")}
            self.assertLessEqual(used, flags_of(command[0]), name)
            for word in command:
                if word.startswith("/run/secrets/"):
                    self.assertIn(word.removeprefix("/run/secrets/"), self.services[name]["secrets"])

    def test_secrets_are_files_that_are_never_committed(self):
        made = (DEPLOY / "make-secrets.sh").read_text()
        for name, secret in self.compose["secrets"].items():
            file = pathlib.Path(secret["file"])
            self.assertEqual(str(file.parent), "secrets")
            self.assertTrue(file.name in made or file.stem in made or name == "grafana_password",
                            file)
        ignored = (ROOT / ".gitignore").read_text()
        self.assertIn("/deploy/compose/secrets/", ignored)
        for name, service in self.services.items():
            for secret in service.get("secrets", []):
                self.assertIn(secret, self.compose["secrets"], name)
            for key in service.get("environment", {}):
                if re.search("PASSWORD|TOKEN|SECRET|KEY", key):
                    self.assertTrue(key.endswith("__FILE"), key)

    def test_only_the_secured_port_can_be_published_to_other_hosts(self):
        ports = [port for service in self.services.values() for port in service.get("ports", [])]
        self.assertEqual([port for port in ports if not port.startswith("127.0.0.1:")],
                         ["${SCM_PUBLISH:-127.0.0.1}:7070:7070"])

    def test_variables_are_explained_in_the_example(self):
        used = set(re.findall(r"\$\{(\w+)", (self.folder / "compose.yaml").read_text()))
        given = set(re.findall(r"^(\w+)=", (self.folder / "env.example").read_text(), re.M))
        self.assertEqual(used - given, {"SCM_IMAGE"})
        self.assertLessEqual(given, used)


class Image(unittest.TestCase):
    def test_what_it_copies_exists_and_its_commands_are_in_the_tree(self):
        text = (DEPLOY / "Dockerfile").read_text()
        for source in re.findall(r"^COPY (\S+) ", text, re.M):
            if not source.startswith("--"):
                self.assertTrue((ROOT / source).exists(), source)
        for step in re.findall(r"scripts/setup\.sh (\w+)", text):
            self.assertIn(f"\n{step}() {{", (ROOT / "scripts/setup.sh").read_text())
        self.assertIn("add_custom_target(programs)", (ROOT / "CMakeLists.txt").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
