/*
 * claim_steps.pml - what the server does with a statement, and what a worker does with an answer: the atomic steps that
 * claim.pml puts in order.
 */

/* --- the server's side of a connection --- */

/* A claim keeps its process row locked (process_hold) until it commits: what ends that process, or gives back what
 * it does not know of, waits, and then sees what was claimed. */
#ifdef MUTANT_UNLOCKED_CLAIM
#define row_is_locked(which) 0
#else
#define row_is_locked(which) (locker != NONE && wire[locker].row == (which))
#endif

/* NUMBERED is a cure, not today's: a process numbers its process_holds, a claim carries the last number, and the
 * server refuses what is older than the last number it has seen. */
#ifdef NUMBERED
#define in_time(c) (wire[c].number >= refused[wire[c].row])
#define is_news(c) (wire[c].number > refused[wire[c].row])
#else
#define in_time(c) 1
#define is_news(c) 1
#endif

/* It looks, locks the job and commits; between the first and the last, others go on. */
inline run_claim(c)
{
        if
        :: wire[c].phase == BEGUN ->
                row_claim(wire[c].row);
                locker = NONE;
                wire[c].epoch = epoch;
                wire[c].token = token;
                wire[c].yes = 1;
                wire[c].phase = ANSWERED
        :: wire[c].phase == SENT && !is_ended(wire[c].row) && status == QUEUED && locker == NONE && in_time(c) ->
                locker = c;
                refused[wire[c].row] = wire[c].number; /* what was said before this claim is no news after it */
                printf("database: process %d claims; not committed yet\n", wire[c].row);
                wire[c].phase = BEGUN
        :: else -> /* nothing claimable: SKIP LOCKED */
                wire[c].yes = 0;
                wire[c].phase = ANSWERED
        fi
}

/* Whether somebody alive knows the present claim as his: then nobody may release it in his name. */
#define knows_it(w) (workers[w].at > CLAIMING && workers[w].epoch == epoch && workers[w].token == token)

inline run_holds(c)
{
        if
        :: !is_ended(wire[c].row) && is_news(c) ->
                refused[wire[c].row] = wire[c].number; /* without NUMBERED always 0 */
                printf("database: process %d says what it holds: %d\n", wire[c].row, wire[c].knows);
                if
                :: status == RUNNING && owner == wire[c].row && !wire[c].knows ->
                        printf("database: the job is queued again\n");
                        if
                        :: knows_it(0) || knows_it(1) -> robbed = 1; assert(!robbed)
                        :: else
                        fi;
                        row_requeue()
                :: else
                fi
        :: else
        fi;
        wire[c].yes = 1;
        wire[c].phase = ANSWERED
}

/* A statement that needs a locked row waits for it; another claim does not (SKIP LOCKED). */
#define can_run(c)                                                                                                       \
        (wire[c].phase == BEGUN ||                                                                                       \
         (wire[c].phase == SENT &&                                                                                       \
          (wire[c].what == CLAIM || locker == NONE || (wire[c].what == HOLDS && !row_is_locked(wire[c].row)))))

inline execute(c)
{
        if
        :: wire[c].what == CLAIM -> run_claim(c)
        :: wire[c].what == HOLDS -> run_holds(c)
        :: wire[c].what == ASK ->
                wire[c].yes = is_current(wire[c].epoch, wire[c].token);
                wire[c].phase = ANSWERED
        :: else ->
                run_finish(c);
                wire[c].phase = ANSWERED
        fi
}

/* --- a worker: its steps --- */

inline rest(w)
{
        workers[w].at = IDLE;
        workers[w].epoch = 0;
        workers[w].token = 0;
        workers[w].won = 0
}

/* What an earlier life of the job has pushed is recorded; else an agent runs. */
inline work(w, s)
{
        if
        :: branch != 0 ->
                workers[w].won = 1;
                workers[w].at = RECORDING;
                printf("worker %d finds the work on the branch\n", w)
        :: else ->
                shims[s].at = WAITING;
                shims[s].boss = workers[w].row;
                shims[s].host = HOST(w);
                workers[w].at = WORKING;
                printf("worker %d starts shim %d\n", w, s)
        fi
}

#define can_take(w)                                                                                                      \
        (wire[w].phase == ANSWERED && (wire[w].what != CLAIM || !wire[w].yes || shims[0].at == 0 || shims[1].at == 0))

inline take(w)
{
        if
        :: wire[w].what == CLAIM && wire[w].yes ->
                workers[w].epoch = wire[w].epoch;
                workers[w].token = wire[w].token;
                printf("worker %d has claimed: epoch %d, token %d\n", w, wire[w].epoch, wire[w].token);
                if
                :: shims[0].at == 0 -> work(w, 0)
                :: else -> work(w, 1)
                fi
        :: wire[w].what == CLAIM && !wire[w].yes -> rest(w)
        :: wire[w].what == HOLDS ->
                workers[w].unsure = 0;
                printf("worker %d is sure again of what it holds\n", w)
        :: wire[w].what == ASK ->
                workers[w].at = (wire[w].yes -> PUSHING : RECORDING);
                printf("worker %d asks whether its claim is good: %d\n", w, wire[w].yes)
        :: else -> /* recorded or fenced */
                printf("worker %d: its run is over (recorded: %d)\n", w, wire[w].yes);
                rest(w)
        fi;
        forget(w)
}

/* The deadline is over and the connection is closed. What the server has begun goes on to its end; what it has not
 * seen is lost. LATE_STATEMENTS: it may also come to the server later, after the process has said other things. */
#ifdef LATE_STATEMENTS
#define comes_late(w) 1
#else
#define comes_late(w) (wire[w].phase == BEGUN || (wire[w].what != CLAIM && wire[w].what != HOLDS))
#endif
#define can_lose(w)                                                                                                      \
        (wire[w].phase == ANSWERED || (wire[w].phase != FREE && (wire[LATE].phase == FREE || !comes_late(w))))

inline cut_off(w)
{
        if
        :: wire[w].phase == ANSWERED || !comes_late(w) -> forget(w)
        :: else ->
                if
                :: locker == w -> locker = LATE
                :: else
                fi;
                abandon(w)
        fi
}

inline lose(w)
{
        losses--;
        printf("worker %d gives up waiting for an answer\n", w);
        if
        :: wire[w].what == CLAIM ->
                workers[w].unsure = 1;
                workers[w].at = IDLE
        :: else
        fi;
        cut_off(w)
}

/* A new process: it may wait as long as it likes before its first step. */
inline start(w)
{
        workers[w].row = next_row;
        workers[w].number = 0;
        next_row++;
        workers[w].unsure = 0;
        rest(w)
}

/* Nobody is left to read its status. */
inline clear_shim(w, s)
{
        if
        :: shims[s].at >= ENDED && shims[s].boss == workers[w].row -> shims[s].at = 0; shims[s].boss = 0
        :: else
        fi
}

/* kill -9. Its server process notices nothing; its git goes on alone. */
inline die(w)
{
        crashes--;
        printf("worker %d is killed\n", w);
        died = died | BIT(workers[w].row);
        if
        :: wire[w].phase == SENT || wire[w].phase == BEGUN ->
                if
                :: locker == w -> locker = LATE
                :: else
                fi;
                abandon(w)
        :: else -> forget(w)
        fi;
        if
        :: workers[w].at == PUSHING && orphan_push == 0 -> orphan_push = workers[w].epoch
        :: else
        fi;
        clear_shim(w, 0);
        clear_shim(w, 1);
        start(w)
}
#define can_die(w) (workers[w].at != 0 && (wire[LATE].phase == FREE || wire[w].phase == FREE || wire[w].phase == ANSWERED))

inline shim_ended(w, s)
{
        workers[w].at = (shims[s].at == ENDED -> ASKING : RECORDING);
        shims[s].at = 0;
        shims[s].boss = 0;
        printf("worker %d sees that shim %d has ended\n", w, s)
}
#define ended_for(w, s) (workers[w].at == WORKING && shims[s].boss == workers[w].row && shims[s].at >= ENDED)
