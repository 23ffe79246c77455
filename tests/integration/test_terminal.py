"""scmctl as a user at a terminal meets it: a pty, Ctrl-C, lost contact, a second `local up`."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from mini_cluster import BIN, FAKE, MiniCluster, experiment


class AtTerminal:
    """A scmctl on a pty of so many columns; `text` is all that it wrote."""

    def __init__(self, cluster, *words, columns=80, **environment):
        self.text = ""
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        variables = dict(os.environ, SCM_HOME=cluster.home, TERM="xterm", **environment)
        variables.pop("SCM_COORDINATOR", None)
        if "NO_COLOR" not in environment:
            variables.pop("NO_COLOR", None)
        self.process = subprocess.Popen([BIN / "scmctl", *map(str, words)], env=variables,
                                        stdin=follower, stdout=follower, stderr=follower,
                                        cwd=cluster.home, start_new_session=True)
        os.close(follower)

    def read(self, until=None, seconds=60):
        """Reads until a text appears, or to the end; True if it came."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if until is not None and until in self.text:
                return True
            if select.select([self.leader], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.leader, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    break
        return until is not None and until in self.text

    def end(self):
        self.read()
        code = self.process.wait(timeout=60)
        os.close(self.leader)
        return code

    def lines(self):
        """What stood on the screen, line by line, without colours and movements."""
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.text).replace("\r", "").split("\n")


class AtATerminal(unittest.TestCase):
    def setUp(self):
        self.cluster = MiniCluster(workers=2)
        self.addCleanup(self.cluster.close)

    def file(self, **keys):
        path = pathlib.Path(self.cluster.home, "terminal.yaml")
        path.write_text(experiment(**keys))
        return path

    def test_ctrl_c_leaves_the_experiment_running_and_says_so(self):
        follow = AtTerminal(self.cluster, "submit", self.file(
            name="long", seeds=(11,), script="{step_ms: 100}", max_steps=2000), "--follow")
        self.assertTrue(follow.read(until="RUNNING"), follow.text)
        identifier = self.cluster.json("ls")["experiments"][-1]["id"]
        for screen in (follow, AtTerminal(self.cluster, "watch", "long")):
            self.assertTrue(screen.read(until="RUNNING"), screen.text)
            screen.process.send_signal(signal.SIGINT)
            self.assertEqual(screen.end(), 130, screen.text)
            self.assertIn("The experiment goes on", screen.text)
            self.assertIn(f"scmctl watch {identifier}", screen.text)
            self.assertEqual(self.cluster.json("status", identifier)["experiment"]["state"],
                             "RUNNING")
        self.cluster.scmctl("cancel", identifier, check=True)
        self.assertEqual(self.cluster.wait(identifier), 8)

    def test_the_live_table_fits_and_the_end_says_where_the_report_lies(self):
        for columns in (80, 200):
            follow = AtTerminal(self.cluster, "submit", self.file(
                name=f"wide-{columns}", seeds=(11, 12), script="{step_ms: 20}", max_steps=60,
                stages="[replicate, report]"), "--follow", columns=columns)
            self.assertEqual(follow.end(), 0, follow.text)
            self.assertIn("\x1b[32m", follow.text)
            self.assertIn("█", follow.text)
            table = [line for line in follow.lines() if re.match(r"r-\d+ |run +seed", line)]
            self.assertTrue(table, follow.text)
            self.assertLessEqual(max(map(len, table)), columns)
            report = re.search(r"Report +(\S+/report\.html)", follow.text)
            self.assertTrue(report and pathlib.Path(report[1]).exists(), follow.text)
            self.assertIn("2 seeds", follow.text)

    def test_no_color_and_pipes_get_no_escape(self):
        identifier = self.cluster.submit(experiment(name="plain", seeds=(11,), max_steps=20))
        self.assertEqual(self.cluster.wait(identifier), 0)
        screen = AtTerminal(self.cluster, "status", identifier, NO_COLOR="1")
        self.assertEqual(screen.end(), 0)
        self.assertNotIn("\x1b[3", screen.text)
        coloured = AtTerminal(self.cluster, "status", identifier)
        self.assertEqual(coloured.end(), 0)
        self.assertIn("\x1b[32m", coloured.text)
        for words in (["status", identifier], ["watch", identifier], ["runs", identifier], ["ls"],
                      ["events", identifier], ["why", identifier], ["workers", "ls"]):
            done = self.cluster.scmctl(*words, check=True)
            self.assertNotIn("\x1b", done.stdout + done.stderr, words)

    def test_lost_contact_while_watching_is_exit_6(self):
        self.cluster.submit(experiment(name="lost", seeds=(11,), script="{step_ms: 100}",
                                       max_steps=2000))
        screen = AtTerminal(self.cluster, "watch", "lost", "--patience", "1")
        self.assertTrue(screen.read(until="lost"), screen.text)
        os.kill(self.cluster.pids()["coordinator"], signal.SIGKILL)
        self.assertEqual(screen.end(), 6, screen.text)
        self.assertIn("scmctl local up", screen.text)

    def test_a_second_local_up_restarts_only_what_died_and_adjusts_the_number(self):
        before = self.cluster.pids()
        again = self.cluster.scmctl("local", "up", check=True)
        self.assertIn(f"coordinator runs already (pid {before['coordinator']})", again.stdout)
        self.assertEqual(again.stdout.count("runs already"), 3, again.stdout)
        self.assertEqual(self.cluster.pids(), before)
        victim, survivor = sorted(before["workers"])
        os.kill(before["workers"][victim], signal.SIGKILL)
        self.cluster.until(lambda: victim not in self.cluster.pids()["workers"], what="a death")
        healed = self.cluster.scmctl("local", "up", check=True)
        self.assertIn("had died: started again", healed.stdout)
        after = self.cluster.until(
            lambda: (p := self.cluster.pids()) and len(p["workers"]) == 2 and p, what="two workers")
        self.assertEqual(after["coordinator"], before["coordinator"])
        self.assertEqual(after["workers"][survivor], before["workers"][survivor])
        fewer = self.cluster.scmctl("local", "up", "--workers", "1", check=True)
        self.assertIn("worker 2 stopped", fewer.stdout)
        self.cluster.until(lambda: len(self.cluster.pids()["workers"]) == 1, what="one worker")
        self.assertIn(str(FAKE), fewer.stdout, "what was allowed stays allowed, and is shown")
        down = self.cluster.scmctl("local", "down", check=True)
        self.assertIn("coordinator stopped", down.stdout)
        self.assertIn("nothing runs", self.cluster.scmctl("local", "down", check=True).stdout)

    def test_why_answers_for_every_kind_of_id(self):
        identifier = self.cluster.submit(experiment(
            name="why", seeds=(11,), script="{curve: nan, nan_at_step: 12}"))
        self.assertEqual(self.cluster.wait(identifier), 4)
        run = self.cluster.json("runs", identifier)["runs"][0]
        certificate = self.cluster.json("why", run["id"])["reasons"][0]["certificate"]["id"]
        worker = self.cluster.json("workers", "ls")["workers"][0]["id"]
        for name, wanted in ((identifier, "non_finite"), ("why", "non_finite"),
                             (run["id"], "by rule non_finite"), (run["task"], "non_finite"),
                             (certificate, certificate), (worker, "READY")):
            done = self.cluster.scmctl("why", name, check=True)
            self.assertIn(wanted, done.stdout, name)
        self.assertIn("Saved", self.cluster.scmctl("why", run["id"]).stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
