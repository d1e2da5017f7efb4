/*
 * freeze.pml - the coming protocol: agents live on when their worker dies (J-8), and a silent claim is taken over
 * from another host, but only after its agent has been frozen (J-1, T-5, R-6).
 *
 * Two hosts with a worker, at most one shim and a reaper each; one job. Time is a clock of ticks. The only things
 * bound to it are the shim's dead man's switch (it acts, at most SLACK late) and what the reaper counts. Worker,
 * statement and answer take as long as they like: a pause, a late wake-up, a partition and an outage of the
 * database are steps that do not come. With TIMELY, for "done in the end", they are faults with a beginning and an
 * end, and who is healthy keeps his appointments.
 *
 * A tick is 15 s of the timing table. A claim is kept by beats that name it; each beat is a change that the reaper
 * sees. Ages count from when a beat was SENT.
 */
#include "database.pml"

#ifndef FREEZE
#define FREEZE 3 /* 45 s: age of the last confirmed beat at which the shim freezes its agent */
#endif
#ifndef SLACK
#define SLACK 1 /* 15 s: how late the shim may be, slow clocks included */
#endif
#ifndef TAKEOVER
#define TAKEOVER 5 /* 75 s: for so long a reaper has seen no beat */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef SHIM_CRASHES
#define SHIM_CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef TAKEOVERS
#define TAKEOVERS 2 /* bounds the search; a beat may be arbitrarily late, again and again */
#endif
#ifndef PAUSES
#define PAUSES 1 /* TIMELY only, as is the next */
#endif
#ifndef CUTS
#define CUTS 1
#endif

byte crashes = CRASHES;
byte shim_crashes = SHIM_CRASHES;
byte losses = LOSSES;
byte takeovers = TAKEOVERS;

/* --- a host: its worker, its shim, its reaper --- */

#define IDLE      1
#define CLAIMING  2
#define RENEWING  3 /* has a claim, but heard of it too late to start an agent: beats first */
#define KEEPING   4 /* beats while there is an agent, and records its end */
#define ADOPTING  5 /* a new process, with a run of its predecessor on the disk */

typedef worker {
        byte at;
        byte row;
        byte epoch;
        byte token;
        byte sent; /* age of the statement on its way */
        bit paused;
        bit cut
};
worker workers[2];

#define RUNS    1
#define FROZEN  2
#define STRAYS  3 /* killed, and a part of its agent lives on */
#define ENDED   4 /* status written */
#define NOTHING 5 /* killed: no status */

typedef keeper {
        byte at; /* 0: none on this host */
        byte epoch;
        byte token;
        byte age /* of the last beat that it was told has counted */
};
keeper shims[2];

/*
 * Ticks since the claim has last changed, as a reaper counts them that looks all the time. One that looks later, or
 * begins anew after a look left out, takes over later; and late it may be here anyhow.
 */
byte still = 0;

bit host_of[4]; /* of each process row */
byte ahead = 0; /* MUTANT_WALL_CLOCK: ticks by which the time of day of the reapers differs from the owner's */

/* Who acts must hold the claim, whenever it moves or he begins. */
inline moved()
{
        still = 0;
#ifdef CHECK_FENCED
        if
        :: shims[0].at == RUNS || shims[1].at == RUNS -> fenced_acts = 1; assert(!fenced_acts)
        :: else
        fi
#endif
}

inline act(h)
{
        shims[h].at = RUNS;
        begins_to_act();
#ifdef CHECK_FENCED
        if
        :: !is_current(shims[h].epoch, shims[h].token) -> fenced_acts = 1; assert(!fenced_acts)
        :: else
        fi
#endif
}

inline dispose(h)
{
        if
        :: shims[h].at == RUNS || shims[h].at == STRAYS -> acting--
        :: else
        fi;
        shims[h].at = 0;
        shims[h].epoch = 0;
        shims[h].token = 0;
        shims[h].age = 0
}

#include "freeze_steps.pml"

#define its_turn (_pid == 0 || tokens > 0 || workers[0].at == CLAIMING) /* the hosts are alike */
#define is_quiet (wire[_pid].phase == FREE && awake(_pid))

active [2] proctype Worker()
{
end:
        do
        :: atomic { can_run(_pid) -> execute(_pid) }
        :: atomic { can_take(_pid) -> take(_pid) }
        :: atomic { losses > 0 && can_lose(_pid) && awake(_pid) -> lose(_pid) }
        :: atomic { crashes > 0 && can_die(_pid) -> die(_pid) }
        :: atomic { is_quiet && workers[_pid].at == IDLE && status == QUEUED && its_turn ->
                say(_pid, CLAIM);
                workers[_pid].at = CLAIMING }
        :: atomic { is_quiet && (workers[_pid].at == RENEWING ||
                                 (workers[_pid].at == KEEPING && shims[_pid].at < ENDED && shims[_pid].age > 0)) ->
                say(_pid, BEAT) }
        :: atomic { awake(_pid) && workers[_pid].at >= KEEPING && shims[_pid].at == STRAYS ->
                printf("worker %d kills what its shim has left\n", _pid);
                acting--;
                shims[_pid].at = NOTHING }
        :: atomic { is_quiet && workers[_pid].at == ADOPTING -> say(_pid, ADOPT) }
        :: atomic { is_quiet && workers[_pid].at == KEEPING && shims[_pid].at == ENDED -> say(_pid, FINISH) }
        :: atomic { is_quiet && workers[_pid].at == KEEPING && shims[_pid].at == NOTHING -> say(_pid, GIVE_UP) }
        od
}

/* --- a shim: knows its clock and what its worker has told it, and nothing else --- */

#define S (_pid - 2)

active [2] proctype Shim()
{
end:
        do
        :: atomic { shims[S].at == RUNS && shims[S].age >= FREEZE ->
                printf("shim %d freezes its agent\n", S);
                acting--;
                shims[S].at = FROZEN;
                shims[S].age = FREEZE }
        :: atomic { shims[S].at == RUNS ->
                printf("shim %d: its agent has ended\n", S);
                acting--;
                shims[S].at = ENDED;
                shims[S].age = FREEZE }
        :: atomic { shim_crashes > 0 && (shims[S].at == RUNS || shims[S].at == FROZEN) ->
                shim_crashes--;
                printf("shim %d is killed\n", S);
                if
                :: shims[S].at == RUNS -> acting--; shims[S].at = NOTHING
#ifdef LIMIT_STRAYS
                :: shims[S].at == RUNS -> shims[S].at = STRAYS
#endif
                :: shims[S].at == FROZEN -> shims[S].at = NOTHING
                fi;
                shims[S].age = FREEZE }
        od
}

/* --- a reaper --- */

#define R (_pid - 4)

#ifdef MUTANT_WALL_CLOCK
#define is_silent (still + ahead >= TAKEOVER)
#else
#define is_silent (still == TAKEOVER)
#endif

/* Of its own host: the process is dead, and there is no agent of it. */
#ifdef MUTANT_REAP_FIRST
#define is_gone (is_dead(owner) && host_of[owner] == R)
#else
#define is_gone (is_dead(owner) && host_of[owner] == R && shims[R].at == 0)
#endif

active [2] proctype Reaper()
{
end:
        do
        :: atomic { status == RUNNING && is_silent && takeovers > 0 ->
                takeovers--;
#ifdef TIMELY
                assert(takeovers > 0); /* no more than there are faults: who keeps his appointments is left alone */
#endif
                printf("reaper %d takes the claim of epoch %d away: it is silent\n", R, epoch);
                row_requeue();
                moved() }
        :: atomic { status == RUNNING && owner != NONE && is_gone ->
                printf("reaper %d takes the claim of epoch %d away: its process is dead\n", R, epoch);
                row_requeue();
                moved() }
#ifdef MUTANT_WALL_CLOCK
        :: atomic { ahead == 0 -> ahead = TAKEOVER; printf("the clock of the reapers jumps ahead\n") }
#endif
        od
}

/* --- time --- */

#ifdef LIMIT_SHIM_PAUSED
#define shim_is_timely(h) 1
#else
#define shim_is_timely(h) (!(shims[h].at == RUNS && shims[h].age >= FREEZE + SLACK))
#endif

#ifdef TIMELY
#define is_healthy(w)       (awake(w) && linked(w))
#define is_due(w)           (workers[w].sent > 0 || workers[w].at == RENEWING || shims[w].age > 0)
#define worker_is_timely(w) (!(is_healthy(w) && is_due(w)))
#else
#define worker_is_timely(w) 1
#endif

inline older(what_ages, most)
{
        what_ages = (what_ages < most -> what_ages + 1 : most)
}

inline age_host(w)
{
        if
        :: wire[w].phase != FREE && wire[w].what != FINISH && wire[w].what != GIVE_UP -> older(workers[w].sent, FREEZE)
        :: else
        fi;
        if
        :: shims[w].at == RUNS -> older(shims[w].age, FREEZE + SLACK)
        :: else
        fi
}

active proctype Clock()
{
end:
        do
        :: d_step {
                shim_is_timely(0) && shim_is_timely(1) && worker_is_timely(0) && worker_is_timely(1) ->
                printf("15 s pass\n");
                age_host(0);
                age_host(1);
                if
                :: status == RUNNING -> older(still, TAKEOVER)
                :: else
                fi
           }
        od
}

active proctype Afterwards()
{
end:
        do
        :: atomic { wire[LATE].phase == SENT -> printf("a statement that was given up is executed\n"); execute(LATE); forget(LATE) }
        :: atomic { wire[LATE].phase == SENT -> forget(LATE) }
        od
}

#ifdef TIMELY
byte pauses = PAUSES;
byte cuts = CUTS;

active proctype Nemesis()
{
end:
        do
        :: atomic { pauses > 0 -> pauses--; printf("worker 0 is paused\n"); workers[0].paused = 1 }
        :: atomic { pauses > 0 -> pauses--; printf("worker 1 is paused\n"); workers[1].paused = 1 }
        :: atomic { cuts > 0 -> cuts--; printf("host 0 is cut off from the database\n"); workers[0].cut = 1 }
        :: atomic { cuts > 0 -> cuts--; printf("host 1 is cut off from the database\n"); workers[1].cut = 1 }
        :: atomic { workers[0].paused -> workers[0].paused = 0; printf("worker 0 wakes up\n") }
        :: atomic { workers[1].paused -> workers[1].paused = 0; printf("worker 1 wakes up\n") }
        :: atomic { workers[0].cut -> workers[0].cut = 0; printf("host 0 is linked again\n") }
        :: atomic { workers[1].cut -> workers[1].cut = 0; printf("host 1 is linked again\n") }
        od
}
#endif

init
{
        atomic {
                start(0);
                start(1)
        }
}

#define is_over (status == DONE && shims[0].at == 0 && shims[1].at == 0 && acting == 0)

#ifdef TIMELY
ltl done_in_the_end { <> is_over }
#endif
