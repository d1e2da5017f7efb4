/*
 * claim_steps.pml - what the server does with a statement, what a worker does with an answer, and what is done to a shim:
 * the atomic steps that claim.pml puts in order.
 */

/* --- the server's side of a connection --- */

/* A claim keeps its process row locked (process_hold) until it commits: who ends that process waits, and then sees
 * what was claimed. */
#ifdef MUTANT_UNLOCKED_CLAIM
#define row_is_locked(which) 0
#else
#define row_is_locked(which) (locker != NONE && wire[locker].row == (which))
#endif

/* It looks, locks the job and commits; between the first and the last, others go on. */
inline job_claim(c)
{
        if
        :: wire[c].phase == BEGUN ->
                job_start(wire[c].row);
                locker = NONE;
                wire[c].epoch = epoch;
                wire[c].token = token;
                wire[c].yes = 1;
                wire[c].phase = ANSWERED
        :: wire[c].phase == SENT && !is_ended(wire[c].row) && is_claimable && locker == NONE ->
                locker = c;
                printf("database: process %d claims; not committed yet\n", wire[c].row);
                wire[c].phase = BEGUN
        :: else -> /* nothing claimable: SKIP LOCKED */
                wire[c].yes = 0;
                wire[c].phase = ANSWERED
        fi
}

/* A statement that needs a locked row waits for it; another claim does not (SKIP LOCKED). */
#define can_run(c) (wire[c].phase == BEGUN || (wire[c].phase == SENT && (wire[c].what == CLAIM || locker == NONE)))

inline execute(c)
{
        if
        :: wire[c].what == CLAIM -> job_claim(c)
        :: else ->
                if
                :: wire[c].what == ADOPT -> job_adopt(c)
                :: wire[c].what == STARTED -> job_started(c)
                :: wire[c].what == BEAT -> name_claim(c)
                :: wire[c].what == DISOWN -> process_disown(c)
                :: else -> job_finish(c)
                fi;
                wire[c].phase = ANSWERED
        fi
}

inline say_gone(who)
{
        printf("a reaper: process %d is gone\n", who);
        process_gone(who, 0)
}

/* --- shims and their folders --- */

inline kill_stray()
{
        if
        :: stray -> stray = 0; acting--; printf("what a killed shim has left is killed\n")
        :: else
        fi
}

inline vanish(s)
{
        shims[s].at = 0;
        shims[s].epoch = 0;
        shims[s].boss = 0
}

inline kill_shim(s)
{
        if
        :: shims[s].at == RUNS -> acting--; lock = (lock == s -> NONE : lock)
        :: else
        fi;
        vanish(s)
}

/* Who has the lock, and is of another claim, which is over. */
inline evict(w)
{
        printf("worker %d evicts shim %d\n", w, lock);
        if
        :: lock == 0 -> kill_shim(0)
        :: lock == 1 -> kill_shim(1)
        fi
}

inline kill_shims_of(its_epoch)
{
        if
        :: shims[0].at != 0 && shims[0].epoch == its_epoch -> kill_shim(0)
        :: else
        fi;
        if
        :: shims[1].at != 0 && shims[1].epoch == its_epoch -> kill_shim(1)
        :: else
        fi
}

inline check_begin(s)
{
#ifdef CHECK_ALL
        if
        :: !(status == RUNNING && epoch == shims[s].epoch) -> stale_start = 1; assert(!stale_start)
        :: else
        fi
#else
        skip
#endif
}

#define is_at(s, e, what_it_does) (shims[s].at == what_it_does && shims[s].epoch == (e))
#define has_status(e)             (is_at(0, e, ENDED) || is_at(1, e, ENDED))
#define is_adoptable              (status == RUNNING && orphaned && (lock != NONE || has_status(epoch)))
#define waits_for(w, s)           (is_at(s, workers[w].epoch, WAITING) && shims[s].boss == workers[w].row)

/* Of its own child it knows; of another's shim the lock tells. */
#define is_kept(w)                                                                                                       \
        (waits_for(w, 0) || waits_for(w, 1) || is_at(0, workers[w].epoch, RUNS) || is_at(1, workers[w].epoch, RUNS))

/* The folder of a run that is over, whose worker is dead or has done with it. */
#define is_in_hand(s) (workers[0].epoch == shims[s].epoch || workers[1].epoch == shims[s].epoch)
#define is_over(s)                                                                                                       \
        (shims[s].at != 0 && shims[s].at != WAITING && !(status == RUNNING && epoch == shims[s].epoch) && !is_in_hand(s))

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
#ifdef CHECK_ALL
        if
        :: branch == its_epoch && epoch != its_epoch -> stale_push = 1; assert(!stale_push)
        :: else
        fi
#endif
}

/* --- a worker: its steps --- */

inline say(w, what_to)
{
        send(w, what_to, workers[w].row, workers[w].epoch, workers[w].token)
}

inline say_disown(w)
{
        send(w, DISOWN, workers[w].row, workers[w].unknown, workers[w].unknown_token)
}

/* Beats that tell a worker nothing new are not shown. */
#define is_mine (status == RUNNING && owner == workers[_pid].row && !orphaned)
#ifdef MUTANT_ASKED_ONCE
#define beat_tells(w) (workers[w].at == IDLE && unsure[w])
#else
#define beat_tells(w)                                                                                                    \
        ((workers[w].at == IDLE && is_mine) ||                                                                           \
         ((workers[w].at == ANNOUNCING || workers[w].at == WORKING) && !is_current(workers[w].epoch, workers[w].token)))
#endif

inline rest(w)
{
        workers[w].at = IDLE;
        workers[w].epoch = 0;
        workers[w].token = 0;
        workers[w].won = 0
}

/* A new process: it may wait as long as it likes before its first step. */
inline process_start(w)
{
        workers[w].row = next_row;
        next_row++;
        workers[w].unknown = 0;
        workers[w].unknown_token = 0;
        rest(w)
}

inline job_fence(w)
{
        printf("worker %d is fenced\n", w);
        kill_shims_of(workers[w].epoch);
        rest(w)
}

inline take_claim(w)
{
        workers[w].epoch = wire[w].epoch;
        workers[w].token = wire[w].token;
        printf("worker %d has epoch %d, token %d\n", w, wire[w].epoch, wire[w].token)
}

/* What an earlier life of the job has pushed is recorded; else the run is announced, and an agent started. */
inline prepare(w)
{
        if
        :: branch != 0 ->
                workers[w].won = 1;
                workers[w].at = RECORDING;
                printf("worker %d finds the work on the branch\n", w)
        :: else -> workers[w].at = ANNOUNCING
        fi
}

inline spawn_shim(w, s)
{
        shims[s].at = WAITING;
        shims[s].epoch = workers[w].epoch;
        shims[s].boss = workers[w].row;
        workers[w].at = WORKING;
        printf("worker %d starts shim %d\n", w, s)
}

inline launch(w)
{
        if
        :: lock != NONE -> evict(w)
        :: else
        fi;
        if
        :: shims[0].at == 0 -> spawn_shim(w, 0)
        :: else -> spawn_shim(w, 1)
        fi
}

/* No shim of it lives. With a status its work is collected; without one, what it may have left is hunted down. */
inline run_ended(w)
{
        if
        :: has_status(workers[w].epoch) -> workers[w].at = ASKING
        :: else ->
                printf("worker %d finds neither shim nor status\n", w);
                if
                :: lock == NONE -> kill_stray()
                :: else
                fi;
                workers[w].at = RECORDING
        fi
}

#define is_named(w) (wire[w].epoch == workers[w].epoch && wire[w].token == workers[w].token)

inline take_beat(w)
{
        if
        :: wire[w].epoch != 0 && !is_named(w) ->
                printf("worker %d does not know of epoch %d, token %d\n", w, wire[w].epoch, wire[w].token);
                workers[w].unknown = wire[w].epoch;
                workers[w].unknown_token = wire[w].token
        :: else
        fi;
        if
        :: workers[w].epoch != 0 && !is_named(w) -> job_fence(w)
        :: else
        fi;
#ifdef MUTANT_ASKED_ONCE
        unsure[w] = 0
#endif
}

#define is_room     (shims[0].at == 0 || shims[1].at == 0)
#define can_take(w) (wire[w].phase == ANSWERED && (is_room || !(wire[w].what == STARTED && workers[w].at == ANNOUNCING)))

inline take(w)
{
        if
        :: wire[w].what == CLAIM && wire[w].yes -> take_claim(w); prepare(w)
        :: wire[w].what == ADOPT && wire[w].yes -> take_claim(w); workers[w].at = WORKING
        :: (wire[w].what == CLAIM || wire[w].what == ADOPT) && !wire[w].yes -> rest(w)
        :: wire[w].what == BEAT -> take_beat(w)
        :: wire[w].what == DISOWN -> workers[w].unknown = 0; workers[w].unknown_token = 0
        :: wire[w].what == STARTED && wire[w].yes && workers[w].at == ANNOUNCING -> launch(w)
        :: wire[w].what == STARTED && wire[w].yes && workers[w].at != ANNOUNCING -> workers[w].at = PUSHING
        :: wire[w].what == STARTED && !wire[w].yes -> job_fence(w)
        :: wire[w].what == FINISH || wire[w].what == GIVE_UP ->
                printf("worker %d: its run is over (recorded: %d)\n", w, wire[w].yes);
                kill_shims_of(workers[w].epoch);
                rest(w)
        fi;
        forget(w)
}

/* The deadline is over and the connection is closed. What the server has begun goes on to its end; what it has not seen
 * is lost, or comes to it later, after the process has said other things. */
#define can_lose(w) (wire[w].phase == ANSWERED || (wire[w].phase != FREE && wire[LATE].phase == FREE))

inline cut_off(w)
{
        if
        :: wire[w].phase == SENT || wire[w].phase == BEGUN ->
                locker = (locker == w -> LATE : locker);
                abandon(w)
        :: else -> forget(w)
        fi
}

inline lose(w)
{
        losses--;
        printf("worker %d gives up waiting for an answer\n", w);
        if
        :: wire[w].what == CLAIM || wire[w].what == ADOPT ->
                workers[w].at = IDLE;
#ifdef MUTANT_ASKED_ONCE
                unsure[w] = 1
#endif
        :: else
        fi;
        cut_off(w)
}

#define can_die(w)                                                                                                       \
        (workers[w].at != 0 && (wire[LATE].phase == FREE || wire[w].phase == FREE || wire[w].phase == ANSWERED))

/* kill -9. Its server process notices nothing; its shim lives on; its git goes on alone. */
inline die(w)
{
        crashes--;
        printf("worker %d is killed\n", w);
        died = died | BIT(workers[w].row);
        if
        :: workers[w].at == PUSHING && orphan_push == 0 -> orphan_push = workers[w].epoch
        :: else
        fi;
        cut_off(w);
        process_start(w)
}
