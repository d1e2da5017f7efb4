/*
 * database.pml - what both models share: the row of one job, and the functions of schema orch that move it.
 *
 * A function is one transaction (ADR 1), so it is one atomic step here, under its own name. Only the claim, which
 * looks at its process row and commits later, is two steps in claim.pml. Time, processes and faults belong to the
 * models; HOST_OF(row) and on_taken_back() are theirs, too.
 */
#define NONE    7

#define QUEUED  0 /* status of the job */
#define RUNNING 1
#define DONE    2

byte status = QUEUED;
byte epoch = 0;    /* moves when the job is claimed, and when it is taken back */
byte token = 0;    /* of the present owner; 0: none. Never given twice, unlike an epoch after a failover */
byte tokens = 0;   /* given so far */
byte owner = NONE; /* process row of the present claim */
bit announced = 0; /* run.log: there may be a shim */
bit orphaned = 0;  /* waits for an heir */
byte ended = 0;    /* process rows that are ended: one bit each */
byte promise = 0;  /* due_at, run_at: taken back by force, and not to be claimed for so many ticks */
byte promised = 0; /* token of the claim that was taken back so */
byte died = 0;     /* processes that are dead: one bit each. Nobody but their host can know */
byte next_row = 0;

#define BIT(n)      (1 << (n))
#define is_ended(n) ((ended & BIT(n)) != 0)
#define is_dead(n)  ((died & BIT(n)) != 0)


#define is_current(e, t) (status == RUNNING && epoch == (e) && token == (t))

/* What a write checks before it changes anything: T-5. */
#if defined(MUTANT_NO_EPOCH)
#define passes_fence(e, t) (status == RUNNING)
#elif defined(MUTANT_NO_TOKEN)
#define passes_fence(e, t) (status == RUNNING && epoch == (e))
#else
#define passes_fence(e, t) is_current(e, t)
#endif

#include "wire.pml"
#include "watch.pml"

/* --- back into the queue, or to an heir --- */

/* With job_requeue(): the epoch moves, so that the old claim is fenced. */
inline job_take_back()
{
        status = QUEUED;
        epoch++;
        token = 0;
        owner = NONE;
        announced = 0;
        orphaned = 0;
        on_taken_back()
}

inline job_orphan()
{
        orphaned = 1;
        on_orphaned()
}

/* By force (reap_overdue, lease_release): the owner, or what it left, may act until its promise is over. */
inline job_revoke(ticks)
{
#ifndef MUTANT_FORCE_AT_ONCE
        promise = ticks;
        promised = token;
#endif
        job_take_back()
}

#define is_promised(c) (status == QUEUED && epoch == wire[c].epoch + 1 && promised == wire[c].token)

/* Who had it says that nothing acts under that claim any more: its promise need not be waited for. */
inline job_confirm_gone(c)
{
        if
        :: promise > 0 && is_promised(c) ->
                printf("database: the agent of epoch %d is gone\n", wire[c].epoch);
                promise = 0;
                promised = 0
        :: else
        fi
}

#ifdef MUTANT_REAP_FIRST
#define may_have_shim 0
#else
#define may_have_shim announced
#endif

inline process_close(p, shims_live)
{
        ended = ended | BIT(p);
        if
        :: status == RUNNING && owner == p && shims_live && may_have_shim ->
                printf("database: the job is an orphan\n");
                job_orphan()
        :: status == RUNNING && owner == p && !(shims_live && may_have_shim) ->
                printf("database: the job is queued again\n");
                job_take_back()
        :: else
        fi
}

inline process_gone(p, host_dead)
{
        if
        :: !is_ended(p) -> process_close(p, !host_dead)
        :: else
        fi
}

/* --- a claim: taken, announced, adopted, recorded. c is the connection that asks, its answer is `yes` --- */

inline job_start(by)
{
        status = RUNNING;
        epoch++;
        assert(epoch < 15); /* the bounds of the model, not of the protocol */
        tokens++;
        token = tokens;
        owner = by;
        printf("database: the job is claimed by process %d: epoch %d, token %d\n", by, epoch, token);
        check_start(by)
}

inline job_started(c)
{
        wire[c].yes = is_current(wire[c].epoch, wire[c].token);
        announced = announced || wire[c].yes
}

#ifdef MUTANT_SAME_TOKEN
#define next_token token
#else
#define next_token tokens
#endif

inline job_adopt(c)
{
        if
        :: !is_ended(wire[c].row) && status == RUNNING && orphaned && epoch == wire[c].epoch &&
           HOST_OF(owner) == HOST_OF(wire[c].row) ->
                tokens++;
                token = next_token;
                owner = wire[c].row;
                orphaned = 0;
                wire[c].token = token;
                wire[c].yes = 1;
                printf("database: process %d adopts epoch %d, token %d\n", owner, epoch, token)
        :: else -> wire[c].yes = 0
        fi
}

#define is_claimable (status == QUEUED && promise == 0)

/* process_beat's list of claims, which is one or none. */
inline name_claim(c)
{
        if
        :: status == RUNNING && owner == wire[c].row && !orphaned -> wire[c].epoch = epoch; wire[c].token = token
        :: else -> wire[c].epoch = 0; wire[c].token = 0
        fi
}

#ifdef MUTANT_DISOWN_BY_EPOCH
#define is_disowned(c) (epoch == wire[c].epoch)
#else
#define is_disowned(c) (epoch == wire[c].epoch && token == wire[c].token)
#endif

/* What a beat has named and the process does not know is given back, or left to be adopted. */
inline process_disown(c)
{
        if
        :: !is_ended(wire[c].row) && status == RUNNING && owner == wire[c].row && !orphaned && is_disowned(c) ->
                printf("database: process %d disowns epoch %d\n", owner, epoch);
                check_robbed();
                if
                :: may_have_shim -> job_orphan()
                :: else -> job_take_back()
                fi
        :: else
        fi
}

/* FINISH is success, GIVE_UP another attempt. */
inline job_finish(c)
{
        if
        :: passes_fence(wire[c].epoch, wire[c].token) ->
                check_write(c);
                if
                :: wire[c].what == FINISH ->
                        printf("database: epoch %d is done\n", wire[c].epoch);
                        check_outcome();
                        status = DONE;
                        token = 0;
                        owner = NONE;
                        orphaned = 0
                :: else ->
                        printf("database: epoch %d came to nothing, the job is queued\n", wire[c].epoch);
                        job_take_back()
                fi;
                wire[c].yes = 1
        :: else ->
                printf("database: epoch %d is fenced\n", wire[c].epoch);
                job_confirm_gone(c);
                wire[c].yes = 0
        fi
}

inline job_release(c)
{
        if
        :: is_current(wire[c].epoch, wire[c].token) -> check_write(c); job_take_back()
        :: else -> job_confirm_gone(c)
        fi
}
