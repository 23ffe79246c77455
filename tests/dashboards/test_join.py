"""Two hosts as docs/deploy.md joins them: TLS and token on an address of this machine that others could
reach, with the files that deploy/make-secrets.sh makes; and everything that must be refused."""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

from common import BIN, FAKE, ROOT, experiment, get, until


def routable_address():
    """An address of this machine that is not loopback; without one every interface is served and
    dialled by loopback, and the test says so."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.255", 9))  # sends nothing: only asks for the route
            address = probe.getsockname()[0]
            if not address.startswith("127."):
                return address, address
    except OSError:
        pass
    for address in subprocess.run(["hostname", "-I"], text=True, stdout=subprocess.PIPE).stdout.split():
        if "." in address:
            return address, address
    print("this machine has no address but loopback: 0.0.0.0 is served instead")
    return "0.0.0.0", "127.0.0.1"


def make_secrets(directory, *names):
    done = subprocess.run([ROOT / "deploy/make-secrets.sh", directory, *names], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise AssertionError(done.stdout)
    return pathlib.Path(directory)


class Join(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.processes = []
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="scm-join-"))
        try:
            cls.serve, cls.address = routable_address()
            cls.secrets = make_secrets(cls.directory / "secrets", cls.address)
            cls.coordinator = cls.start_coordinator()
            cls.start_worker("good")
            until(lambda: cls.workers(), what="the worker that is allowed")
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for process in reversed(cls.processes):
            process.terminate()
            process.wait()
        shutil.rmtree(cls.directory, ignore_errors=True)

    @classmethod
    def coordinator_flags(cls, data="data", **changes):
        s = cls.secrets
        flags = {"data-dir": cls.directory / data, "listen": f"{cls.serve}:0",
                 "metrics-listen": "127.0.0.1:0", "user-token-file": s / "user.token",
                 "worker-token-file": s / "worker.token",
                 "tls-cert": s / "server.crt", "tls-key": s / "server.key",
                 **{key.replace("_", "-"): value for key, value in changes.items()}}
        return [str(word) for key, value in flags.items() if value is not None
                for word in (f"--{key}", value)]

    @classmethod
    def start_coordinator(cls, **changes):
        log = cls.directory / "coordinator.log"
        with log.open("w") as out:
            cls.processes.append(subprocess.Popen(
                [BIN / "scm-coordinator", *cls.coordinator_flags(**changes)], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT))
        found = until(lambda: re.search(r"serves port (\d+)", log.read_text()),
                      what="the coordinator")
        return f"{cls.address}:{found[1]}"

    @classmethod
    def start_worker(cls, name, token=None, authority=None):
        log = cls.directory / f"{name}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [BIN / "scm-worker", "--coordinator", cls.coordinator, "--token-file",
                 token or cls.secrets / "worker.token", "--tls-ca",
                 authority or cls.secrets / "ca.crt", "--work-dir", cls.directory / name, "--cpus",
                 "1", "--allow-trainer", FAKE],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        cls.processes.append(process)
        return process, log

    @classmethod
    def scmctl(cls, *words, token=None, authority=True):
        environment = {**os.environ, "SCM_HOME": str(cls.directory / "home")}
        environment.pop("SCM_COORDINATOR", None)
        flags = ["--coordinator", cls.coordinator]
        if token != "none":
            flags += ["--token-file", token or cls.secrets / "user.token"]
        if authority:
            flags += ["--tls-ca", cls.secrets / "ca.crt" if authority is True else authority]
        return subprocess.run([BIN / "scmctl", *words, *flags], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)

    @classmethod
    def workers(cls):
        return json.loads(cls.scmctl("workers", "ls", "-o", "json").stdout)["workers"]

    def token_file(self, name, text):
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text + "\n")
        return path

    def test_a_joined_worker_trains_an_experiment(self):
        path = self.directory / "experiment.yaml"
        path.write_text(experiment(name="joined", seeds=(11,), max_steps=20))
        submitted = self.scmctl("submit", path, "-o", "json")
        self.assertEqual(submitted.returncode, 0, submitted.stderr)
        identifier = json.loads(submitted.stdout)["experiment"]
        waited = self.scmctl("wait", identifier)
        self.assertEqual(waited.returncode, 0, waited.stdout + waited.stderr)
        run = json.loads(self.scmctl("runs", identifier, "-o", "json").stdout)["runs"][0]
        self.assertEqual(run["state"], "SUCCEEDED")

    def test_a_worker_is_back_before_its_leases_end(self):
        """A coordinator that restarts costs no retry, over TLS neither."""
        path = self.directory / "long.yaml"
        path.write_text(experiment(name="long", seeds=(11,), max_steps=100000,
                                   script="{step_ms: 50}"))
        identifier = json.loads(self.scmctl("submit", path, "-o", "json").stdout)["experiment"]
        run = lambda: json.loads(self.scmctl("runs", identifier, "-o", "json").stdout)["runs"][0]
        until(lambda: run()["step"] > 5, what="the first steps")
        coordinator, port = self.processes[0], self.coordinator.rpartition(":")[2]
        log = self.directory / "good.log"
        known = len(log.read_text())
        coordinator.kill()
        coordinator.wait()
        # Down for so long that the worker's connection is lost for good: it must make a new one.
        until(lambda: "refused" in log.read_text()[known:].lower(), what="a call in vain")
        # Leases end after 5 s and a margin of 5 s.
        self.start_coordinator(listen=f"{self.serve}:{port}", lease_ttl_seconds=5)
        self.processes[0] = self.processes.pop()
        before = until(run, what="an answer")["step"]
        until(lambda: run()["step"] > before, what="steps after the restart")
        self.assertEqual(run()["attempts"], 1)
        self.assertEqual(self.scmctl("cancel", identifier).returncode, 0)
        self.scmctl("wait", identifier)

    # Refused at start.

    def refused(self, program_name, *flags):
        done = subprocess.run([BIN / program_name, *map(str, flags)], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_coordinator_that_others_reach_needs_tls_and_both_tokens(self):
        for absent in ({"tls_cert": None, "tls_key": None}, {"user_token_file": None},
                       {"worker_token_file": None}):
            said = self.refused("scm-coordinator", *self.coordinator_flags(
                "refused", **absent))
            for flag in ("--tls-cert", "--user-token-file", "--worker-token-file"):
                self.assertIn(flag, said)
        said = self.refused("scm-coordinator", *self.coordinator_flags("refused", tls_key=None))
        self.assertIn("--tls-key", said)

    def test_metrics_are_not_served_to_others(self):
        said = self.refused("scm-coordinator", *self.coordinator_flags(
            "refused", metrics_listen=f"{self.serve}:0"))
        self.assertIn("--metrics-listen 127.0.0.1", said)

    def test_a_token_that_others_may_read_is_refused(self):
        path = self.token_file("open.token", "0123456789abcdef0123456789abcdef")
        path.chmod(0o644)
        said = self.refused("scm-coordinator",
                            *self.coordinator_flags("refused", user_token_file=path))
        self.assertIn("chmod 600", said)

    def test_nobody_dials_another_machine_without_an_authority(self):
        if self.address.startswith("127."):
            address = "192.0.2.1:7070"
        else:
            address = self.coordinator
        said = self.refused("scm-worker", "--coordinator", address, "--work-dir",
                            self.directory / "plain", "--token-file", self.secrets / "worker.token")
        self.assertIn("--tls-ca", said)
        done = self.scmctl("ls", authority=False)
        if not self.address.startswith("127."):
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--tls-ca", done.stderr)

    # Refused by the other side.

    def does_not_join(self, reason, **keys):
        name = f"bad-{len(self.processes)}"
        process, log = self.start_worker(name, **keys)
        until(lambda: reason in log.read_text(), what=f"{reason!r} in {log}: {log.read_text()}")
        self.assertEqual(len(self.workers()), 1, self.workers())
        self.assertIsNone(process.poll())  # it goes on dialling: the mistake may be mended

    def test_a_worker_with_a_wrong_token_does_not_join(self):
        wrong = self.token_file("wrong.token", "f" * 64)
        self.does_not_join("UNAUTHENTICATED", token=wrong)
        self.assertNotIn("f" * 64, (self.directory / "coordinator.log").read_text())

    def test_a_users_token_does_not_make_a_worker(self):
        self.does_not_join("UNAUTHENTICATED", token=self.secrets / "user.token")

    def test_a_worker_that_trusts_another_authority_does_not_join(self):
        other = make_secrets(self.directory / "other", self.address)
        self.does_not_join("UNAVAILABLE", authority=other / "ca.crt")

    def test_users_are_asked_for_their_token(self):
        for token in ("none", self.secrets / "worker.token",
                      self.token_file("guess.token", "e" * 64)):
            done = self.scmctl("ls", token=token)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("token", done.stderr)
        self.assertEqual(self.scmctl("ls").returncode, 0)

    def test_plain_text_is_not_answered(self):
        self.assertNotEqual(get(f"http://{self.coordinator}/")[0], 200)

    def test_secrets_stay_in_their_files(self):
        texts = {log.name: log.read_text() for log in self.directory.glob("*.log")}
        for process in self.processes:
            if process.poll() is None:
                texts[str(process.pid)] = pathlib.Path(f"/proc/{process.pid}/cmdline").read_text()
                texts[f"{process.pid} env"] = pathlib.Path(
                    f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace")
        for path in (self.directory / "data").rglob("*"):
            if path.is_file():
                texts[str(path)] = path.read_bytes().decode("latin-1")
        for token in self.secrets.glob("*.token"):
            secret = token.read_text().strip()
            for name, text in texts.items():
                self.assertNotIn(secret, text, f"{token.name} in {name}")

    def test_making_secrets_again_replaces_nothing(self):
        before = {path.name: path.read_bytes() for path in self.secrets.iterdir()}
        make_secrets(self.secrets, self.address)
        self.assertEqual(before, {path.name: path.read_bytes() for path in self.secrets.iterdir()})
        for path in self.secrets.iterdir():
            if path.suffix in (".key", ".token"):
                self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_an_authority_whose_key_was_put_away_is_kept(self):
        secrets = make_secrets(self.directory / "kept", self.address)
        authority = (secrets / "ca.crt").read_bytes()
        (secrets / "ca.key").rename(self.directory / "ca.key")
        make_secrets(secrets, self.address)
        self.assertEqual((secrets / "ca.crt").read_bytes(), authority)
        (secrets / "server.key").unlink()
        with self.assertRaisesRegex(AssertionError, "bring them back"):
            make_secrets(secrets, self.address)
        (self.directory / "ca.key").rename(secrets / "ca.key")
        make_secrets(secrets, self.address)
        self.assertEqual((secrets / "ca.crt").read_bytes(), authority)
        self.assertTrue((secrets / "server.key").is_file())


if __name__ == "__main__":
    unittest.main(verbosity=2)
