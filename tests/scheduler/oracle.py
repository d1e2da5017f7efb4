"""Rules S-1 to S-12 once more, in plain Python over plain rows: what blocks a job, and which is claimed next.

It shares nothing with the product, and is meant to be read beside section 4 of docs/domain.md. A world is what
worlds.snapshot() gives: dictionaries of rows, times in seconds.
"""

import math
import re

TERMINAL = ("done", "cancelled")
ENTRY_ROLE = "analyst"


def is_on(world, key):
    return world["settings"][key] == "on"


def in_scope(world, key, repo):
    """S-12: empty is all repos; a token that is no repo name is dropped; no good token left is empty."""
    good = [token for token in re.split(r"[\s,]+", world["settings"][key]) if re.fullmatch(r"[A-Za-z0-9._-]+", token)]
    return not good or repo["name"] in good


def is_gated(world, repo):
    return is_on(world, "serial_gate_enabled") and in_scope(world, "serial_gate_repos", repo)


def is_terminal(task):
    return task["stage"] in TERMINAL


def is_entry(job):
    return job["role"] == ENTRY_ROLE


def is_paused(world, task):
    return task["paused"] and is_on(world, "serial_gate_pause_enabled")


def is_active(world, task):
    """S-5, S-8."""
    return not is_terminal(task) and not is_paused(world, task)


def deploy_is_under_way(world, task):
    """C-5: from when the deploy was begun until its stage has ended, or nothing is done about it any more; and while a job of the
    task that has the merge lease runs."""
    if world["leases"].get(str(task["repo"])) == task["id"] and any(
            job["task"] == task["id"] and job["status"] == "running" for job in world["jobs"].values()):
        return True
    record = (world["deploys"] or {}).get(f'{task["id"]}-{task["version"]}')
    return task["stage"] == "deploy" and (
        (record is not None and (record["status"] is None or (record["status"] == "SUCCESS" and not task["escalated"])))
        or any(job["task"] == task["id"] and job["version"] == task["version"] and job["status"] == "running"
               and job["role"] in ("releaser", "finalizer", "merger") for job in world["jobs"].values()))


def is_under(limit, world, job):
    """S-7: whether a limit applies to a job. All workers of these worlds are on one host."""
    scope, name = limit
    return name == {"global": "", "repo": world["repos"][job["repo"]]["name"], "role": job["role"], "host": "testhost"}[scope]


def limits_of(world, job):
    return [(tuple(limit), slots) for *limit, slots in world["limits"] if is_under(limit, world, job)]


def axes(world, job):
    """S-14: the names of all axes that block a queued job."""
    task, repo = world["tasks"][job["task"]], world["repos"][job["repo"]]
    blocking = set()
    if is_terminal(task) or (task["cancel"] and not deploy_is_under_way(world, task)):
        blocking.add("cancel")
    if merges_elsewhere(world, job):
        blocking.add("lease")  # M-1
    if is_entry(job) and is_gated(world, repo) and is_on(world, "serial_gate_freeze_enabled") and repo["id"] in world["frozen"]:
        blocking.add("freeze")
    if is_paused(world, task):
        blocking.add("pause")
    if is_on(world, "task_deps_enabled") and any(
            waiter == task["id"] and not is_terminal(world["tasks"][holder]) for waiter, holder in world["dependencies"]):
        blocking.add("dependency")
    if is_entry(job) and is_gated(world, repo) and any(
            other["repo"] == repo["id"] and other["id"] < task["id"] and is_active(world, other)
            for other in world["tasks"].values()):
        blocking.add("active-task")
    if job["run_at"] > world["now"]:
        blocking.add("backoff")
    if any(slots <= sum(is_under(limit, world, other) for other in world["jobs"].values() if other["status"] == "running")
           for limit, slots in limits_of(world, job)):
        blocking.add("capacity")
    return blocking


def queued(world):
    return [job for job in world["jobs"].values() if job["status"] == "queued"]


def blocks(world):
    return {(job["id"], axis) for job in queued(world) for axis in axes(world, job)}


def merges_elsewhere(world, job):
    """M-1: one task of a repo rebases and merges at a time. Not an axis: the claim leaves such a job for later."""
    return job["role"] in ("integrator", "merger") and world["leases"].get(str(job["repo"]), job["task"]) != job["task"]


def rank(world, job):
    """S-11: the priority; what lets new work in gets one better for each priority_ageing_s that it waits."""
    ageing = int(world["settings"].get("priority_ageing_s", 0))
    if not is_entry(job) or ageing == 0:
        return job["priority"]
    return max(0, job["priority"] - math.floor((world["now"] - job["created"]) / ageing))


def order(world, job):
    """S-11: priority, work in progress before new work, fair across repos (whose last start is longest ago), id."""
    last = world["repos"][job["repo"]]["last"]
    turn = (0 if last is None else last, job["repo"]) if is_entry(job) else (0, 0)
    return rank(world, job), is_entry(job), turn, job["id"]


def claimable(world):
    return [job for job in queued(world) if not axes(world, job)]


def claim(world):
    """The id of the job that the next claim starts, or None; the world is then as after that claim."""
    startable = [job for job in claimable(world) if not merges_elsewhere(world, job)]
    if not startable:
        return None
    job = min(startable, key=lambda job: order(world, job))
    if is_entry(job):  # age takes it past other new work only
        job = min((other for other in startable if not is_entry(other) and other["priority"] <= job["priority"]),
                  key=lambda other: order(world, other), default=job)
    job["status"] = "running"
    if job["role"] in ("integrator", "merger"):
        world["leases"][str(job["repo"])] = job["task"]
    if is_entry(job):
        last = [repo["last"] for repo in world["repos"].values() if repo["last"] is not None]
        world["repos"][job["repo"]]["last"] = max([world["now"], *last]) + 1
    return job["id"]
