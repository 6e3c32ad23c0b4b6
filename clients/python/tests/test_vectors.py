"""The shared conversations of tests/protocol, spoken by this client's own wire code to the built watchdog, and the
answers of tests/protocol/client, given to the client by a watchdog that speaks from them."""

import contextlib
import json
import socket
import time
import unittest

import harness  # first: it says where the client is
import finalizer_liveness

VECTORS = harness.ROOT / "tests" / "protocol"


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def conversations(path):
    """The cases of a file: each its head and the lines that follow it."""
    cases = []
    for line in read(path):
        if "case" in line:
            cases.append((line, []))
        else:
            cases[-1][1].append(line)
    return cases


class Talk:
    """One conversation: its connections by name, and what its variables stand for."""

    def __init__(self, case, path):
        self.case, self.path = case, path
        self.peers, self.variables = {}, {}

    def run(self, line):
        if "differ" in line:
            self.case.assertNotEqual(*(self.variables[name] for name in line["differ"]))
            return
        lines, sock = self.peer(line.get("on", "a"))
        if "send" in line:
            sock.sendall(finalizer_liveness._line({k: self.filled(v) for k, v in line["send"].items()}))
        elif "raw" in line or "hex" in line:
            data = line["raw"].encode() * line.get("times", 1) if "raw" in line else bytes.fromhex(line["hex"])
            with contextlib.suppress(BrokenPipeError):  # it may hang up before it has read all
                sock.sendall(data + (b"" if line.get("open") else b"\n"))
        elif "hangup" in line:
            self.hang_up(line.get("on", "a"))
            time.sleep(0.02)  # the watchdog is to see it before what comes next
        elif "closed" in line:
            with contextlib.suppress(ConnectionResetError):  # with what it has not read
                self.case.assertEqual(b"", lines.read())
        else:
            self.hear(line, finalizer_liveness._parse(lines.readline()))

    def hear(self, line, message):
        wanted = line.get("reply") or line["event"]
        self.case.assertEqual("event" in line, "event" in message, message)
        if not wanted.get("..."):
            kept = set(message) - ({"message"} - set(wanted))
            self.case.assertEqual(set(wanted), kept, message)
        for name, value in wanted.items():
            if name != "...":
                self.match(value, message[name], message)

    def match(self, wanted, found, message):
        if isinstance(wanted, dict):
            self.case.assertEqual(set(wanted), set(found), message)
            for name, value in wanted.items():
                self.match(value, found[name], message)
        elif not isinstance(wanted, str) or not wanted.startswith("$"):
            self.case.assertEqual(wanted, found, message)
        elif wanted != "$_":
            self.case.assertEqual(self.variables.setdefault(wanted, found), found, message)

    def filled(self, value):
        return self.variables.get(value, value) if isinstance(value, str) else value

    def peer(self, name):
        if name not in self.peers:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(harness.PATIENT)
            sock.connect(self.path)
            self.peers[name] = (sock.makefile("rb"), sock)
        return self.peers[name]

    def hang_up(self, name):
        for end in self.peers.pop(name):
            end.close()

    def close(self):
        for name in list(self.peers):
            self.hang_up(name)


class Vectors(unittest.TestCase):
    def test_conversations(self):
        watchdog = harness.Watchdog(WATCHDOG_HEARTBEAT_LEASE="15s", WATCHDOG_CHECK_HOLD="30s",
                                    WATCHDOG_REAPER_FINALIZE_GRACE="2m")
        self.addCleanup(watchdog.close)
        count = 0
        for path in sorted(VECTORS.glob("*.jsonl")):
            for head, lines in conversations(path):
                with self.subTest(path.name, case=head["case"]):
                    for row in head.get("rows", ()):
                        watchdog.database.job(row["job"], run=row["run"], status=row.get("status", "running"))
                    talk = Talk(self, watchdog.socket)
                    self.addCleanup(talk.close)
                    for line in lines:
                        talk.run(line)
                    talk.close()
                    count += 1
        print("%d conversations" % count)
        self.assertGreater(count, 100)

    def test_answers(self):
        cases = read(VECTORS / "client" / "answers.jsonl")
        print("%d answers" % len(cases))
        for case in cases:
            with self.subTest(case=case["case"]):
                script = harness.Script(**{op: [self.spoken(a)] for op, a in case["answers"].items()})
                fake = harness.Fake(script)
                patience = 0.3 if None in case["answers"].values() else harness.PATIENT
                self.addCleanup(fake.close)
                o = harness.marked(self, fake, timeout=patience).own(1, run=2)
                if case["granted"]:
                    harness.until(lambda: o.granted)
                self.assertEqual(case["granted"], o.granted, o.reason)
                if case["revoked"] or case["check"] != "revoked":  # else it may be known before the check
                    self.assertEqual(case["revoked"], o.revoked.is_set(), o.reason)
                answer = o.check()
                self.assertEqual(case["check"], answer.state, answer.reason)
                self.assertIn(answer.reason, (case.get("reason", answer.reason),))

    def spoken(self, answer):
        if isinstance(answer, list):
            return [self.spoken(a) for a in answer]
        if isinstance(answer, dict) and "raw" in answer:
            return answer["raw"].encode() * answer.get("times", 1)
        return answer


if __name__ == "__main__":
    unittest.main()
