"""What those share who play a person's part in the demo: orchctl, a look at an item, orchctl watch beside it.

orchctl is found in PATH, its configuration in ORCH_CONFIG.
"""

import json
import subprocess
import sys
import threading

POLL_S = 0.3
pause = threading.Event()


def orchctl(*args):
    try:
        done = subprocess.run(["orchctl", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        return False, "", "orchctl is not in PATH: type the line `. STATE/env` that deploy/quickstart has printed"
    return done.returncode == 0, done.stdout, done.stderr.strip()


def must(*args):
    """An act that is to succeed: what it says; else an exception that says why not."""
    ok, out, error = orchctl(*args)
    if not ok:
        raise RuntimeError(f"orchctl {' '.join(args)} failed: {error}")
    return out.strip()


def show(item):
    """All that is known of an item; {} when the database cannot be reached."""
    ok, out, _ = orchctl("item", "show", item, "--json")
    return json.loads(out) if ok else {}


def waits_of(task):
    """What a task waits for: {axis: reason}."""
    return {wait["axis"]: wait["reason"] for wait in task.get("waits", [])}


def in_the_way(item, task, items):
    """What to type when the item waits behind one that is not of this run and waits for a person: nobody plays theirs. Else None."""
    if "active-task" not in waits_of(task):
        return None
    ok, out, _ = orchctl("waits", item, "--json")
    chain = json.loads(out)["waits_chain"] if ok else []
    last = chain[-1] if chain else {}
    if last.get("via") != "person" or last["waiter"] in (item, *items):
        return None
    return f"{item} waits for {last['waiter']}, which waits for you; you would type: {last['cut']}; or let it be overtaken: orchctl pause {last['waiter']}"


class Watch:
    """orchctl watch beside us. On a terminal it draws over its own table, so it has to be away while we say something."""

    def __init__(self, items):
        self.items, self.process = items, None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["orchctl", "watch", *self.items], stdin=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def say(self, text):
        if not sys.stdout.isatty():
            print(text, flush=True)
            return
        self.stop()
        print(text, end="\n\n", flush=True)
        self.start()

    def finish(self):
        """It ends by itself when the items have ended, and shows them so."""
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.stop()


def act(item, task, watch):
    """Does what the item waits for. True when there is nothing more to do for it; an exception when it went wrong."""
    if task.get("terminal"):
        if task["stage"] != "done":
            raise RuntimeError(f"{item} has ended as {task['stage']}")
        return True
    waits = waits_of(task)
    if "escalated" in waits:
        raise RuntimeError(f"{item} is stuck: {waits['escalated']} (see: orchctl log {item})")
    if "person" in waits:
        ok, _, error = orchctl("approve", item, "--comment", "by deploy/quickstart")
        if not ok:
            raise RuntimeError(f"{item} could not be approved: {error}")
        watch.say(f"    [person] {item} {waits['person']}; you would type: orchctl approve {item}")
    return False
