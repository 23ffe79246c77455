"""A coordinator that may open few files, and more connections to its two ports than it has descriptors:
the experiment goes on, /readyz says that something is wrong, and afterwards all is as before. Everything
stays on loopback, and the number of connections is bounded."""
import json
import pathlib
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

from mini_cluster import BIN, ManualCluster, experiment, run_tests

LIMIT = 128
CONNECTIONS = 300  # to the port of scmctl and workers
HTTP_CONNECTIONS = 40


class FewDescriptors(ManualCluster):
    def start(self, name, program, *flags):
        if name != "coordinator":
            super().start(name, program, *flags)
            return
        logs = pathlib.Path(self.home, "logs")
        logs.mkdir(exist_ok=True)
        # A soft limit far below: the coordinator raises it to the hard one.
        limited = f'ulimit -S -n 64 && ulimit -H -n {LIMIT} && exec "$@"'
        with open(logs / "coordinator.log", "a") as log:
            self.running[name] = subprocess.Popen(
                ["sh", "-c", limited, "sh", BIN / program, *map(str, flags)], stdout=log, stderr=log,
                start_new_session=True)


class Descriptors(unittest.TestCase):
    def setUp(self):
        self.cluster = FewDescriptors(workers=1)
        self.addCleanup(self.cluster.close)
        address = json.loads(
            pathlib.Path(self.cluster.home, "coordinator", "address.json").read_text())
        self.rpc = self.target(address["coordinator"])
        self.metrics_url = address["metrics_url"]
        self.http = self.target(self.metrics_url.split("/")[2])
        self.open = []
        self.addCleanup(self.hang_up)

    @staticmethod
    def target(address):
        host, _, port = address.rpartition(":")
        return host, int(port)

    def ready(self):
        """The status of /readyz and why; 0 while its port does not answer."""
        try:
            with urllib.request.urlopen(self.metrics_url.replace("/metrics", "/readyz"),
                                        timeout=5) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def connect(self, target, count):
        for _ in range(count):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(target)
            self.open.append(connection)

    def hang_up(self):
        while self.open:
            self.open.pop().close()

    def limit_of_coordinator(self):
        pid = self.cluster.running["coordinator"].pid
        for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines():
            if line.startswith("Max open files"):
                return int(line.split()[3])
        return 0

    def test_goes_on_and_says_so(self):
        self.assertEqual(self.limit_of_coordinator(), LIMIT)
        self.cluster.until(lambda: self.ready()[0] == 200, what="a coordinator that is ready")
        running = self.cluster.submit(experiment(name="under-way", seeds=(11,), max_steps=100,
                                                 script="{step_ms: 100}"))
        self.cluster.until(lambda: self.cluster.steps(running) > 2, what="a running experiment")

        self.connect(self.rpc, CONNECTIONS)
        why = self.cluster.until(lambda: next((text for code, text in [self.ready()] if code == 503),
                                              None), what="503 on /readyz")
        self.assertIn("connections are turned away", why)
        before = self.cluster.steps(running)  # answered all the same
        self.cluster.until(lambda: self.cluster.steps(running) > before + 2,
                           what="an experiment that goes on meanwhile")

        # The other port has few threads and waits for none of its callers for long.
        self.connect(self.http, HTTP_CONNECTIONS)
        self.cluster.until(lambda: self.ready()[0] != 0, what="an answer of /readyz beside them")

        self.hang_up()
        self.cluster.until(lambda: self.ready()[0] == 200, what="ready again")
        after = self.cluster.submit(experiment(name="afterwards", seeds=(11,), max_steps=10))
        self.assertEqual(self.cluster.wait(after), 0)
        self.assertEqual(self.cluster.wait(running), 0)
        runs = self.cluster.json("runs", running)["runs"]
        self.assertEqual([run["attempts"] for run in runs], [1], "no attempt was lost")
        self.assertIsNone(self.cluster.running["coordinator"].poll(), "the same process")

    def test_lets_nobody_without_a_token_stay(self):
        """Also one that speaks HTTP/2, answers every ping and asks nothing is shown out."""
        ping, ping_answered = 6, bytes([0, 0, 8, 6, 1, 0, 0, 0, 0])
        with socket.create_connection(self.rpc) as stranger:
            stranger.settimeout(120)
            stranger.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            incoming = stranger.makefile("rb")
            while len(header := incoming.read(9)) == 9:
                payload = incoming.read(int.from_bytes(header[:3], "big"))
                if header[3] == ping and not header[4]:
                    stranger.sendall(ping_answered + payload)


if __name__ == "__main__":
    run_tests()
