/*
 * claim.pml - what goes by proof: claim, fence, lost answers, adoption and the proof of death, on one host (J-1, J-6,
 * J-8, T-2, T-5, R-6).
 *
 * No clock decides anything here, so there is none: a process that is paused is one that takes no step for a while, and a
 * partition is a statement or an answer that is lost, or comes late. Two workers, two shims, a reaper, one job, one lock.
 */
#ifndef CRASHES
#define CRASHES 0 /* of a worker */
#endif
#ifndef SHIM_CRASHES
#define SHIM_CRASHES 0
#endif
#ifndef LOSSES
#define LOSSES 0 /* statements given up by a worker that lives: the statement is lost or late, or its answer is lost */
#endif
#ifndef LOCK_OUTS
#define LOCK_OUTS 0 /* waits for the lock that end before it is free */
#endif
#ifndef FAILOVERS
#define FAILOVERS 0 /* promotions of a standby that has not seen the last claim */
#endif

#define IDLE       1
#define CLAIMING   2
#define ADOPTING   2 /* as far as a worker's own steps go, the same */
#define ANNOUNCING 3
#define WORKING    4 /* waits for the shim's end */
#define ASKING     5
#define PUSHING    6
#define RECORDING  7 /* job_finish, until it is answered */

#define HOST_OF(row) 0
#define on_taken_back() skip
#define on_orphaned()   skip
#define is_known        (knows_it(0) || knows_it(1))
#define knows_it(w)     (workers[w].at > CLAIMING && workers[w].epoch == epoch && workers[w].token == token)

#include "database.pml"

byte crashes = CRASHES;
byte shim_crashes = SHIM_CRASHES;
byte losses = LOSSES;
byte lock_outs = LOCK_OUTS;
byte failovers = FAILOVERS;

/* --- workers --- */

typedef worker {
        byte at;
        byte row;
        byte epoch; /* of the claim that it knows of; 0: none */
        byte token;
        byte unknown; /* a claim that a beat has named, and that it does not know; 0: none */
        byte unknown_token;
        bit won /* what it will record: the work is on the branch, or the run came to nothing */
};
worker workers[2];

/* --- shims, each with the folder of its run --- */

#define WAITING 1 /* for the lock */
#define RUNS    2
#define ENDED   3 /* status written */

typedef keeper {
        byte at; /* 0: none, and no status */
        byte epoch;
        byte boss /* who started it */
};
keeper shims[2];
byte lock = NONE; /* the shim that has it */
bit stray = 0;    /* a part of an agent outlived its shim */

/* --- the branch, moved by compare-and-swap only --- */

byte branch = 0;      /* epoch of the commit of this job, 0: none */
byte orphan_push = 0; /* a git that outlived its worker, and the epoch it pushes for */

byte locker = NONE; /* connection of the claim that is BEGUN */
#ifdef MUTANT_ASKED_ONCE
bit unsure[2];
#endif

#include "claim_steps.pml"

/* The workers are alike: that the first claim is worker 0's halves what there is to search, and loses nothing. */
#define its_turn   (_pid == 0 || tokens > 0 || workers[0].at == CLAIMING)
#define is_quiet   (wire[_pid].phase == FREE)
#define has_nothing (is_quiet && workers[_pid].at == IDLE && workers[_pid].unknown == 0)

active [2] proctype Worker()
{
end:
        do
        :: atomic { can_run(_pid) -> execute(_pid) }
        :: atomic { can_take(_pid) -> take(_pid) }
        :: atomic { losses > 0 && can_lose(_pid) -> lose(_pid) }
        :: atomic { crashes > 0 && can_die(_pid) -> die(_pid) }
        :: atomic { has_nothing && is_claimable && its_turn -> say(_pid, CLAIM); workers[_pid].at = CLAIMING }
        :: atomic { has_nothing && is_adoptable ->
                say(_pid, ADOPT);
                wire[_pid].epoch = epoch;
                workers[_pid].at = ADOPTING }
        :: atomic { is_quiet && workers[_pid].unknown == 0 && beat_tells(_pid) -> say(_pid, BEAT) }
        :: atomic { is_quiet && workers[_pid].unknown != 0 -> say_disown(_pid) }
        :: atomic { is_quiet && workers[_pid].at == ANNOUNCING -> say(_pid, STARTED) }
        :: atomic { is_quiet && workers[_pid].at == WORKING && !is_kept(_pid) -> run_ended(_pid) }
        :: atomic { is_quiet && workers[_pid].at == ASKING -> say(_pid, STARTED) }
        :: atomic { workers[_pid].at == PUSHING ->
                push(workers[_pid].epoch);
                workers[_pid].won = 1; /* if it is not our commit, it is one of this job's: Orch-Job */
                workers[_pid].at = RECORDING;
                printf("worker %d pushes epoch %d; on the branch: %d\n", _pid, workers[_pid].epoch, branch) }
        :: atomic { is_quiet && workers[_pid].at == RECORDING && workers[_pid].won -> say(_pid, FINISH) }
        :: atomic { is_quiet && workers[_pid].at == RECORDING && !workers[_pid].won -> say(_pid, GIVE_UP) }
        od
}

/* --- a shim: the lock, what its predecessor left, the agent, the end --- */

#define S (_pid - 2)
#ifdef MUTANT_NO_LOCK
#define lock_is_free 1
#else
#define lock_is_free (lock == NONE)
#endif
#ifdef MUTANT_ABANDONED_STARTS
#define is_abandoned 0
#else
#define is_abandoned is_dead(shims[S].boss)
#endif

active [2] proctype Shim()
{
end:
        do
        :: atomic { shims[S].at == WAITING && lock_is_free ->
                kill_stray();
                if
                :: is_abandoned -> printf("shim %d finds its starter gone, and does not begin\n", S); vanish(S)
                :: else ->
                        printf("shim %d: its agent runs\n", S);
                        lock = S;
                        shims[S].at = RUNS;
                        check_begin(S);
                        begins_to_act()
                fi }
        :: atomic { shims[S].at == WAITING && !lock_is_free && lock_outs > 0 ->
                lock_outs--;
                printf("shim %d is locked out\n", S);
                vanish(S) }
        :: atomic { shims[S].at == RUNS ->
                printf("shim %d: its agent has ended\n", S);
                acting--;
                lock = NONE;
                shims[S].at = ENDED }
        :: atomic { shim_crashes > 0 && shims[S].at == RUNS ->
                shim_crashes--;
                lock = NONE;
                if
                :: acting--; printf("shim %d is killed, and its agent with it\n", S)
                :: stray = 1; printf("shim %d is killed; a part of its agent lives on\n", S)
                fi;
                vanish(S) }
        od
}

/* --- a reaper, of which there may be more: each of its steps happens at most once --- */

active proctype Reaper()
{
end:
        do
        :: atomic { is_dead(0) && !is_ended(0) && !row_is_locked(0) -> say_gone(0) }
        :: atomic { is_dead(1) && !is_ended(1) && !row_is_locked(1) -> say_gone(1) }
        :: atomic { is_dead(2) && !is_ended(2) && !row_is_locked(2) -> say_gone(2) }
        :: atomic { is_dead(3) && !is_ended(3) && !row_is_locked(3) -> say_gone(3) }
        :: atomic { status == RUNNING && orphaned && lock == NONE && !has_status(epoch) ->
                printf("a reaper: orphan_lost, nothing is left of epoch %d\n", epoch);
                kill_stray();
                job_take_back() }
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
        :: atomic { is_over(0) -> printf("by runs_over() a run that is over is cleared away\n"); kill_shim(0) }
        :: atomic { is_over(1) -> printf("by runs_over() a run that is over is cleared away\n"); kill_shim(1) }
        :: atomic { failovers > 0 && status == RUNNING && locker == NONE && wire[LATE].phase == FREE ->
                failovers--;
                printf("failover: the claim of epoch %d is lost\n", epoch);
                epoch--;
                status = QUEUED;
                token = 0;
                owner = NONE;
                announced = 0;
                orphaned = 0 }
        od
}

#define all_quiet                                                                                                        \
        (workers[0].at == IDLE && workers[1].at == IDLE && shims[0].at == 0 && shims[1].at == 0 && orphan_push == 0)

init
{
        atomic {
                process_start(0);
                process_start(1)
        }
        /* Nothing can move any more: then the job must have ended, and nothing be left. */
        timeout ->
#ifndef IGNORE_STUCK
        stuck = (status != DONE);
        assert(!stuck);
#endif
#ifdef CHECK_ALL
        left_behind = (acting != 0);
        assert(!left_behind);
#endif
        assert(all_quiet)
}

#ifdef LIVENESS
ltl done_in_the_end { <> (status == DONE) }
#endif
