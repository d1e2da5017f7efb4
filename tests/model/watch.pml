/* watch.pml - what must never be: each bit is a property that was broken, and is asserted where it is set. */

byte acting = 0; /* agents that run and are not frozen, those without a shim included */

bit two_agents = 0;     /* J-1: at most one agent acts */
bit fenced_acts = 0;    /* J-1: nobody claims a job, or begins to act for it, while an agent of another claim acts */
bit stale_write = 0;    /* T-5: who is not the owner changed the row */
bit recorded_twice = 0; /* an outcome is recorded at most once */
bit robbed = 0;         /* a claim is not given back, in his own name, by an owner who lives and knows of it */
bit orphaned_for_ever = 0; /* J-6: no job runs under a process row that has ended: nobody would ever take it back */
bit pushed_twice = 0;   /* the work of a job is on the branch once */
bit stale_push = 0;     /* the branch takes no push of a claim that has been taken back */
bit stale_start = 0;    /* no agent is started for a claim that has been taken back */
bit stuck = 0;          /* a job ends */
bit left_behind = 0;    /* and nothing of it stays */
bit outcome = 0;        /* the job's outcome is recorded */

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

inline check_start(by)
{
        if
        :: is_ended(by) -> orphaned_for_ever = 1; assert(!orphaned_for_ever)
        :: else
        fi;
#ifdef CHECK_FENCED
        if
        :: acting > 0 -> fenced_acts = 1; assert(!fenced_acts)
        :: else
        fi
#endif
}

#ifndef is_known
#define is_known 0
#endif
inline check_robbed()
{
        if
        :: is_known -> robbed = 1; assert(!robbed)
        :: else
        fi
}

inline check_write(c)
{
        if
        :: !is_current(wire[c].epoch, wire[c].token) || owner != wire[c].row -> stale_write = 1; assert(!stale_write)
        :: else
        fi
}

inline check_outcome()
{
        if
        :: outcome -> recorded_twice = 1; assert(!recorded_twice)
        :: else
        fi;
        outcome = 1
}
