"""J-1, T-2, T-3, T-5: claims that are taken back by force, that nobody knows of, that come too late; names of machines."""

import concurrent.futures

import psycopg2
import pytest

from support.wait import wait_for


def start(world, job, takeover_ms=None):
    return world.db.value("select orch.job_started(%s, %s, %s, 4711, '/log', null, %s)", job["job_id"], job["epoch"], job["token"], takeover_ms,
                          user="orch_workerd")


def beat(world, process=None):
    return world.call("process_beat", *(process or (world.process, world.epoch)), False)[0]


def reap(world):
    world.db.query("update orch.job set claimed_at = now() - interval '1 day' where status = 'running'")
    return world.call("reap_overdue", 10, user="orch_reaperd")[0]["reap_overdue"]


def release(world, job):
    return world.call("job_release", job["job_id"], job["epoch"], job["token"], "its agent is gone")[0]["job_release"]


def promise_s(world):
    """For how long the only job waits, from when it was last taken back or its agent was said to be gone."""
    return round(float(world.db.value("select extract(epoch from j.run_at - h.at) from orch.job j join orch.history h on h.job_id = j.id"
                                      " where j.active and h.kind in ('reap', 'release') order by h.id desc limit 1")))


def wait_over(world):
    world.db.query("update orch.job set run_at = clock_timestamp() where status = 'queued'")


@pytest.fixture
def process(world):
    """(process, epoch) with a promise of 20 s; its host's other workers are as ever."""
    row = world.call("process_start", "testhost", "boot-1", "workerd", 2, 1, "test", 20000)[0]
    return row["process_id"], row["epoch"]


def test_a_job_taken_back_by_force_waits_for_its_agent(world, process):
    """J-1, T-3, S-14: nobody runs it again before the owner's promise is over, and it says so."""
    a = world.item()
    job = world.claim(*process)
    assert start(world, job) and reap(world) == 1
    assert world.claim() is None and world.blocks(a) == ["backoff"]
    why = world.call("why", a, user="orch_readonly")[0]
    assert "the former owner's agent may still run" in why["reason"] and "former owner says that it is gone" in why["ends_when"]
    assert promise_s(world) == 20
    wait_over(world)
    again = world.claim()
    assert again["job_id"] == job["job_id"] and again["epoch"] == job["epoch"] + 2


@pytest.mark.parametrize("said", ["released", "finished"])
def test_the_former_owner_says_that_its_agent_is_gone(world, process, said):
    """J-1, T-5: then the job may run at once. Nothing else of what it says counts, and it is heard once."""
    world.item()
    job = world.claim(*process)
    start(world, job)
    reap(world)
    assert (release(world, job) is False) if said == "released" else (world.succeed(job) == "fenced")
    assert world.db.column("select outcome from orch.run") == ["lost"]
    again = world.claim()
    assert again["job_id"] == job["job_id"]
    assert release(world, job) is False and world.db.value("select status from orch.job") == "running"
    reap(world)
    assert release(world, job) is False and world.claim() is None  # it is not the former owner of this claim
    assert world.db.column("select detail ->> 'reason' from orch.history where kind = 'release'") == ["its agent is gone"]


def test_an_owner_before_the_former_one_says_nothing(world, process):
    """T-5: an adoption keeps the epoch; the token tells who speaks."""
    world.item()
    job = world.claim(*process)
    start(world, job)
    world.call("process_handover", *process)
    mine = world.call("job_adopt", world.process, world.epoch, job["job_id"], job["epoch"])[0]
    reap(world)
    assert release(world, job) is False and world.claim() is None
    assert release(world, mine) is False and world.claim() is not None


def test_a_crash_s_backoff_is_kept(world, process):
    """J-1: who says that the agent is gone ends the wait for it, not the wait of a job that has crashed often."""
    world.item()
    world.db.query("update orch.job set crashes = 2")
    job = world.claim(*process)
    start(world, job, 600000)
    reap(world)
    assert promise_s(world) == 600
    release(world, job)
    assert 0 < promise_s(world) <= 300 and "backs off" in world.call("why", world.db.value("select work_item from orch.task"), user="orch_readonly")[0]["reason"]


def test_a_retry_does_not_hurry_the_former_owner(world, process):
    """J-1, P-5: a person can end the wait after a failure, not the wait for an agent that may act."""
    a = world.item()
    world.db.query("update orch.job set crashes = 2")
    job = world.claim(*process)
    start(world, job)
    reap(world)
    assert "former owner's agent has surely stopped" in world.operate("retry", a)["message"]
    assert world.claim() is None
    release(world, job)
    assert world.claim() is not None


def test_the_promise_is_the_shim_s(world, process):
    """T-5: a shim keeps the limits that it was started with, whoever owns it: of an heir with a shorter promise the longer one counts."""
    world.item()
    job = world.claim()
    start(world, job, 90000)
    world.call("process_handover", world.process, world.epoch)
    assert world.call("job_adopt", *process, job["job_id"], job["epoch"])
    reap(world)
    assert promise_s(world) == 90


def test_an_orphan_taken_back_by_force_waits_too(world, process):
    """J-1, J-8: its owner has ended, its agent may run."""
    world.item()
    job = world.claim(*process)
    start(world, job)
    world.call("process_handover", *process)
    assert reap(world) == 1 and world.claim() is None and promise_s(world) == 20


def to_merger(world, item):
    world.work(until="deploy", item=item)
    world.operate("approve", item, None)
    world.succeed(world.until("finalizer"))


def test_a_released_merge_keeps_others_out(world, process):
    """T-1, T-3, M-1: while its former owner may still merge, nobody else merges into the repo: neither the task nor another."""
    world.set("serial_gate_enabled", "off")
    a, b = world.item("a"), world.item("b")
    to_merger(world, a)
    merger = world.claim(*process)
    world.work()
    assert world.waits(b) == ["lease"]
    assert (merger["role"], merger["work_item"]) == ("merger", a)
    assert "will run again when its agent has surely stopped" in world.operate("lease_release", a)["message"]
    world.call("reap_overdue", 10, user="orch_reaperd")
    assert world.claim() is None and world.succeed(merger) == "fenced"
    again = world.claim()
    assert again["work_item"] == a and world.claim() is None
    world.succeed(again)
    assert world.claim()["work_item"] == b


def test_beats_wait_for_who_takes_back(world, process):
    """T-5: no beat that names a claim is answered after the time from which the promise counts."""
    world.item()
    job = world.claim(*process)
    start(world, job)
    world.db.query("update orch.job set claimed_at = now() - interval '1 day'")
    reaper = world.db.connect("orch_reaperd")
    reaper.autocommit = False
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        try:
            reaper.cursor().execute("select orch.reap_overdue(10)")
            answer = pool.submit(own_connection, world, "select held_claims from orch.process_beat(%s, %s, false)", *process)
            wait_for(lambda: waiting(world) == 1, what="the beat waits")
            reaper.commit()
        finally:
            reaper.close()
        assert answer.result() == [([],)]


def waiting(world):
    return world.db.value("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


def own_connection(world, statement, *args):
    connection = world.db.connect("orch_workerd")
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, args)
            return cursor.fetchall()
    finally:
        connection.close()


# --- claims that their owner does not know of ---

def disown(world, jobs=(), effects=(), process=None):
    return world.db.value("select orch.process_disown(%s, %s, %s::text[], %s::text[])", *(process or (world.process, world.epoch)), list(jobs), list(effects),
                          user="orch_workerd")


def name(job):
    return f"{job['job_id']}-{job['epoch']}-{job['token']}"


def test_a_beat_names_the_claims(world):
    """T-5: job, epoch and token; effects too."""
    a = world.item()
    job = world.claim()
    world.operate("cancel", a, None)
    effects = world.call("effect_claim", world.process, world.epoch, 10)
    told = beat(world)
    assert told["held_claims"] == [name(job)] and told["stop_jobs"] == [job["job_id"]]
    assert sorted(told["held_effects"]) == sorted(f"{e['effect_id']}-{e['epoch']}-{e['token']}" for e in effects) != []


def test_what_is_disowned_goes_back(world):
    """J-1, T-5: a claim whose answer was lost is queued again, its attempt refunded, its claim fenced; others stay."""
    world.set("serial_gate_enabled", "off")
    world.item("a"), world.item("b")
    known, lost = world.claim(), world.claim()
    assert disown(world, [name(lost)]) == 1
    assert beat(world)["held_claims"] == [name(known)]
    assert world.db.row("select status, attempts, due_at from orch.job where id = %s", lost["job_id"]) == {"status": "queued", "attempts": 0, "due_at": None}
    assert world.succeed(lost) == "fenced" and world.succeed(known) == "recorded"


def test_disowned_late_nothing_changes(world):
    """T-5: a call that was held up on a lost connection finds that the process has claimed the job again, and knows it."""
    world.item()
    lost = world.claim()
    assert disown(world, [name(lost)]) == 1
    known = world.claim()
    assert known["job_id"] == lost["job_id"] and disown(world, [name(lost)]) == 0
    assert world.succeed(known) == "recorded"


def test_an_adoption_disowned_late(world):
    """T-5, J-8: an adoption keeps the epoch: the token tells that it is another one."""
    world.item()
    job = world.claim()
    start(world, job)
    world.call("process_handover", world.process, world.epoch)
    heir = world.add_process(pid=2)
    lost = world.call("job_adopt", *heir, job["job_id"], job["epoch"])[0]
    assert disown(world, [name(lost)], process=heir) == 1
    mine = world.call("job_adopt", *heir, job["job_id"], job["epoch"])[0]
    assert disown(world, [name(lost)], process=heir) == 0 and beat(world, heir)["held_claims"] == [name(mine)]
    assert world.succeed(lost) == "fenced" and world.succeed(mine) == "recorded"


def test_effects_that_are_disowned_go_back(world):
    """I-7: an effect that nobody executes is pending again; disowned late it is not."""
    a = world.item()
    world.operate("cancel", a, None)
    claimed = world.call("effect_claim", world.process, world.epoch, 1)[0]
    lost = f"{claimed['effect_id']}-{claimed['epoch']}-{claimed['token']}"
    assert disown(world, effects=[lost]) == 1
    world.call("effect_claim", world.process, world.epoch, 1)
    assert disown(world, effects=[lost]) == 0
    assert world.db.value("select status from orch.effect where id = %s", claimed["effect_id"]) == "running"


def test_only_one_s_own_claims_are_disowned(world):
    """B-8, T-5: nor does a process that was ended give anything back."""
    world.item()
    job = world.claim()
    other = world.add_process(pid=2)
    assert disown(world, [name(job)], process=other) == 0 and disown(world, [name(job)], process=(world.process, world.epoch + 1)) == 0


# --- orphans that nobody comes for ---

def stranded(world, since):
    row = [r for r in world.call("orphan_list", 10, user="orch_reaperd") if r["stranded"]][0]
    return row["since_us"], world.db.value("select orch.orphan_stranded(%s, %s, 'no worker', %s)", row["job_id"], row["epoch"], since, user="orch_reaperd")


def test_an_heir_that_came_and_went_begins_the_wait_anew(world, process):
    """R-6, J-1: it has renewed the agent: a reaper that saw the job stranded before and after does not add up the two times."""
    world.item()
    job = world.claim()
    start(world, job)
    world.call("process_handover", world.process, world.epoch)
    world.call("process_handover", *process)
    first, _ = stranded(world, -1)
    heir = world.add_process(pid=3)
    world.call("job_adopt", *heir, job["job_id"], job["epoch"])
    world.call("process_handover", *heir)
    second, given_back = stranded(world, first)
    assert second > first and given_back is False
    assert stranded(world, second)[1] is True


# --- names of machines ---

def register(world, boot, up_ms, host="testhost"):
    return world.call("process_start", host, boot, "workerd", 9, 1, "test", 75000, up_ms)


def test_two_machines_of_one_name(world):
    """T-2: a process of another boot that has beaten since this machine booted is no earlier life of it: refused, with what to do."""
    beat(world)
    with pytest.raises(psycopg2.Error) as refused:
        register(world, "boot-2", 3600000)
    assert refused.value.pgcode == "OR002" and 'another machine beats under the host name "testhost"' in str(refused.value)
    assert "host_name" in refused.value.diag.message_hint
    assert register(world, "boot-1", 3600000) and register(world, "boot-3", 3600000, host="another")
    assert world.db.value("select boot_id from orch.host where name = 'testhost'") == "boot-1"


def test_a_machine_that_booted_again(world):
    """T-2: no process of the boot before has beaten since: it registers at once."""
    world.db.query("update orch.process set beat_at = clock_timestamp() - interval '61 s'")
    assert register(world, "boot-2", 60000)
    assert world.db.value("select boot_id from orch.host where name = 'testhost'") == "boot-2"
