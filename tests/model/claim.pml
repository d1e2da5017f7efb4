/*
 * claim.pml - today's protocol (sql/code/50 to 53, workerd, orch-shim, orch-reaperd): claim, fence, proof of death
 * (J-1, J-6, T-2, T-5, R-6).
 *
 * No clock decides anything here, so there is none: a process that is paused is one that takes no step for a
 * while, and a partition is a statement or an answer that is lost. What one host's reaper may report is a process
 * whose pid is gone. Two workers, two shims, two reapers, one job, on one host (HOSTS=1), where the lock file keeps
 * the second agent out; HOSTS=2 puts each worker on a host of its own.
 */
#include "database.pml"

#ifndef HOSTS
#define HOSTS 1
#endif
#ifndef CRASHES
#define CRASHES 2 /* of a worker */
#endif
#ifndef SHIM_CRASHES
#define SHIM_CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 1 /* statements given up by a worker that lives: the statement is lost, late, or its answer is */
#endif
#ifndef LOCK_OUTS
#define LOCK_OUTS 1 /* waits for the lock that end before it is free */
#endif
#ifndef FAILOVERS
#define FAILOVERS 0 /* promotions of a standby that has not seen the last claim */
#endif

#define HOST(w) ((w) % HOSTS)

byte crashes = CRASHES;
byte shim_crashes = SHIM_CRASHES;
byte losses = LOSSES;
byte lock_outs = LOCK_OUTS;
byte failovers = FAILOVERS;

/* --- workers --- */

#define IDLE      1
#define CLAIMING  2
#define WORKING   3 /* waits for the shim's end */
#define ASKING    4
#define PUSHING   5
#define RECORDING 6 /* job_finish, until it is answered */

typedef worker {
        byte at;
        byte row;
        byte epoch; /* of the claim that it knows of; 0: none */
        byte token;
        bit unsure; /* there may be a claim that it does not know of */
        bit won;    /* what it will record: the work is on the branch, or the run came to nothing */
        byte number
};
worker workers[2];

/* --- shims --- */

#define WAITING 1 /* for the lock */
#define RUNS    2
#define STOPS   3 /* SIGTERM sent, the agent still acts */
#define ENDED   4 /* status written */
#define NOTHING 5 /* locked out, or killed: no status */

typedef keeper {
        byte at; /* 0: no such process */
        byte boss;
        bit host
};
keeper shims[2];
byte lock[HOSTS] = NONE; /* the shim that has it */
bit stray[HOSTS];        /* an agent, or a part of it, that outlived its shim */

/* --- the branch, moved by compare-and-swap only --- */

byte branch = 0;      /* epoch of the commit of this job, 0: none */
byte orphan_push = 0; /* a git that outlived its worker, and the epoch it pushes for */

byte locker = NONE;    /* connection of the claim that is BEGUN */
byte refused[4];       /* NUMBERED: per process row, claims with a lower number are refused */

inline push(its_epoch)
{
#ifdef MUTANT_NO_LEASE
        if
        :: branch != 0 -> pushed_twice = 1; assert(!pushed_twice)
        :: else
        fi;
        branch = its_epoch;
#else
        branch = (branch == 0 -> its_epoch : branch);
#endif
#ifdef CHECK_PUSH
        if
        :: branch == its_epoch && epoch != its_epoch -> stale_push = 1; assert(!stale_push)
        :: else
        fi
#endif
}

#include "claim_steps.pml"

/* The workers are alike: that the first claim is worker 0's halves what there is to search, and loses nothing. */
#define its_turn (_pid == 0 || tokens > 0 || workers[0].at == CLAIMING)

active [2] proctype Worker()
{
end:
        do
        :: atomic { can_run(_pid) -> execute(_pid) }
        :: atomic { can_take(_pid) -> take(_pid) }
        :: atomic { losses > 0 && can_lose(_pid) -> lose(_pid) }
        :: atomic { crashes > 0 && can_die(_pid) -> die(_pid) }
        :: atomic { workers[_pid].at == IDLE && wire[_pid].phase == FREE && status == QUEUED && its_turn ->
                send(_pid, CLAIM, workers[_pid].row, 0, 0);
                wire[_pid].number = workers[_pid].number;
                workers[_pid].at = CLAIMING }
        :: atomic { workers[_pid].unsure && wire[_pid].phase == FREE &&
                    (workers[_pid].at == IDLE || workers[_pid].at == WORKING) ->
#ifdef NUMBERED
                workers[_pid].number++;
#endif
                send(_pid, HOLDS, workers[_pid].row, 0, 0);
                wire[_pid].number = workers[_pid].number;
                wire[_pid].knows = (workers[_pid].at == WORKING) }
        :: atomic { ended_for(_pid, 0) -> shim_ended(_pid, 0) }
        :: atomic { ended_for(_pid, 1) -> shim_ended(_pid, 1) }
        :: atomic { workers[_pid].at == ASKING && wire[_pid].phase == FREE ->
                send(_pid, ASK, workers[_pid].row, workers[_pid].epoch, workers[_pid].token) }
        :: atomic { workers[_pid].at == PUSHING ->
                push(workers[_pid].epoch);
                workers[_pid].won = (branch == workers[_pid].epoch);
                workers[_pid].at = RECORDING;
                printf("worker %d pushes epoch %d; on the branch: %d\n", _pid, workers[_pid].epoch, branch) }
        :: atomic { workers[_pid].at == RECORDING && wire[_pid].phase == FREE ->
                send(_pid, (workers[_pid].won -> FINISH : GIVE_UP), workers[_pid].row, workers[_pid].epoch,
                     workers[_pid].token) }
        od
}

/* --- a shim: the lock, what its predecessor left, the agent, the end --- */

#define S (_pid - 2)
#define H shims[S].host
#ifdef MUTANT_NO_LOCK
#define lock_is_free 1
#else
#define lock_is_free (lock[H] == NONE)
#endif

inline unwatched()
{
        if
        :: is_dead(shims[S].boss) -> shims[S].at = 0; shims[S].boss = 0
        :: else
        fi
}

active [2] proctype Shim()
{
end:
        do
        :: atomic { shims[S].at == WAITING && lock_is_free ->
                lock[H] = S;
                if
                :: stray[H] -> stray[H] = 0; acting--; printf("shim %d kills what another left\n", S)
                :: else
                fi;
#ifdef CHECK_START
                if
                :: is_dead(shims[S].boss) -> stale_start = 1; assert(!stale_start)
                :: else
                fi;
#endif
                shims[S].at = RUNS;
                begins_to_act();
                printf("shim %d: its agent runs\n", S) }
        :: atomic { shims[S].at == WAITING && lock[H] != NONE && lock_outs > 0 ->
                lock_outs--;
                shims[S].at = NOTHING;
                unwatched();
                printf("shim %d is locked out\n", S) }
        :: atomic { shims[S].at == RUNS ->
                acting--;
                lock[H] = NONE;
                shims[S].at = ENDED;
                unwatched();
                printf("shim %d: its agent has ended\n", S) }
        :: atomic { shims[S].at == RUNS && is_dead(shims[S].boss) ->
                shims[S].at = STOPS;
                printf("shim %d sees its worker gone, and stops its agent\n", S) }
        :: atomic { shims[S].at == STOPS ->
                acting--;
                lock[H] = NONE;
                shims[S].at = 0;
                shims[S].boss = 0;
                printf("shim %d: its agent is stopped\n", S) }
        :: atomic { shim_crashes > 0 && (shims[S].at == RUNS || shims[S].at == STOPS) ->
                shim_crashes--;
                lock[H] = NONE;
                shims[S].at = NOTHING;
                if
                :: acting--; printf("shim %d is killed, and its agent with it\n", S)
                :: stray[H] = 1; printf("shim %d is killed; a part of its agent lives on\n", S)
                fi;
                unwatched() }
        od
}

/* --- a reaper: sees a process that is gone, and reports it; both may report the same --- */

inline process_gone(gone)
{
        if
        :: !is_ended(gone) ->
                ended = ended | BIT(gone);
                printf("a reaper reports process %d gone\n", gone);
                if
                :: status == RUNNING && owner == gone -> row_requeue()
                :: else
                fi
        :: else
        fi
}

active [2] proctype Reaper()
{
        byte seen = NONE;
end:
        do
        :: atomic { seen == NONE && is_dead(0) && !is_ended(0) -> seen = 0 }
        :: atomic { seen == NONE && is_dead(1) && !is_ended(1) -> seen = 1 }
        :: atomic { seen == NONE && is_dead(2) && !is_ended(2) -> seen = 2 }
        :: atomic { seen == NONE && is_dead(3) && !is_ended(3) -> seen = 3 }
        :: atomic { seen != NONE && !row_is_locked(seen) -> process_gone(seen); seen = NONE }
        od
}

/* --- what is executed, or lands, after nobody waits for it any more --- */

active proctype Afterwards()
{
end:
        do
        :: atomic { can_run(LATE) -> execute(LATE) }
        :: atomic { wire[LATE].phase == SENT -> forget(LATE) }
        :: atomic { wire[LATE].phase == ANSWERED -> forget(LATE) }
        :: atomic { orphan_push != 0 ->
                printf("the push of epoch %d, whose worker is dead, lands or is refused\n", orphan_push);
                push(orphan_push);
                orphan_push = 0 }
        :: atomic { orphan_push != 0 -> orphan_push = 0 }
        :: atomic { failovers > 0 && status == RUNNING && locker == NONE && wire[LATE].phase == FREE ->
                failovers--;
                printf("failover: the claim of epoch %d is lost\n", epoch);
                epoch--;
                status = QUEUED;
                token = 0;
                owner = NONE }
        od
}

#define all_quiet                                                                                                        \
        (workers[0].at == IDLE && workers[1].at == IDLE && shims[0].at == 0 && shims[1].at == 0 && orphan_push == 0)

init
{
        atomic {
                start(0);
                start(1)
        }
        /* Nothing can move any more: then the job must have ended, and nothing be left. */
        timeout ->
#ifndef IGNORE_STUCK
        stuck = (status != DONE);
        assert(!stuck);
#endif
#ifdef CHECK_LEFT
        left_behind = (acting != 0);
        assert(!left_behind);
#endif
        assert(all_quiet)
}

#ifdef LIVENESS
ltl done_in_the_end { <> (status == DONE) }
#endif
