/*
 * freeze_steps.pml - what the server does with a statement, what a worker does with an answer, and what is counted: the
 * atomic steps that freeze.pml puts in order.
 */

#ifdef TIMELY
#define awake(w)  (!workers[w].paused)
#define linked(w) (!workers[w].cut)
#else
#define awake(w)  1
#define linked(w) 1
#endif

/* --- the server's side --- */

inline process_beat(c)
{
        if
        :: !is_ended(wire[c].row) ->
                wire[c].alive = 1;
                name_claim(c);
                if
                :: workers[host_of[wire[c].row]].row == wire[c].row -> workers[host_of[wire[c].row]].quiet = 0
                :: else -> still = 0
                fi
        :: else
        fi
}

inline execute(c)
{
        if
        :: wire[c].what == CLAIM && is_claimable && !is_ended(wire[c].row) ->
                job_start(wire[c].row);
                still = 0;
                wire[c].epoch = epoch;
                wire[c].token = token;
                wire[c].yes = 1
        :: wire[c].what == CLAIM && !(is_claimable && !is_ended(wire[c].row)) -> wire[c].yes = 0
        :: wire[c].what == STARTED -> job_started(c)
        :: wire[c].what == BEAT -> process_beat(c)
        :: wire[c].what == ADOPT -> job_adopt(c); still = 0
        :: wire[c].what == DISOWN -> process_disown(c)
        :: wire[c].what == FINISH || wire[c].what == GIVE_UP -> job_finish(c)
        :: wire[c].what == RELEASE -> job_release(c)
        fi;
        wire[c].phase = ANSWERED
}

#define can_run(w) (wire[w].phase == SENT && linked(w))

/* --- a worker --- */

inline say(w, what_to)
{
        send(w, what_to, workers[w].row, workers[w].epoch, workers[w].token);
        workers[w].sent = 0
}

/* An idle worker beats, which is not shown: what it takes on is as young as it can be, and gets older by waiting. */
inline say_idle(w, what_to, next)
{
        say(w, what_to);
        workers[w].at = next;
        workers[w].renewed = 0;
        workers[w].quiet = 0
}

inline say_disown(w)
{
        send(w, DISOWN, workers[w].row, workers[w].unknown, workers[w].unknown_token)
}

/* The beats of an idle worker that tell it something. */
#define is_mine_unknown(w) (is_ended(workers[w].row) || (status == RUNNING && owner == workers[w].row && !orphaned))

inline rest(w)
{
        workers[w].at = IDLE;
        workers[w].epoch = 0;
        workers[w].token = 0;
        workers[w].sent = 0;
        workers[w].renewed = 0;
        workers[w].quiet = 0
}

inline process_start(w)
{
        workers[w].row = next_row;
        host_of[next_row] = w;
        next_row++;
        rest(w)
}

inline leave(w)
{
        died = died | BIT(workers[w].row);
        still = (owner == workers[w].row -> workers[w].quiet : still);
        rest(w);
        workers[w].unknown = 0;
        workers[w].unknown_token = 0;
        workers[w].at = 0
}

/* The shim is told when the beat was sent that has counted; it goes by that, whenever it hears it. */
#ifdef MUTANT_BARE_PING
#define told(as_of) 0
#else
#define told(as_of) as_of
#endif
#if defined(MUTANT_START_OLD) || defined(MUTANT_ASKING_RENEWS)
#define may_ask(w) 1
#else
#define may_ask(w) (workers[w].renewed < FREEZE)
#endif
#ifdef MUTANT_START_OLD
#define may_start(w) 1
#else
#define may_start(w) (told(workers[w].renewed) < FREEZE)
#endif

inline thaw(h)
{
        if
        :: shims[h].at == FROZEN && shims[h].age < FREEZE && !shims[h].paused ->
                printf("shim %d: its agent goes on\n", h);
                act(h)
        :: else
        fi
}

inline renew(w, as_of)
{
        if
        :: shims[w].at <= FROZEN && told(as_of) < FREEZE && told(as_of) < shims[w].age -> shims[w].age = told(as_of)
        :: else
        fi;
        thaw(w)
}

/* A shim whose worker is there, and knows of it. */
#ifdef LIMIT_BOTH_PAUSED
#define is_kept(h) 0
#else
#define is_kept(h)                                                                                                       \
        ((workers[h].at == KEEPING || workers[h].at == FENCED) && shims[h].epoch == workers[h].epoch)
#endif
/* Told to kill, and paused: it does so when it wakes up. */
#define is_disobeyed(w) (shims[w].epoch == workers[w].epoch && shims[w].at == RUNS)
#ifdef MUTANT_KILLS_LATE
#define DOUBTED TAKEOVER
#else
#define DOUBTED (FREEZE + SLACK) /* freeze_after, and a quarter of what is left until takeover_after */
#endif
#define is_overdue(w) (is_kept(w) && shims[w].at == RUNS && shims[w].paused && shims[w].age >= FREEZE)

/* What has the lock and is another claim's is evicted first. */
inline launch(w)
{
        if
        :: may_start(w) ->
                dispose(w);
                printf("worker %d starts an agent\n", w);
                workers[w].at = KEEPING;
                shims[w].epoch = workers[w].epoch;
                shims[w].age = told(workers[w].renewed);
                workers[w].renewed = 0;
                act(w)
        :: else /* asks again */
        fi
}

/* Its claim is another's, or nobody's: its agent is killed, and when that is gone the database is told. */
inline job_fence(w)
{
        printf("worker %d is fenced\n", w);
        if
        :: shims[w].epoch == workers[w].epoch && !(shims[w].paused && shims[w].at == RUNS) -> dispose(w)
        :: else
        fi;
        workers[w].renewed = 0;
        workers[w].at = FENCED
}

inline run_over(w)
{
        printf("worker %d: its run is over (recorded: %d)\n", w, wire[w].yes);
        dispose(w);
        rest(w)
}

#define is_named(w) (wire[w].epoch == workers[w].epoch && wire[w].token == workers[w].token)

inline take_beat(w)
{
        if
        :: wire[w].epoch != 0 && !is_named(w) ->
                printf("worker %d does not know of epoch %d\n", w, wire[w].epoch);
                workers[w].unknown = wire[w].epoch;
                workers[w].unknown_token = wire[w].token
        :: else
        fi;
        if
        :: workers[w].epoch != 0 && is_named(w) ->
                printf("worker %d: a beat of age %d has counted\n", w, workers[w].sent);
                if
                :: workers[w].at == KEEPING -> renew(w, workers[w].sent)
                :: else -> workers[w].renewed = workers[w].sent
                fi
        :: workers[w].epoch != 0 && !is_named(w) -> job_fence(w)
        :: else
        fi
}

/* It is taken for dead: its agents are killed, and it leaves. */
inline process_fenced(w)
{
        printf("worker %d hears that it is taken for dead\n", w);
        if
        :: workers[w].epoch != 0 && shims[w].epoch == workers[w].epoch -> dispose(w)
        :: else
        fi;
        leave(w)
}

inline take_claim(w)
{
        workers[w].epoch = wire[w].epoch;
        workers[w].token = wire[w].token;
        printf("worker %d has epoch %d\n", w, wire[w].epoch)
}

#define can_take(w) (wire[w].phase == ANSWERED && awake(w) && linked(w))

inline take(w)
{
        if
        :: wire[w].what == CLAIM && wire[w].yes -> take_claim(w); workers[w].at = STARTING
        :: wire[w].what == ADOPT && wire[w].yes ->
                take_claim(w);
                workers[w].at = KEEPING;
                renew(w, workers[w].renewed);
                workers[w].renewed = 0
        :: (wire[w].what == CLAIM || wire[w].what == ADOPT) && !wire[w].yes -> rest(w)
        :: wire[w].what == DISOWN -> workers[w].unknown = 0; workers[w].unknown_token = 0
        :: wire[w].what == STARTED && wire[w].yes ->
#ifdef MUTANT_ASKING_RENEWS
                workers[w].renewed = workers[w].sent;
#endif
                launch(w)
        :: wire[w].what == STARTED && !wire[w].yes -> job_fence(w)
        :: wire[w].what == BEAT && wire[w].alive -> take_beat(w)
        :: wire[w].what == BEAT && !wire[w].alive -> process_fenced(w)
        :: wire[w].what == FINISH || wire[w].what == GIVE_UP -> run_over(w)
        :: wire[w].what == RELEASE -> rest(w)
        fi;
        workers[w].sent = 0;
        forget(w)
}

#define can_lose(w) (wire[w].phase == ANSWERED || (wire[w].phase == SENT && wire[LATE].phase == FREE))

inline lose(w)
{
        losses--;
        printf("worker %d gives its statement up\n", w);
        if
        :: wire[w].what == CLAIM || wire[w].what == ADOPT || wire[w].what == RELEASE -> rest(w)
        :: else
        fi;
        workers[w].sent = 0;
        if
        :: wire[w].phase == SENT && wire[w].what != BEAT -> abandon(w)
        :: else -> forget(w) /* a late beat only makes takeovers later */
        fi
}

#define can_die(w) (workers[w].at != 0 && (wire[w].phase != SENT || wire[LATE].phase == FREE))

/* Its shim lives on. */
inline die(w)
{
        printf("worker %d is killed\n", w);
        if
        :: wire[w].phase == SENT && wire[w].what != BEAT -> abandon(w)
        :: else -> forget(w) /* a late beat only makes takeovers later */
        fi;
        leave(w)
}

/* orphans(), and a look into the run's folder: a shim has the lock, or a status is there. */
#define is_adoptable(w)                                                                                                  \
        (status == RUNNING && orphaned && host_of[owner] == (w) && shims[w].epoch == epoch &&                            \
         (shims[w].at <= FROZEN || shims[w].at == ENDED))

/* --- the reaper --- */

#ifdef MUTANT_WALL_CLOCK
#define is_for_long(ticks) (ticks + ahead >= TAKEOVER)
#else
#define is_for_long(ticks) (ticks == TAKEOVER)
#endif
#define matters(row) (status == RUNNING && (owner == (row) || (orphaned && host_of[owner] == host_of[row])))

#define is_silent(w)                                                                                                     \
        (workers[w].at >= CLAIMING && !is_ended(workers[w].row) && matters(workers[w].row) &&                            \
         is_for_long(workers[w].quiet))
#define is_silent_dead (status == RUNNING && is_dead(owner) && !is_ended(owner) && is_for_long(still))

inline take_over(who)
{
        takeovers--;
#ifdef TIMELY
        assert(takeovers > 0); /* no more than there are faults: who keeps his appointments is left alone */
#endif
        printf("a reaper: process %d is silent\n", who);
        process_gone(who, 1);
        still = 0
}

/* Its lock is free and there is no status; orch-shim --clean has killed what a shim had left. */
#define is_lost(h)                                                                                                       \
        (status == RUNNING && orphaned && !(shims[h].epoch == epoch && (shims[h].at <= FROZEN || shims[h].at == ENDED)))

#define is_stranded                                                                                                      \
        (status == RUNNING && orphaned && (workers[host_of[owner]].at == 0 || is_ended(workers[host_of[owner]].row)))

#ifdef MUTANT_STRANDED_BY_EPOCH
#define mark_of_orphan (epoch + 1)
#else
#define mark_of_orphan orphanhood
#endif

inline look()
{
        looked = 1;
        if
        :: !is_stranded -> alone_as = 0; alone = 0
        :: is_stranded && alone_as != mark_of_orphan -> alone_as = mark_of_orphan; alone = 0
        :: else
        fi
}

/* --- time --- */

inline older(what_ages, most)
{
        what_ages = (what_ages < most -> what_ages + 1 : most)
}

/* An age that decides nothing stays as it is, which is fewer states. */
#define is_waited_for(w) (wire[w].phase == SENT || wire[w].yes)
#define age_matters(w)                                                                                                   \
        (workers[w].at == STARTING || ((workers[w].at == CLAIMING || workers[w].at == ADOPTING) && is_waited_for(w)))
#ifdef MUTANT_ASKING_RENEWS
#define sent_matters(w) (wire[w].what == BEAT || wire[w].what == STARTED)
#else
#define sent_matters(w) (wire[w].what == BEAT)
#endif
#define quiet_matters(w)                                                                                                 \
        (owner == workers[w].row || ((workers[w].at == CLAIMING || workers[w].at == ADOPTING) && wire[w].phase == SENT))

inline age_host(w)
{
        if
        :: wire[w].phase != FREE && sent_matters(w) -> older(workers[w].sent, FREEZE)
        :: else
        fi;
        if
        :: age_matters(w) -> older(workers[w].renewed, FREEZE)
        :: else
        fi;
        if
        :: quiet_matters(w) -> older(workers[w].quiet, TAKEOVER)
        :: else -> workers[w].quiet = 0
        fi;
        if
        :: shims[w].at == RUNS -> older(shims[w].age, DOUBTED)
        :: shims[w].at == FROZEN && shims[w].paused -> older(shims[w].age, FREEZE)
        :: else
        fi
}

/* A tick without a look is a gap: counting begins anew (reaperd/silence.h). */
inline age_reaper()
{
        if
        :: status == RUNNING && is_dead(owner) && !is_ended(owner) -> older(still, TAKEOVER)
        :: else
        fi;
        if
        :: alone_as != 0 && looked -> older(alone, TAKEOVER)
        :: else -> alone_as = 0; alone = 0
        fi;
        promise = (promise > 0 -> promise - 1 : 0);
        promised = (promise > 0 -> promised : 0);
        looked = 0
}

/* The one promise about time: a shim keeps it, or, of one that is paused, its worker. */
#define shim_is_timely(h)                                                                                                \
        (!(shims[h].at == RUNS &&                                                                                        \
           ((!shims[h].paused && shims[h].age >= FREEZE + SLACK) || (is_kept(h) && shims[h].age >= DOUBTED))))

#ifdef TIMELY
#define is_late(w)                                                                                                       \
        (workers[w].at == STARTING || workers[w].renewed > 0 || workers[w].quiet > 0 ||                                  \
         (workers[w].at == KEEPING && shims[w].at == RUNS && shims[w].age > 0))
#define worker_is_timely(w) (!(awake(w) && linked(w) && workers[w].at >= CLAIMING && is_late(w)))
#else
#define worker_is_timely(w) 1
#endif
