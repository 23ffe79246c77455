"""Shared by the tests of this folder: where things lie, required programs, a Prometheus of one's own."""
import http.client
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "integration"))
from mini_cluster import BIN, FAKE, MiniCluster, experiment  # noqa: E402,F401


def program(name: str) -> str:
    """Its path. Missing is a failure: these tests say nothing without it."""
    path = shutil.which(name)
    if path is None:
        raise AssertionError(f"{name} is not installed; scripts/setup.sh test-packages installs it "
                             "(Debian package prometheus)")
    return path


def read_yaml(path: pathlib.Path):
    done = subprocess.run([BIN / "scm-yaml-to-json"], input=path.read_text(), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise AssertionError(f"{path}: {done.stderr}")
    return json.loads(done.stdout)


def until(condition, seconds=60, what="condition"):
    """Polls what another process must bring about."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about in {seconds} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url: str):
    """(status, body); where no HTTP is spoken (0, "")."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""


def gather(text: str):
    """The text format as {name: {"type", "help", "samples": [(labels, value)]}}; names of families."""
    families, label = {}, re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, words = line[7:].partition(" ")
            families[name] = {"help": words, "type": None, "samples": []}
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split()
            families[name]["type"] = kind
        elif line:
            series, value = line.rsplit(" ", 1)
            name = series.partition("{")[0]
            labels = dict(label.findall(series))
            for suffix in ("_bucket", "_sum", "_count"):
                if families.get(name.removesuffix(suffix), {}).get("type") == "histogram":
                    name = name.removesuffix(suffix)
                    labels.pop("le", None)
            families[name]["samples"].append((labels, value))
    return families


class Prometheus:
    """A real Prometheus that scrapes one target twice a second; stopped by `close`."""

    def __init__(self, directory: pathlib.Path, target: str, rules):
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / "prometheus.log"
        config = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms",
                       "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "scm", "static_configs": [{"targets": [target]}]}],
        }
        path = directory / "prometheus.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        for _ in range(3):  # somebody else may take the port meanwhile
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            with self.log.open("w") as log:
                self.process = subprocess.Popen(
                    [program("prometheus"), f"--config.file={path}",
                     f"--storage.tsdb.path={directory / 'data'}",
                     f"--web.listen-address=127.0.0.1:{port}"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            if self._ready():
                return
        raise AssertionError(f"prometheus did not start:\n{self.log.read_text()}")

    def _ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            if get(self.url + "/-/ready")[0] == 200:
                return True
            time.sleep(0.1)
        return False

    def api(self, path, **parameters):
        code, body = get(f"{self.url}/api/v1/{path}?" + urllib.parse.urlencode(parameters, True))
        if code != 200:
            raise AssertionError(f"{path} {parameters}: {code} {body}")
        return json.loads(body)["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def query_range(self, expression, start, end, step=1):
        return self.api("query_range", query=expression, start=start, end=end, step=step)["result"]

    def close(self):
        self.process.terminate()
        self.process.wait()
