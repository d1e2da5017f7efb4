/*
 * freeze.pml - what goes by time: agents live on when their worker dies (J-8), and a silent host's job is taken over
 * from another host, but only after its agent has been frozen (J-1, T-5, R-6).
 *
 * Two hosts with a worker and a shim each; one job. A tick is about 20 s of the default timing. Bound to the clock are
 * the shim's dead man's switch (it acts, at most SLACK late), what the reaper counts, and, of a shim that is paused, its
 * worker, which kills it when it should have frozen its agent long ago; and nothing else. Worker,
 * statement and answer take as long as they like: a pause, a late wake-up, a partition and an outage of the
 * database are steps that do not come. With TIMELY, for "done in the end", they are faults with a beginning and an
 * end, and who is healthy keeps his appointments.
 */
#ifndef FREEZE
#define FREEZE 2 /* freeze_after, 45 s: age of the last confirmed beat at which the shim freezes its agent */
#endif
#ifndef SLACK
#define SLACK 1 /* how late the shim may be, slow clocks included */
#endif
#ifndef TAKEOVER
#define TAKEOVER 4 /* takeover_after, 75 s: for so long a reaper has seen no beat */
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef SHIM_CRASHES
#define SHIM_CRASHES 0
#endif
#ifndef SHIM_PAUSES
#define SHIM_PAUSES 0 /* a shim is stopped, for as long as it hurts */
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef TAKEOVERS
#define TAKEOVERS 0 /* bounds the search; a beat may be arbitrarily late, again and again */
#endif
#ifndef STRANDINGS
#define STRANDINGS 0 /* the same, of orphans whose host has no worker */
#endif
#ifndef FORCES
#define FORCES 0 /* reap_overdue(), lease_release() */
#endif
#ifndef PAUSES
#define PAUSES 0 /* TIMELY only, as is the next */
#endif
#ifndef CUTS
#define CUTS 0
#endif

byte crashes = CRASHES;
byte shim_crashes = SHIM_CRASHES;
byte shim_pauses = SHIM_PAUSES;
byte losses = LOSSES;
byte takeovers = TAKEOVERS;
byte strandings = STRANDINGS;
byte forces = FORCES;

byte host_of[7]; /* of each process row */
#define HOST_OF(row) host_of[row]
#define on_taken_back() skip
#define on_orphaned()   orphanhood++

#include "database.pml"

/* --- a host: its worker, its shim --- */

#define IDLE     1
#define CLAIMING 2
#define STARTING 3 /* has a claim, and is not yet sure enough of it to start an agent */
#define KEEPING  4 /* beats while there is an agent, and records its end */
#define ADOPTING 5
#define FENCED   6 /* its agent is killed; it says so, once */

typedef worker {
        byte at; /* 0: there is no worker on this host */
        byte row;
        byte epoch;
        byte token;
        byte sent;    /* age of the beat on its way */
        byte renewed; /* age of the last beat that it knows to have counted, when it was sent */
        byte quiet;   /* ticks since its beat_count has changed, as a reaper counts them that looks all the time */
        byte unknown; /* epoch and token of a claim that a beat has named and it does not know; 0: none */
        byte unknown_token;
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
        byte age; /* of the newest renewal, which a paused one reads when it wakes up */
        bit paused
};
keeper shims[2];

/* What the reaper counts besides: of an owner that is dead, and whose successor beats; and of a stranded job. */
byte still = 0;
byte alone = 0;      /* ticks since the first look that found the job stranded, with a look in each of them */
byte alone_as = 0;   /* the orphanhood it was found in; 0: was not found so at the last look */
byte orphanhood = 0; /* orphaned_at: tells one orphanhood from the next */
bit looked = 0;      /* in this tick */
byte ahead = 0;      /* MUTANT_WALL_CLOCK: ticks by which the time of day of the reapers differs from the owner's */

inline act(h)
{
        shims[h].at = RUNS;
        begins_to_act();
#ifdef CHECK_FENCED
        if
        :: !(status == RUNNING && epoch == shims[h].epoch) && promise == 0 -> fenced_acts = 1; assert(!fenced_acts)
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
        shims[h].age = 0;
        shims[h].paused = 0
}

#include "freeze_steps.pml"

#define its_turn (_pid == 0 || tokens > 0 || workers[0].at == CLAIMING) /* the hosts are alike */
#define is_quiet (wire[_pid].phase == FREE && awake(_pid))
#define has_nothing (is_quiet && workers[_pid].at == IDLE && workers[_pid].unknown == 0)
#define is_over_here(h) (shims[h].at != 0 && !(status == RUNNING && epoch == shims[h].epoch))

active [2] proctype Worker()
{
end:
        do
        :: atomic { workers[_pid].at == 0 && next_row >= 2 && awake(_pid) && linked(_pid) -> process_start(_pid) }
        :: atomic { can_run(_pid) -> execute(_pid) }
        :: atomic { can_take(_pid) -> take(_pid) }
        :: atomic { losses > 0 && can_lose(_pid) && awake(_pid) -> lose(_pid) }
        :: atomic { crashes > 0 && can_die(_pid) -> crashes--; die(_pid) }
        :: atomic { has_nothing && !is_ended(workers[_pid].row) && is_claimable && its_turn ->
                say_idle(_pid, CLAIM, CLAIMING) }
        :: atomic { has_nothing && is_mine_unknown(_pid) -> say(_pid, BEAT) }
        :: atomic { is_quiet && workers[_pid].unknown != 0 -> say_disown(_pid) }
        :: atomic { has_nothing && !is_ended(workers[_pid].row) && is_adoptable(_pid) ->
                say_idle(_pid, ADOPT, ADOPTING);
                wire[_pid].epoch = epoch }
        :: atomic { is_quiet && workers[_pid].at == IDLE && is_over_here(_pid) ->
                printf("worker %d finds by runs_over() a run that is over, and kills its shim\n", _pid);
                dispose(_pid) }
        :: atomic { is_quiet && workers[_pid].at == STARTING && may_ask(_pid) -> say(_pid, STARTED) }
        :: atomic { is_quiet && workers[_pid].at == STARTING && workers[_pid].renewed > 0 -> say(_pid, BEAT) }
        :: atomic { is_quiet && workers[_pid].at == KEEPING && shims[_pid].at <= FROZEN && shims[_pid].age > 0 ->
                say(_pid, BEAT) }
        :: atomic { is_quiet && workers[_pid].at == KEEPING && shims[_pid].at == ENDED -> say(_pid, FINISH) }
        :: atomic { is_quiet && workers[_pid].at == KEEPING && shims[_pid].at == NOTHING -> say(_pid, GIVE_UP) }
        :: atomic { is_quiet && workers[_pid].at == FENCED && !is_disobeyed(_pid) -> say(_pid, RELEASE) }
        :: atomic { is_disobeyed(_pid) && (workers[_pid].at == FENCED) && !shims[_pid].paused -> dispose(_pid) }
        :: atomic { is_overdue(_pid) ->
                printf("worker %d kills a shim that has not frozen its agent\n", _pid);
                acting--;
                shims[_pid].at = NOTHING;
                shims[_pid].age = FREEZE;
                shims[_pid].paused = 0 }
        :: atomic { is_quiet && workers[_pid].at == KEEPING && shims[_pid].at == STRAYS ->
                printf("worker %d hunts down what its shim has left\n", _pid);
                acting--;
                shims[_pid].at = NOTHING }
        od
}

/* --- a shim: knows its clock and what its worker has told it, and nothing else --- */

#define S (_pid - 2)

active [2] proctype Shim()
{
end:
        do
        :: atomic { shims[S].at == RUNS && shims[S].age >= FREEZE && !shims[S].paused ->
                printf("shim %d freezes its agent\n", S);
                acting--;
                shims[S].at = FROZEN;
                shims[S].age = FREEZE }
        :: atomic { shims[S].at == RUNS && !shims[S].paused ->
                printf("shim %d: its agent has ended\n", S);
                acting--;
                shims[S].at = ENDED;
                shims[S].age = FREEZE }
        :: atomic { shim_pauses > 0 && (shims[S].at == RUNS || shims[S].at == FROZEN) && !shims[S].paused ->
                shim_pauses--;
                printf("shim %d is paused\n", S);
                shims[S].paused = 1 }
        :: atomic { shims[S].paused ->
                printf("shim %d wakes up\n", S);
                shims[S].paused = 0;
                thaw(S) }
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
                shims[S].age = FREEZE;
                shims[S].paused = 0 }
        od
}

/* --- the reapers: what needs a host is asked of that host's, everything else any of them may say --- */

active proctype Reaper()
{
end:
        do
        :: atomic { status == RUNNING && is_dead(owner) && !is_ended(owner) ->
                printf("the reaper of host %d: process %d is gone\n", host_of[owner], owner);
                process_gone(owner, 0);
                still = 0 }
        :: atomic { takeovers > 0 && is_silent(0) -> take_over(workers[0].row) }
        :: atomic { takeovers > 0 && is_silent(1) -> take_over(workers[1].row) }
        :: atomic { takeovers > 0 && is_silent_dead -> take_over(owner) }
#ifndef MUTANT_NOBODY_LOOKS
        :: atomic { is_lost(host_of[owner]) ->
                printf("the reaper of host %d: orphan_lost, nothing is left of epoch %d\n", host_of[owner], epoch);
                dispose(host_of[owner]);
                job_take_back() }
#endif
        :: atomic { strandings > 0 && !looked && (is_stranded || alone_as != 0) -> look() }
        :: atomic { strandings > 0 && is_stranded && alone == TAKEOVER && alone_as == mark_of_orphan ->
                strandings--;
                printf("a reaper: orphan_stranded, epoch %d\n", epoch);
                job_take_back();
                alone = 0;
                alone_as = 0 }
        :: atomic { forces > 0 && status == RUNNING ->
                forces--;
                printf("epoch %d is taken back by force\n", epoch);
                job_revoke(TAKEOVER) }
#ifdef LIMIT_DATABASE_CLOCK
        :: atomic { promise > 0 -> promise = 0; promised = 0; printf("the clock of the database jumps ahead\n") }
#endif
#ifdef MUTANT_WALL_CLOCK
        :: atomic { ahead == 0 -> ahead = TAKEOVER; printf("the clock of the reapers jumps ahead\n") }
#endif
        od
}

/* --- time --- */

active proctype Clock()
{
end:
        do
        :: d_step {
                shim_is_timely(0) && shim_is_timely(1) && worker_is_timely(0) && worker_is_timely(1) ->
                printf("20 s pass\n");
                age_host(0);
                age_host(1);
                age_reaper()
           }
        od
}

active proctype Afterwards()
{
end:
        do
        :: atomic { wire[LATE].phase == SENT ->
                printf("a statement that was given up is executed\n");
                execute(LATE);
                forget(LATE) }
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
                process_start(0);
                process_start(1)
        }
}

#define is_over (status == DONE && acting == 0 && shims[0].at != FROZEN && shims[1].at != FROZEN)

#ifdef TIMELY
ltl done_in_the_end { <> is_over }
#endif
