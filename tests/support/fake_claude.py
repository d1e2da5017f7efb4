#!/usr/bin/python3 -SE
"""A program that stands in for claude: its words, its event stream, its transcripts, and every way to misbehave.

Copied as `claude` into a folder by support/claude.py. What it does is the file `plan` beside it: Python that is run with
the functions below; `role`, `attempt` and `call` (which run of this role and item it is, from 1) say where it is.
"""

import fcntl
import json
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(sys.argv[0]).parent
MODEL = "claude-opus-4-8"
role, attempt = os.environ["ORCH_ROLE"], int(os.environ["ORCH_ATTEMPT"])
words = sys.argv[1:]


def option(name):
    return words[words.index(name) + 1] if name in words else None


session, resumed = option("--session-id"), option("--resume")


def raw(data):
    os.write(1, data if isinstance(data, bytes) else data.encode())


def event(**fields):
    raw(json.dumps({**fields, "session_id": session}, separators=(",", ":")) + "\n")


def init(**more):
    event(type="system", subtype="init", cwd=os.getcwd(), **{"model": MODEL, "claude_code_version": "2.1.241", **more})


def answer(identity="m1", tokens=(100, 20), model=MODEL, text="I work.", **more):
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    event(type="assistant", message={"id": identity, "model": model, "role": "assistant", "usage": usage,
                                     "content": [{"type": "text", "text": text}]}, **more)


def synthetic(error, text):
    event(type="assistant", message={"id": "e", "model": "<synthetic>", "content": [{"type": "text", "text": text}]}, error=error)


def tool(text="ok"):
    event(type="user", message={"role": "user", "content": [{"type": "tool_result", "content": text}]})


def limit(status="rejected", resets_in=3600, kind="five_hour"):
    event(type="rate_limit_event", rate_limit_info={"status": status, "resetsAt": int(time.time()) + resets_in, "rateLimitType": kind})


def retry(status, word):
    event(type="system", subtype="api_retry", attempt=1, max_retries=10, retry_delay_ms=600, error_status=status, error=word)


def result(subtype="success", is_error=False, cost=0.25, **more):
    event(type="result", subtype=subtype, is_error=is_error, num_turns=3, total_cost_usd=cost, **more)


def leave():
    """What the role owes, by the script of support/agents.py."""
    subprocess.run([HERE.parent / role], check=True, stdout=2)


def work():
    """All as it should be, but for the end."""
    init()
    answer()
    leave()


def good():
    work()
    result()


def escaped():
    """A grandchild in a session of its own that has our output open."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            (HERE / "escaped.new").write_text(str(os.getpid()))
            (HERE / "escaped.new").rename(HERE / "escaped")
            time.sleep(3600)  # lasts
        os._exit(0)
    os.wait()
    while not (HERE / "escaped").exists():
        time.sleep(0.01)  # lasts


def stay():
    time.sleep(3600)  # lasts


def transcript(identity):
    slug = re.sub("[^A-Za-z0-9]", "-", os.getcwd())
    return pathlib.Path(os.environ["HOME"]) / ".claude/projects" / slug / f"{identity}.jsonl"


def take_up_session():
    if resumed and "--fork-session" not in words:
        sys.exit("Error: --session-id can only be used with --continue or --resume if --fork-session is also specified.")
    past = ""
    if resumed:
        if not transcript(resumed).exists() or "forget" in transcript(resumed).read_text():
            print(f"No conversation found with session ID: {resumed}", file=sys.stderr)
            result("error_during_execution", True, 0, errors=[f"No conversation found with session ID: {resumed}"])
            sys.exit(1)
        past = transcript(resumed).read_text()
    transcript(session).parent.mkdir(parents=True, exist_ok=True)
    transcript(session).write_text(past + session + "\n")


def note_call():
    """The call, for the test; and which one of this role and item it is."""
    with open(HERE / "calls", "a+", encoding="utf-8") as calls:
        fcntl.flock(calls, fcntl.LOCK_EX)
        calls.seek(0)
        mine = [c for c in map(json.loads, calls) if (c["role"], c["item"]) == (role, os.environ["ORCH_WORK_ITEM"])]
        calls.write(json.dumps({"role": role, "item": os.environ["ORCH_WORK_ITEM"], "words": words, "session": session,
                                "resumed": resumed, "stdin": sys.stdin.read() if "unread" not in PLAN else "",
                                "env": dict(os.environ)}) + "\n")
        return len(mine) + 1


PLAN = (HERE / "plan").read_text()
call = note_call()
take_up_session()
exec(compile(PLAN, "plan", "exec"))  # pylint: disable=exec-used
