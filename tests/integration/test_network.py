"""A proxy in the environment, other coordinators in the environment, and workers that do not come."""
import fcntl
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import unittest

from mini_cluster import BIN, FAKE, experiment, run_tests, MiniCluster


class Listener:
    """A port of this machine that counts who comes to it, and answers nobody."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.seen = 0
        threading.Thread(target=self.count, daemon=True).start()

    def count(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.seen += 1
            connection.close()

    def close(self):
        self.socket.close()


class Environment(unittest.TestCase):
    """Sets variables for every process that a test starts."""

    def set(self, **variables):
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)

        def restore():
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
        self.addCleanup(restore)


class Proxy(Environment):
    def test_this_machine_is_dialled_directly(self):
        proxy = Listener()
        self.addCleanup(proxy.close)
        self.set(**{name: f"http://{proxy.address}"
                    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY")})
        cluster = MiniCluster(workers=1)  # `local up`, and the worker to its coordinator
        self.addCleanup(cluster.close)
        done = cluster.submit(experiment(seeds=(11,), max_steps=10))
        self.assertEqual(cluster.wait(done), 0)
        self.assertEqual(cluster.scmctl("ls").returncode, 0)
        self.assertEqual(proxy.seen, 0, "something went to the proxy")


class OtherCoordinators(Environment):
    def test_local_commands_mean_the_local_one(self):
        other = Listener()
        self.addCleanup(other.close)
        cluster = MiniCluster(workers=1)
        self.addCleanup(cluster.close)
        environment = dict(os.environ, SCM_HOME=cluster.home, SCM_COORDINATOR=other.address,
                           SCM_TOKEN_FILE="/no/such/token", SCM_TLS_CA="/no/such/authority")

        def scmctl(*words):
            return subprocess.run([BIN / "scmctl", *words], env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        status = scmctl("local", "status", "-o", "json")
        self.assertEqual(status.returncode, 0, status.stdout)
        self.assertIn('"w-1"', status.stdout)
        down = scmctl("local", "down")
        self.assertIn("coordinator stopped", down.stdout)
        up = scmctl("local", "up", "--workers", "1")  # its worker is not sent elsewhere either
        self.assertEqual(up.returncode, 0, up.stdout)
        self.assertEqual(other.seen, 0, "something went to the other coordinator")

    def test_variables_stand_for_the_flags(self):
        cluster = MiniCluster(workers=1)
        self.addCleanup(cluster.close)
        address = cluster.json("local", "status")["coordinator"]
        environment = dict(os.environ, SCM_HOME=tempfile.gettempdir(), SCM_COORDINATOR=address)
        token = pathlib.Path(cluster.home, "tokens", "user")

        def listing(**more):
            return subprocess.run([BIN / "scmctl", "ls"], env={**environment, **more}, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertIn("refused the token", listing().stdout)
        self.assertEqual(listing(SCM_TOKEN_FILE=str(token)).returncode, 0)
        missing = listing(SCM_TOKEN_FILE=str(token), SCM_TLS_CA="/no/such/authority")
        self.assertEqual(missing.returncode, 2)
        self.assertIn("(--tls-ca or SCM_TLS_CA)", missing.stdout)


class WorkersThatDoNotCome(unittest.TestCase):
    def test_local_up_fails_and_says_why(self):
        cluster = MiniCluster(workers=1)
        self.addCleanup(cluster.close)
        second = pathlib.Path(cluster.home, "workers", "2")
        second.mkdir(parents=True)
        with open(second / "worker.lock", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # as if another worker used the directory
            up = cluster.scmctl("local", "up", "--workers", 2)
        self.assertEqual(up.returncode, 1, up.stdout + up.stderr)
        self.assertIn("worker 2 ended right after its start; its log, ", up.stderr)
        self.assertIn("another scm-worker uses", up.stderr)
        again = cluster.scmctl("local", "up", "--workers", 2, "--allow-trainer", FAKE)
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)


if __name__ == "__main__":
    run_tests()
