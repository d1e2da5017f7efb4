/*
 * freeze_steps.pml - what the server does with a statement, and what a worker does with an answer, its shim included:
 * the atomic steps that freeze.pml puts in order.
 */

/* --- the server's side --- */

inline execute(c)
{
        if
        :: wire[c].what == CLAIM && status == QUEUED && !is_ended(wire[c].row) ->
                row_claim(wire[c].row);
                still = 0;
                wire[c].epoch = epoch;
                wire[c].token = token;
                wire[c].yes = 1
        :: wire[c].what == CLAIM && !(status == QUEUED && !is_ended(wire[c].row)) -> wire[c].yes = 0
        :: wire[c].what == BEAT || wire[c].what == ADOPT ->
                if
                :: passes_fence(wire[c].epoch, wire[c].token) ->
                        wire[c].yes = 1;
                        owner = wire[c].row;
                        still = 0
                :: else -> wire[c].yes = 0
                fi
        :: wire[c].what == FINISH || wire[c].what == GIVE_UP ->
                run_finish(c);
                if
                :: wire[c].yes -> still = 0
                :: else
                fi
        fi;
        wire[c].phase = ANSWERED
}

#ifdef TIMELY
#define awake(w)  (!workers[w].paused)
#define linked(w) (!workers[w].cut)
#else
#define awake(w)  1
#define linked(w) 1
#endif
#define can_run(w) (wire[w].phase == SENT && linked(w))

/* --- a worker --- */

inline rest(w)
{
        workers[w].at = IDLE;
        workers[w].epoch = 0;
        workers[w].token = 0;
        workers[w].sent = 0
}

/* It tells the shim when the beat was sent that has counted; the shim goes by that, whenever it hears it. */
#ifdef MUTANT_BARE_PING
#define told(w) 0
#else
#define told(w) workers[w].sent
#endif
#ifdef MUTANT_START_UNASKED
#define may_start(w) 1
#else
#define may_start(w) (told(w) < FREEZE)
#endif

inline renew(w)
{
        if
        :: shims[w].at <= FROZEN && told(w) < FREEZE && told(w) < shims[w].age -> shims[w].age = told(w)
        :: else
        fi;
        if
        :: shims[w].at == FROZEN && shims[w].age < FREEZE ->
                printf("shim %d: its agent goes on\n", w);
                act(w)
        :: else
        fi
}

inline start_agent(w)
{
        if
        :: may_start(w) ->
                printf("worker %d starts an agent\n", w);
                workers[w].at = KEEPING;
                shims[w].epoch = workers[w].epoch;
                shims[w].token = workers[w].token;
                shims[w].age = told(w);
                act(w)
        :: else -> workers[w].at = RENEWING
        fi
}

#define can_take(w) (wire[w].phase == ANSWERED && awake(w) && linked(w))

inline take(w)
{
        if
        :: wire[w].what == CLAIM && wire[w].yes ->
                workers[w].epoch = wire[w].epoch;
                workers[w].token = wire[w].token;
                printf("worker %d has claimed: epoch %d\n", w, wire[w].epoch);
                start_agent(w)
        :: wire[w].what == CLAIM && !wire[w].yes -> rest(w)
        :: (wire[w].what == BEAT || wire[w].what == ADOPT) && wire[w].yes ->
                printf("worker %d: a beat of age %d has counted\n", w, workers[w].sent);
                if
                :: workers[w].at == RENEWING -> start_agent(w)
                :: else -> workers[w].at = KEEPING; renew(w)
                fi
        :: (wire[w].what == BEAT || wire[w].what == ADOPT) && !wire[w].yes ->
                printf("worker %d is fenced, and has its agent killed\n", w);
                dispose(w);
                rest(w)
        :: else ->
                printf("worker %d: its run is over (recorded: %d)\n", w, wire[w].yes);
                dispose(w);
                rest(w)
        fi;
        workers[w].sent = 0;
        forget(w)
}

inline say(w, what_to)
{
        send(w, what_to, workers[w].row, workers[w].epoch, workers[w].token);
        workers[w].sent = 0
}

#define can_lose(w) (wire[w].phase == ANSWERED || (wire[w].phase == SENT && wire[LATE].phase == FREE))

inline lose(w)
{
        losses--;
        printf("worker %d gives its statement up\n", w);
        if
        :: wire[w].what == CLAIM -> rest(w) /* what it may have claimed stays silent, and is taken over */
        :: else
        fi;
        workers[w].sent = 0;
        if
        :: wire[w].phase == SENT -> abandon(w)
        :: else -> forget(w)
        fi
}

inline start(w)
{
        workers[w].row = next_row;
        host_of[next_row] = w;
        next_row++;
        rest(w);
        if
        :: shims[w].at != 0 ->
                workers[w].at = ADOPTING;
                workers[w].epoch = shims[w].epoch;
                workers[w].token = shims[w].token
        :: else
        fi
}

#define can_die(w) (workers[w].at != 0 && (wire[w].phase != SENT || wire[LATE].phase == FREE))

/* kill -9, and a new process, which finds the run of the old one by what the shim has on the disk. */
inline die(w)
{
        crashes--;
        printf("worker %d is killed\n", w);
        died = died | BIT(workers[w].row);
        if
        :: wire[w].phase == SENT -> abandon(w)
        :: else -> forget(w)
        fi;
        start(w)
}
