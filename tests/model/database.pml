/*
 * database.pml - what both models share: one job's row and the SQL functions that move it, what is watched, and
 * the words for statements on their way.
 *
 * A function of schema orch is one transaction (ADR 1), so it is one atomic step here; the claim, whose look at
 * the process row and whose commit may be apart, is two. Time, processes and faults belong to the models.
 */
#define NONE    7

#define QUEUED  0 /* status of the job */
#define RUNNING 1
#define DONE    2

byte status = QUEUED;
byte epoch = 0;    /* moves when the job is claimed, and when it is taken back */
byte token = 0;    /* of the present claim; 0: none. Never given twice, unlike an epoch after a failover */
byte tokens = 0;   /* given so far */
byte owner = NONE; /* process row of the present claim */
byte ended = 0;    /* process rows that are ended: one bit each */
byte died = 0;     /* processes that are dead: one bit each. Nobody but their host can know */
byte next_row = 0;

#define BIT(n)      (1 << (n))
#define is_ended(n) ((ended & BIT(n)) != 0)
#define is_dead(n)  ((died & BIT(n)) != 0)

/* --- what is watched: each bit is a property broken for good --- */

byte acting = 0; /* agents that run and are not frozen, those without a shim included */
bit two_agents = 0;     /* J-1: at most one agent acts */
bit stale_write = 0;    /* T-5: a claimant whose claim is another's by now changed the row */
bit recorded_twice = 0; /* an outcome is recorded at most once */
bit robbed = 0;         /* a claim is not taken, in his own name, from an owner who lives and knows of it */
bit orphaned = 0;       /* J-6: no job runs under a process row that is ended: nobody would ever take it back */
bit pushed_twice = 0;   /* the work of a job is on the branch once */
bit stale_push = 0;     /* the branch takes no push of a claim that has been taken back */
bit stale_start = 0;    /* no agent is started for a worker that is dead */
bit fenced_acts = 0;    /* T-5: no agent acts under a claim that has been taken back */
bit stuck = 0;          /* a job ends */
bit left_behind = 0;    /* and nothing of it stays */
bit outcome = 0;         /* the job's outcome is recorded */

inline begins_to_act()
{
        acting++;
#ifndef IGNORE_AGENTS
        if
        :: acting > 1 -> two_agents = 1; assert(!two_agents)
        :: else
        fi
#endif
}

/* --- the row --- */

inline row_claim(by)
{
        status = RUNNING;
        epoch++;
        assert(epoch < 15); /* the bounds of the model, not of the protocol */
        tokens++;
        token = tokens;
        owner = by;
        printf("database: the job is claimed by process %d, epoch %d, token %d\n", by, epoch, token);
        if
        ::  is_ended(by) -> orphaned = 1; assert(!orphaned)
        :: else
        fi
}

/* orch.job_requeue: the epoch moves, so that the old claim is fenced. */
inline row_requeue()
{
        status = QUEUED;
        epoch++;
        token = 0;
        owner = NONE
}

inline row_done()
{
        if
        :: outcome -> recorded_twice = 1; assert(!recorded_twice)
        :: else
        fi
        outcome = 1;
        status = DONE;
        token = 0;
        owner = NONE
}

#define is_current(e, t) (status == RUNNING && epoch == (e) && token == (t))

/* What a write checks before it changes anything: T-5. */
#if defined(MUTANT_NO_EPOCH)
#define passes_fence(e, t) (status == RUNNING)
#elif defined(MUTANT_NO_TOKEN)
#define passes_fence(e, t) (status == RUNNING && epoch == (e))
#else
#define passes_fence(e, t) is_current(e, t)
#endif

/* --- statements on their way --- */

#define FREE     0 /* phase */
#define SENT     1 /* on the way, or waiting for its turn at the server */
#define BEGUN    2 /* a claim: has looked, holds the row lock, has not committed */
#define ANSWERED 3 /* committed; the answer is on its way back */

#define CLAIM    1 /* what it says */
#define HOLDS    2 /* process_holds: which claims a process knows of */
#define ASK      3 /* job_started: is the claim still good? */
#define FINISH   4 /* job_finish: success */
#define GIVE_UP  5 /* job_finish: this run came to nothing, the job is to run again */
#define BEAT     6
#define ADOPT    7

typedef statement {
        byte phase;
        byte what;
        byte row;
        byte epoch;
        byte token;
        bit knows;   /* HOLDS: the sender holds the claim */
        byte number; /* of the sender's last HOLDS */
        bit yes      /* the answer */
};

#define LATE 2 /* a connection that its client has given up, with a statement that may still be executed */
statement wire[3];

inline forget(c)
{
        wire[c].phase = FREE;
        wire[c].what = 0;
        wire[c].row = 0;
        wire[c].epoch = 0;
        wire[c].token = 0;
        wire[c].knows = 0;
        wire[c].number = 0;
        wire[c].yes = 0
}

inline send(c, say, from_row, with_epoch, with_token)
{
        wire[c].what = say;
        wire[c].row = from_row;
        wire[c].epoch = with_epoch;
        wire[c].token = with_token;
        wire[c].phase = SENT
}

inline abandon(c)
{
        wire[LATE].phase = wire[c].phase;
        wire[LATE].what = wire[c].what;
        wire[LATE].row = wire[c].row;
        wire[LATE].epoch = wire[c].epoch;
        wire[LATE].token = wire[c].token;
        wire[LATE].knows = wire[c].knows;
        wire[LATE].number = wire[c].number;
        forget(c)
}

/* job_finish, both ways. The same call again answers as before (yes), another's claim stays as it is (no). */
inline run_finish(c)
{
        if
        :: passes_fence(wire[c].epoch, wire[c].token) ->
                if
                :: !is_current(wire[c].epoch, wire[c].token) -> stale_write = 1; assert(!stale_write)
                :: else
                fi;
                if
                :: wire[c].what == FINISH -> printf("database: epoch %d is done\n", wire[c].epoch); row_done()
                :: else -> printf("database: epoch %d came to nothing, the job is queued\n", wire[c].epoch); row_requeue()
                fi;
                wire[c].yes = 1
        :: else ->
                printf("database: epoch %d is fenced\n", wire[c].epoch);
                wire[c].yes = 0
        fi
}
