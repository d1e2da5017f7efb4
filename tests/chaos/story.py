"""Everything that is known of one job, or of one item, in the order in which it happened: rows of the tables, lines of
the agents and of the daemons' logs, and the faults that were at work meanwhile."""

import datetime
import re

EDGE_S = 3  # faults and log lines so long before and after a job are part of its story


def unix(value):
    return value.timestamp() if isinstance(value, datetime.datetime) else float(value)


def clock(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%H:%M:%S.%f")[:-3]


def short(row, *but):
    """A row without what is empty or told elsewhere."""
    skip = ("id", "at", "kind", "job_id", "task_id", "repo_id", "log_excerpt", "usage", "token", *but)
    return " ".join(f"{key}={value}" for key, value in row.items() if key not in skip and value not in (None, {}, [], ""))


class Story:
    def __init__(self, facts, world=None):
        self.facts, self.world = facts, world

    def tell(self, job=None, item=None):
        """Lines `TIME SOURCE what`, in time order."""
        task = next((t for t in self.facts.tables["task"] if t["item"] == item), None)
        jobs = [job] if job is not None else [j["id"] for j in self.facts.tables["job"] if task and j["task_id"] == task["id"]]
        told = sorted(self._tables(task, jobs) + self._lines(jobs), key=lambda entry: entry[0])
        if told and self.world:
            span = (told[0][0] - EDGE_S, told[-1][0] + EDGE_S)
            told = sorted(told + self._journal(span) + self._logs(jobs, span), key=lambda entry: entry[0])
        head = [f"=== the story of {f'job {job}' if job is not None else 'item'} {item or ''} ==="]
        head += [f"    job {row['id']}: {short(row)}" for row in self.facts.tables["job"] if row["id"] in jobs]
        return "\n".join(head + [f"{clock(at)} {source:<10} {text}" for at, source, text in told])

    def _tables(self, task, jobs):
        told = []
        for row in self.facts.tables["history"]:
            if row["job_id"] in jobs or task and row["task_id"] == task["id"] and row["job_id"] is None:
                told.append((unix(row["at"]), "history", f"{row['kind']} {short(row)}"))
        for row in self.facts.tables["run"]:
            if row["job_id"] in jobs:
                name = f"run of job {row['job_id']} epoch {row['epoch']} on {row['host']}"
                told.append((unix(row["started_at"]), "run", f"{name} begins, attempt {row.get('attempt')}"))
                if row["ended_at"]:
                    told.append((unix(row["ended_at"]), "run", f"{name} ends: {short(row, 'started_at', 'ended_at', 'host')}"))
        for row in self.facts.tables["effect"]:
            if task and row["task_id"] == task["id"] and row.get("created_at"):
                told.append((unix(row["created_at"]), "effect", f"{row['kind']} {row['idempotency_key']}: {row['status']}"))
        return told

    def _lines(self, jobs):
        """Ticks of one process are told as one line, until a line of the same job that is none comes between."""
        told, ticking = [], set()
        for line in self.facts.lines:
            if line.job not in jobs:
                continue
            key = (line.job, line.epoch, line.pid)
            if line.what != "tick":
                ticking.clear()
            elif key in ticking:
                continue
            else:
                ticking.add(key)
            told.append((line.unix_ns / 1e9, "agent", f"{line.what} job {line.job} epoch {line.epoch} pid {line.pid} "
                                                      f"{line.role} record line {line.number} {line.run_dir}"))
        return told

    def _journal(self, span):
        return [(at, "chaos", text) for at, text in self.world.journal if span[0] <= at <= span[1]]

    def _logs(self, jobs, span):
        """Lines that name one of the jobs, and those of a process that counts as dead, from all hosts."""
        told, names = [], {str(job) for job in jobs}
        for host in self.world.hosts:
            for record in host.suite.log.records():
                if record.get("job") in names or record.get("event", "").startswith(("process.fenced", "reap.process-gone")) \
                   or re.search(r"runs/(\d+)-", str(record)) and re.search(r"runs/(\d+)-", str(record)).group(1) in names:
                    at = self._true_time(host.name, record)
                    if span[0] <= at <= span[1]:
                        rest = " ".join(f"{k}={v}" for k, v in record.items() if k not in ("ts", "event", "level"))
                        told.append((at, host.name, f"{record['event']} {rest}"))
        return told

    def _true_time(self, host, record):
        """When a line was written, by our clock: the host's may have been wrong."""
        said = datetime.datetime.fromisoformat(record["ts"].replace("Z", "+00:00")).timestamp()
        for name, offset, begin, end in self.world.jumps:
            if name == host and begin - 2 <= said - offset <= (end or said) + 2:
                return said - offset
        return said
