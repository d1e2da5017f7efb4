/* pruner.c - waits until it is time, locks, runs, bounds, reports. */
#include "reaperd/pruner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/argv.h"
#include "common/db.h"
#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/process_row.h"
#include "common/prune_command.h"
#include "common/strbuf.h"
#include "queries.h"

#define DEADLINE_MS 10000
#define LOOK_MS     60000 /* at most between two looks whether it is time */
#define GRACE_MS    5000  /* between SIGTERM and SIGKILL */
#define OUTPUT_MAX  65536 /* kept of each stream */
#define LOGGED_MAX  2000  /* of those, the end */

struct pruner {
        struct loop *loop;
        struct db *db;
        const struct process_row *row;
        char *lock_path;
        char *command, *path;
        int64_t interval_ms, min_age_ms, timeout_ms;
        bool awake;
        struct loop_timer *timer; /* the next look; or, while it runs, its end */
        struct proc *proc;        /* NULL when it does not run */
        unsigned asked_to_end;    /* signals sent because its time was over */
        struct db_request *request;
};

/* --- to report --- */

static void on_told(void *arg, const struct db_result *res)
{
        struct pruner *p = arg;
        p->request = NULL;
        if (res->outcome != DB_OK)
                log_warning(EV("prune.not-told"), LF_ERR(&res->err), LF_S("then", "the next run is told"));
}

static void tell(struct pruner *p, bool failed, const char *why)
{
        char process[24], epoch[24];
        (void)snprintf(process, sizeof(process), "%" PRId64, process_row_id(p->row));
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, process_row_epoch(p->row));
        const char *params[] = {process, epoch, failed ? "true" : "false", why};
        db_request_forget(p->request); /* of the run before: this one says more */
        p->request = db_query(p->db, &Q_PRUNE_REPORT, params, DEADLINE_MS, on_told, p);
}

static const char *end_of(const struct strbuf *sb)
{
        return sb->len > LOGGED_MAX ? sb->buf + sb->len - LOGGED_MAX : sb->buf;
}

static void on_exit_of_it(void *arg, const struct proc_exit *ex)
{
        struct pruner *p = arg;
        bool failed = ex->signaled || ex->code != 0 || p->asked_to_end > 0;
        const char *how =
                p->asked_to_end > 0 ? "it was stopped after cache_prune_timeout" : proc_exit_text(ex);
        p->proc = NULL;
        if (failed)
                log_warning(EV("prune.failed"), LF_S("reason", how), LF_S("output", end_of(ex->out)),
                            LF_S("errors", end_of(ex->err)));
        else
                log_info(EV("prune.ended"), LF_S("output", end_of(ex->out)), LF_S("errors", end_of(ex->err)));
        tell(p, failed, how);
        loop_timer_arm(p->timer, LOOK_MS < p->interval_ms ? LOOK_MS : p->interval_ms);
}

/* --- to run --- */

static int spawn(struct pruner *p, int lock, struct errinfo *err)
{
        _cleanup_(argv_deinit) struct argv words = ARGV_INIT, env = ARGV_INIT;
        const char *home = getenv("HOME");
        const struct proc_fd fds[] = {{.from = lock, .to = 3}};
        int r = prune_command(&words, p->command, p->min_age_ms, err);
        if (r < 0)
                return r;
        argv_env(&env, "PATH", p->path);
        argv_env(&env, "HOME", home != NULL ? home : "/nonexistent");
        argv_env(&env, "LC_ALL", "C.UTF-8");
        const struct proc_spec spec = {.argv = (const char *const *)words.words,
                                       .envp = (const char *const *)env.words,
                                       .cwd = "/",
                                       .fds = fds,
                                       .n_fds = ARRAY_SIZE(fds),
                                       .new_session = true,
                                       .dies_with_us = true,
                                       .capture_max = OUTPUT_MAX};
        return proc_spawn(p->loop, &spec, on_exit_of_it, p, &p->proc, err);
}

static void run(struct pruner *p, int lock)
{
        struct errinfo err = ERRINFO_INIT;
        (void)futimens(lock, NULL); /* if not, the next one comes too early */
        p->asked_to_end = 0;
        log_info(EV("prune.started"), LF_S("command", p->command), LF_I("min_age_s", p->min_age_ms / 1000));
        if (spawn(p, lock, &err) == 0) {
                loop_timer_arm(p->timer, p->timeout_ms);
                return;
        }
        log_warning(EV("prune.failed"), LF_ERR(&err));
        tell(p, true, err.text);
        loop_timer_arm(p->timer, LOOK_MS < p->interval_ms ? LOOK_MS : p->interval_ms);
}

/* How long until it is time; 0: now. A time that is yet to come is of a clock that was wrong. */
static int64_t wait_ms(const struct pruner *p)
{
        struct stat st;
        struct timespec now;
        if (stat(p->lock_path, &st) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
                return 0; /* it has never run */
        int64_t since_ms =
                (now.tv_sec - st.st_mtim.tv_sec) * 1000 + (now.tv_nsec - st.st_mtim.tv_nsec) / 1000000;
        return since_ms < 0 || since_ms >= p->interval_ms ? 0 : p->interval_ms - since_ms;
}

static void begin(struct pruner *p)
{
        int64_t left_ms = wait_ms(p);
        if (left_ms > 0 || !process_row_live(p->row)) {
                loop_timer_arm(p->timer, left_ms > 0 && left_ms < LOOK_MS ? left_ms : LOOK_MS);
                return;
        }
        _cleanup_(closep) int lock = open(p->lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
                run(p, lock);
                return;
        }
        log_info(EV("prune.waits"), LF_S("reason", lock < 0 ? log_errno_text(errno) : "another one runs"));
        loop_timer_arm(p->timer, LOOK_MS < p->interval_ms ? LOOK_MS : p->interval_ms);
}

static void on_timer(void *arg)
{
        struct pruner *p = arg;
        if (p->proc == NULL) {
                if (p->command[0] != '\0')
                        begin(p);
                return;
        }
        (void)proc_kill(p->proc, p->asked_to_end++ == 0 ? SIGTERM : SIGKILL, true); /* tried again */
        loop_timer_arm(p->timer, GRACE_MS);
}

/* --- life --- */

struct pruner *pruner_new(const struct sweep_config *cfg)
{
        _cleanup_(freep) char *folder = xasprintf("%s/locks", cfg->opt->state_dir);
        struct pruner *p = xcalloc(1, sizeof(*p));
        (void)mkdir(folder, 0700); /* if it cannot be made, the lock file cannot either */
        p->loop = cfg->loop;
        p->db = cfg->db;
        p->row = cfg->row;
        p->lock_path = xasprintf("%s/cache-prune", folder);
        p->timer = loop_timer_new(cfg->loop, on_timer, p);
        pruner_reload(p, cfg->opt);
        return p;
}

void pruner_free(struct pruner *p)
{
        if (p == NULL)
                return;
        pruner_stop(p);
        loop_timer_free(p->timer);
        free(p->lock_path);
        free(p->command);
        free(p->path);
        free(p);
}

void pruner_wake(struct pruner *p)
{
        p->awake = true;
        if (p->proc == NULL)
                loop_timer_soon(p->timer);
}

void pruner_reload(struct pruner *p, const struct options *opt)
{
        free(p->command);
        free(p->path);
        p->command = xstrdup(opt->cache_prune_command);
        p->path = xstrdup(opt->agent_path);
        p->interval_ms = opt->cache_prune_interval_ms;
        p->min_age_ms = opt->cache_prune_min_age_ms;
        p->timeout_ms = opt->cache_prune_timeout_ms;
        if (p->awake)
                pruner_wake(p);
}

void pruner_stop(struct pruner *p)
{
        p->awake = false;
        loop_timer_disarm(p->timer);
        db_request_forget(take_ptr(p->request));
        if (p->proc != NULL) {
                (void)proc_kill(p->proc, SIGKILL, true); /* the next run does what this one has not */
                proc_forget(take_ptr(p->proc));
        }
}
