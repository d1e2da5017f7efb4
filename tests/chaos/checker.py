"""What must be true of every history, whatever was broken while it was made. Each invariant is one function over Facts
that yields a Violation for each thing that is wrong; its docstring says the rule. To add one: write it, put it below
@invariant with the ids of the rules (docs/domain.md), and show in test_checker.py a history that it refuses.
"""

import collections
import dataclasses
import re

INVARIANTS = []


@dataclasses.dataclass
class Violation:
    invariant: str
    text: str
    job: int = None
    item: str = None


def invariant(*rules):
    def register(function):
        INVARIANTS.append((function.__name__, rules, function))
        return function
    return register


def check(facts):
    """All violations, of all invariants. One that cannot be judged is one, too: silence must mean that all is well."""
    found = []
    for name, _, function in INVARIANTS:
        try:
            for text, concerned in function(facts):
                found.append(Violation(name, text, **concerned))
        except Exception as error:  # a history that the invariant's author did not think of
            found.append(Violation(name, f"could not be judged: {type(error).__name__}: {error}"))
    return found


def of_job(facts, job, text):
    return text, {"job": job, "item": facts.item_of_job(job)}


def of_item(item, text):
    return text, {"item": item}


# --- promises -----------------------------------------------------------------------------------------------------

@invariant("I-3")
def no_acknowledged_event_is_lost(facts):
    """A delivery that was answered with yes is stored once, and was consumed."""
    events = collections.defaultdict(list)
    for event in facts.tables["event"]:
        events[event["delivery"]].append(event)
    for delivery in sorted(facts.promises.deliveries):
        found = events[delivery]
        if len(found) != 1:
            yield f"delivery {delivery} was acknowledged and is stored {len(found)} times", {}
        elif found[0]["ended_at"] is None or found[0]["status"] in ("malformed", "dead"):
            yield f"delivery {delivery} was acknowledged and is {found[0]['status']} in the end", {}


@invariant("I-3", "P-9", "C-1")
def no_act_of_a_person_is_lost(facts):
    """An item whose creation was answered is there and was taken in; so is each approval and each cancellation."""
    items = {row["work_item"] for row in facts.tables["local_item"]}
    tasks = {row["item"]: row for row in facts.tables["task"]}
    decided = {(row["task_id"], row["stage"]) for row in facts.tables["decision"] if row["verdict"] == "approved"}
    for item in sorted(facts.promises.items):
        if item not in items or item not in tasks:
            yield of_item(item, "its creation was acknowledged, and it is "
                          + ("not taken in" if item in items else "not there"))
    for item, stage in sorted(facts.promises.approvals):
        if item in tasks and (tasks[item]["id"], stage) not in decided:
            yield of_item(item, f"its approval in {stage} was acknowledged, and there is no such decision")
    for item in sorted(facts.promises.cancels):
        task = tasks.get(item)
        if task and task["stage"] not in ("cancelled", "done"):
            yield of_item(item, f"its cancellation was acknowledged, and it is in {task['stage']}")


# --- claims and runs ----------------------------------------------------------------------------------------------

ENDS = ("outcome", "reap", "release")


@invariant("J-1", "T-5", "J-8")
def claims_follow_each_other(facts):
    """By the history, a job is claimed only when no claim of it is open, under a higher epoch than ever before; and
    only an open claim is orphaned, adopted or ended."""
    for job, rows in facts.by_job("history").items():
        current, highest = None, 0
        for row in rows:
            kind, epoch = row["kind"], row["epoch"]
            if kind == "claim":
                if current is not None:
                    yield of_job(facts, job, f"claimed under epoch {epoch} while the claim of epoch {current} was open")
                if epoch <= highest:
                    yield of_job(facts, job, f"claimed under epoch {epoch}, after epoch {highest}")
                current, highest = epoch, max(highest, epoch)
            elif kind in (*ENDS, "orphan", "adopt"):
                if epoch != current:
                    yield of_job(facts, job, f"{kind} of epoch {epoch} while the open claim was {current}")
                if kind in ENDS:
                    current = None


@invariant("J-1")
def at_most_one_live_run(facts):
    """By what the agents recorded: one agent for each claim, and none begins for a claim older than one that has
    begun. Their process groups are told apart by job and epoch, which a detached child shares."""
    for job, lines in facts.by_job("lines").items():
        begun = []
        for line in lines:
            if line.what != "start":
                continue
            if line.epoch in begun:
                yield of_job(facts, job, f"two agents began for epoch {line.epoch}, the second is pid {line.pid}")
            elif begun and line.epoch < max(begun):
                yield of_job(facts, job, f"an agent began for epoch {line.epoch} after one of epoch {max(begun)}")
            begun.append(line.epoch)


@invariant("T-5", "R-6")
def nothing_acts_after_it_was_fenced(facts):
    """No agent, and nothing that one has left behind, does anything after the agent of a later claim has begun."""
    for job, lines in facts.by_job("lines").items():
        newest, told = None, set()
        for line in lines:
            if line.what == "start" and (newest is None or line.epoch > newest.epoch):
                newest = line
            elif newest is not None and line.epoch < newest.epoch and line.epoch not in told:
                told.add(line.epoch)
                late_ms = (line.boot_ns - newest.boot_ns) // 1000000
                yield of_job(facts, job, f"pid {line.pid} of epoch {line.epoch} did '{line.what}' in {line.run_dir} "
                                         f"{late_ms} ms after epoch {newest.epoch} began in {newest.run_dir}")


@invariant("J-1", "T-5")
def runs_are_closed_and_one_succeeds(facts):
    """No run is left open; a job that is done has exactly one that succeeded, its last one, and no other job has any."""
    runs = facts.by_job("run")
    for job in facts.tables["job"]:
        mine = sorted(runs[job["id"]], key=lambda run: run["epoch"])
        open_runs = [run["epoch"] for run in mine if run["ended_at"] is None]
        if open_runs and job["status"] != "running":
            yield of_job(facts, job["id"], f"is {job['status']}, and its runs of epochs {open_runs} are open")
        succeeded = [run["epoch"] for run in mine if run["outcome"] == "success"]
        expected = [mine[-1]["epoch"]] if job["status"] == "done" and mine else []
        if succeeded != expected:
            yield of_job(facts, job["id"], f"is {job['status']}; runs that succeeded: epochs {succeeded}, of "
                                           f"{[(run['epoch'], run['outcome']) for run in mine]}")


@invariant("J-8", "R-6")
def every_agent_was_announced(facts):
    """An agent runs only for a claim that the database knows, for that item; and who succeeded has worked to its end (a
    test command that was killed has succeeded in finding the branch red)."""
    known = {(run["job_id"], run["epoch"]) for run in facts.tables["run"]}
    ended = collections.defaultdict(set)
    for line in facts.lines:
        if line.what == "end":
            ended[line.job].add(line.epoch)
        if line.what == "start":
            if (line.job, line.epoch) not in known:
                yield of_job(facts, line.job, f"an agent ran for epoch {line.epoch}, which was never claimed")
            elif facts.item_of_job(line.job) != line.item:
                yield of_job(facts, line.job, f"an agent worked at {line.item} for it")
    for job in facts.rows("job", status="done", kind="agent"):
        if not ended[job["id"]]:
            yield of_job(facts, job["id"], "is done, and no agent of it has worked to its end")


@invariant("T-2", "T-5")
def the_dead_claim_nothing(facts):
    """A process claims or adopts nothing once its row is ended."""
    ended = {f"process {row['id']}": row["ended_at"] for row in facts.tables["process"] if row["ended_at"] is not None}
    for row in facts.tables["history"]:
        if row["kind"] in ("claim", "adopt") and row["actor"] in ended and row["at"] > ended[row["actor"]]:
            yield of_job(facts, row["job_id"], f"{row['kind']} of epoch {row['epoch']} by {row['actor']}, which had ended")


REFUNDED = ("lost", "released", "transient")


@invariant("J-1", "J-4")
def attempts_are_within_bounds(facts):
    """Attempts, crashes and transient failures are within their bounds, and a job that is done has counted each run
    that was nobody else's fault, and no other."""
    bounds = {"crashes": int(facts.setting("job_max_crashes")), "transients": int(facts.setting("job_max_transient"))}
    runs = facts.by_job("run")
    for job in facts.tables["job"]:
        if not 0 <= job["attempts"] <= job["max_attempts"]:
            yield of_job(facts, job["id"], f"has {job['attempts']} attempts of {job['max_attempts']}")
        for count, bound in bounds.items():
            if job[count] > bound + (job["status"] == "failed"):
                yield of_job(facts, job["id"], f"has {job[count]} {count}, more than {bound}, and is {job['status']}")
        counted = sum(run["outcome"] not in REFUNDED for run in runs[job["id"]])
        if job["status"] == "done" and counted != job["attempts"]:
            yield of_job(facts, job["id"], f"has counted {job['attempts']} attempts, and its runs are {counted}")


# --- the pipeline -------------------------------------------------------------------------------------------------

@invariant("P-2", "J-6", "R-1")
def everything_ends(facts):
    """When all is healed and quiet, each job is ended, and each task done or cancelled: none waits for ever, none has
    been given up."""
    for job in facts.tables["job"]:
        if job["status"] not in ("done", "cancelled"):
            yield of_job(facts, job["id"], f"is {job['status']} in the end: {job['reason']}")
    for task in facts.tables["task"]:
        if not task["terminal"]:
            yield of_item(task["item"], f"is in {task['stage']} in the end, {task['escalation'] or 'not escalated'}")


@invariant("P-1", "P-3", "P-12")
def only_legal_edges(facts):
    """Each move of a task is an edge of the pipeline, begins where the one before has ended, and counts one version."""
    edges = {(row["from_stage"], row["to_stage"]) for row in facts.tables["stage_edge"]}
    for task in facts.tables["task"]:
        stage, version = "created", 0
        for row in facts.rows("history", kind="stage", task_id=task["id"]):
            move = (row["from_stage"], row["to_stage"])
            if move not in edges:
                yield of_item(task["item"], f"moved from {move[0]} to {move[1]}, which is no edge")
            if move[0] != stage or row["stage_version"] != version + 1:
                yield of_item(task["item"], f"moved from {move[0]} to {move[1]} as version {row['stage_version']}, "
                                            f"and was in {stage}, version {version}")
            stage, version = move[1], row["stage_version"]
        if (task["stage"], task["stage_version"]) != (stage, version):
            yield of_item(task["item"], f"is in {task['stage']}, version {task['stage_version']}, and its history ends in "
                                        f"{stage}, version {version}")


@invariant("P-9", "M-3")
def people_decide_at_their_gates(facts):
    """A task leaves analysis, and is deployed, only after a person has approved just that visit."""
    approved = {(row["task_id"], row["stage"], row["stage_version"]) for row in facts.tables["decision"]
                if row["verdict"] == "approved"}
    items = {task["id"]: task["item"] for task in facts.tables["task"]}
    for row in facts.rows("history", kind="stage"):
        if (row["from_stage"], row["to_stage"]) in (("analysis", "architecture"), ("deploy", "done")) \
           and (row["task_id"], row["from_stage"], row["stage_version"] - 1) not in approved:
            yield of_item(items[row["task_id"]], f"left {row['from_stage']} and nobody had approved that")


@invariant("S-5", "S-10", "P-8")
def one_item_at_a_time_in_a_repo(facts):
    """An item is begun only when every earlier one of its repo has ended."""
    ended = {row["task_id"]: row["id"] for row in facts.rows("history", kind="stage")
             if row["to_stage"] in ("done", "cancelled")}
    entries = {job["id"] for job in facts.rows("job", entry=True)}
    tasks = {task["id"]: task for task in facts.tables["task"]}
    for row in facts.rows("history", kind="claim"):
        if row["job_id"] not in entries:
            continue
        mine = tasks[row["task_id"]]
        for task in facts.rows("task", repo=mine["repo"]):
            if task["id"] < mine["id"] and ended.get(task["id"], row["id"]) >= row["id"]:
                yield of_job(facts, row["job_id"], f"{mine['item']} was begun while {task['item']} was active")


# --- the outside --------------------------------------------------------------------------------------------------

@invariant("P-7", "T-5")
def each_job_is_one_commit(facts):
    """On the default branch each job that is done and writes, an agent's or a finalizer's, has exactly one commit, and no
    other job has any; nor do the branches that are left have one twice."""
    jobs = {job["id"]: job for job in facts.tables["job"]}
    tasks = {task["id"]: task for task in facts.tables["task"]}
    for name, repo in facts.repos.items():
        on_main = collections.Counter(int(c.trailers["Orch-Job"]) for c in repo.main if "Orch-Job" in c.trailers)
        expected = {job["id"] for job in jobs.values() if job["kind"] in ("agent", "finalize") and job["status"] == "done"
                    and tasks[job["task_id"]]["stage"] == "done" and tasks[job["task_id"]]["repo"] == name}
        for job in sorted(expected | set(on_main)):
            if on_main[job] != (job in expected):
                yield of_job(facts, job, f"has {on_main[job]} commits on the default branch of {name}, "
                                         f"and is {jobs[job]['status'] if job in jobs else 'unknown'}")
        for branch, commits in repo.branches.items():
            count = collections.Counter(c.trailers.get("Orch-Job") for c in commits if "Orch-Job" in c.trailers)
            for job in (job for job, n in count.items() if n > 1):
                yield of_job(facts, int(job), f"has {count[job]} commits on {branch} of {name}")


@invariant("M-4", "C-4")
def each_item_is_merged_once(facts):
    """The default branch grew by one merge for each item that is done, and was never set back or pushed to."""
    jobs = {job["id"]: job["task_id"] for job in facts.tables["job"]}
    for name, repo in facts.repos.items():
        by_sha = {commit.sha: commit for commit in repo.main}
        merged = collections.Counter()
        for commit in repo.landed:
            head = by_sha.get(commit.parents[1]) if len(commit.parents) == 2 else None
            if head is None or "Orch-Job" not in head.trailers:
                yield f"{name}: {commit.sha} on the default branch is not the merge of an item", {}
            else:
                merged[jobs.get(int(head.trailers["Orch-Job"]))] += 1
        for task in facts.rows("task", repo=name):
            if merged[task["id"]] != (task["stage"] == "done"):
                yield of_item(task["item"], f"is {task['stage']}, and was merged {merged[task['id']]} times into {name}")
        tips = [repo.main[0].sha if repo.main else None] + [commit.sha for commit in repo.landed]
        at = [move[1] for move in repo.moves if move[1] in tips[1:]]
        if len(at) != len(repo.moves) or at != tips[1:]:
            yield f"{name}: the default branch moved {repo.moves}, and its line is {tips}", {}


SIDE_EFFECTS = ("integrate", "deploy", "finalize", "merge")


@invariant("M-1", "M-3", "M-4")
def nothing_is_merged_but_by_the_steps(facts):
    """An item that is done was rebased and tested, then deployed, then found to be deployed, then merged, in that order;
    and what was merged had been rebased on the default branch as it was just then."""
    kinds = {job["id"]: (job["task_id"], job["kind"]) for job in facts.tables["job"]}
    ended = {kinds[run["job_id"]]: run["ended_at"] for run in sorted(facts.rows("run", outcome="success"), key=lambda r: r["ended_at"])}
    for task in facts.rows("task", stage="done"):
        times = [ended.get((task["id"], kind)) for kind in SIDE_EFFECTS]
        if None in times or times != sorted(times):
            yield of_item(task["item"], f"is done, and its last {', '.join(SIDE_EFFECTS)} succeeded at {times}")
    for name, repo in facts.repos.items():
        by_sha = {commit.sha: commit for commit in repo.main}
        for commit in repo.landed:
            if len(commit.parents) == 2 and not descends(by_sha, commit.parents[1], commit.parents[0]):
                yield f"{name}: {commit.sha} merged a branch that did not stand on {commit.parents[0]}", {}


def descends(by_sha, sha, ancestor):
    ahead, seen = [sha], set()
    while ahead:
        sha = ahead.pop()
        if sha == ancestor:
            return True
        if sha in by_sha and sha not in seen:
            seen.add(sha)
            ahead += by_sha[sha].parents
    return False


@invariant("I-7", "P-12")
def every_effect_was_carried_out(facts):
    """Nothing is left in the outbox, and nothing of it was given up."""
    items = {task["id"]: task["item"] for task in facts.tables["task"]}
    for row in facts.tables["effect"]:
        if row["status"] != "done":
            yield of_item(items.get(row["task_id"]), f"effect {row['id']} ({row['kind']}) is {row['status']}: {row['detail']}")


# --- what is left -------------------------------------------------------------------------------------------------

@invariant("R-7", "C-3", "T-3")
def nothing_is_left_behind(facts):
    """No lease, no process that counts as alive, no worktree, process, lock on any host, no branch of a cancelled item; a
    worktree only of a run whose work could not be committed, and that one for certain."""
    items = {task["id"]: task["item"] for task in facts.tables["task"]}
    for table in ("transition_lease", "merge_lease"):
        for row in facts.tables[table]:
            yield of_item(items.get(row["task_id"]), f"a {table.replace('_', ' ')} is left")
    for row in facts.tables["process"]:
        if row["ended_at"] is None:
            yield f"the {row['daemon']} {row['pid']} of host {row['host']} has left, and counts as alive", {}
    for task in facts.rows("task", stage="cancelled"):
        if task["branch"] in facts.repos[task["repo"]].branches:
            yield of_item(task["item"], f"is cancelled, and its branch {task['branch']} is left")
    outcomes = {(run["job_id"], run["epoch"]): run["outcome"] for run in facts.tables["run"]}
    for job, epoch, is_there in facts.kept:
        if not is_there:
            yield of_job(facts, job, f"said that it keeps the worktree of epoch {epoch}, which is gone")
        if outcomes.get((job, epoch), "success") == "success":
            yield of_job(facts, job, f"kept the worktree of epoch {epoch}, whose work is committed")
    for thing in facts.left:
        found = re.search(r"runs/(\d+)-\d+", thing)
        yield of_job(facts, int(found.group(1)), thing) if found else (thing, {})


@invariant("O-5")
def no_daemon_crashes(facts):
    """No daemon ends by a signal of its own making, or by a sanitizer's report."""
    for death in facts.deaths:
        yield death, {}
