/* leftovers.c - who owns a run folder, and what becomes of those whose owner died. */
#include "workerd/leftovers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/db.h"
#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "queries.h"
#include "common/run_dir.h"
#include "workerd/agent_session.h"
#include "workerd/shim_link.h"
#include "workerd/tree.h"

#define FOLDERS_MAX 256 /* per look */
#define OWNER_MAX   256
#define DEADLINE_MS 10000
#define KILL_MS     5000 /* for a shim to kill its agent and go */

struct leftover {
        int64_t job, epoch;
};

struct leftovers {
        struct loop *loop;
        struct db *db;
        const char *state_dir;
        int64_t next_look_ms;
        bool has_looked;            /* what is foreign is said at the first look only */
        struct db_request *request; /* which of `found` are over? NULL when idle */
        struct leftover found[FOLDERS_MAX];
        size_t n, next;

        /* the folder that is being removed; path NULL: none */
        struct run_dir dir;
        struct shim_link *link;   /* to the shim that may live in it; NULL: none does */
        struct loop_timer *timer; /* a shim that is stopped does not answer */
        size_t part;              /* tree, home, tmp */
        struct tree_remove *op;
};

static char *owner_path(const struct run_dir *dir)
{
        return xasprintf("%s/owner", dir->path);
}

int leftovers_mark(const struct run_dir *dir, struct errinfo *err)
{
        _cleanup_(freep) char *path = owner_path(dir);
        unsigned long long start = 0;
        int r = proc_start_time(getpid(), &start);
        /* Never what is there already: it may be a link that leads out of the folder, or a pipe. */
        FILE *f = r < 0 || (unlink(path) < 0 && errno != ENOENT) ? NULL : fopen(path, "wxe");
        if (f != NULL)
                (void)fprintf(f, "%ld %llu %s\n", (long)getpid(), start, proc_boot_id());
        if (r == 0 && (f == NULL || fclose(f) != 0))
                r = -errno;
        if (r < 0)
                err_set(err, "", "cannot write %s: %s", path, log_errno_text(r));
        return r;
}

void leftovers_unmark(const struct run_dir *dir)
{
        _cleanup_(freep) char *path = owner_path(dir);
        (void)unlink(path); /* one that stays is swept at a later start */
}

struct owner {
        pid_t pid;
        unsigned long long start;
        const char *boot; /* in the text that was parsed */
};

/* "PID START BOOT"; false when it is something else. */
static bool parse_owner(char *text, struct owner *ret)
{
        char *end = NULL;
        text[strcspn(text, "\n")] = '\0';
        ret->pid = (pid_t)strtol(text, &end, 10);
        if (ret->pid <= 0 || *end != ' ')
                return false;
        ret->start = strtoull(end + 1, &end, 10);
        ret->boot = end + 1;
        return *end == ' ' && *ret->boot != '\0';
}

/* A folder without a readable owner has been swept, or is being made at this moment. */
static bool owner_is_dead(const struct run_dir *dir)
{
        _cleanup_(freep) char *path = owner_path(dir);
        struct strbuf text = STRBUF_INIT;
        struct owner owner;
        unsigned long long start = 0;
        bool dead = false;
        if (strbuf_read_own_file(&text, path, OWNER_MAX) == 0 && text.len > 0 &&
            parse_owner(text.buf, &owner)) {
                int r = proc_start_time(owner.pid, &start);
                dead = strcmp(owner.boot, proc_boot_id()) != 0 || r == -ENOENT || r == -ESRCH ||
                       (r == 0 && start != owner.start);
        }
        strbuf_deinit(&text);
        return dead;
}

static void consider(void *arg, int64_t job, int64_t epoch)
{
        struct leftovers *l = arg;
        struct run_dir dir;
        if (l->n == FOLDERS_MAX)
                return;
        run_dir_names(&dir, l->state_dir, job, epoch);
        bool ours = run_dir_is_ours(&dir);
        if (!ours && !l->has_looked)
                log_warning(EV("leftover.foreign"), LF_S("path", dir.path),
                            LF_S("reason", "it has the name of a run, and is no folder of our user"),
                            LF_S("then", "it is left alone"));
        if (ours && owner_is_dead(&dir))
                l->found[l->n++] = (struct leftover){.job = job, .epoch = epoch};
        run_dir_deinit(&dir);
}

static void remove_next(struct leftovers *l);

static void folder_done(struct leftovers *l)
{
        loop_timer_disarm(l->timer);
        shim_link_free(take_ptr(l->link));
        run_dir_deinit(&l->dir);
        l->next++;
        remove_next(l);
}

static void remove_part(struct leftovers *l);

static void on_removed(void *arg, int r, const struct errinfo *err)
{
        struct leftovers *l = arg;
        l->op = NULL;
        if (r < 0) {
                log_warning(EV("leftover.kept"), LF_S("path", l->dir.path), LF_ERR(err),
                            LF_S("then", "tried again later"));
                folder_done(l);
        } else if (++l->part == 3) {
                (void)unlink(l->dir.index); /* may never have been made */
                leftovers_unmark(&l->dir);
                log_info(EV("leftover.removed"), LF_S("path", l->dir.path));
                folder_done(l);
        } else {
                remove_part(l);
        }
}

static void remove_part(struct leftovers *l)
{
        const char *const parts[] = {l->dir.tree, l->dir.home, l->dir.tmp};
        l->op = tree_remove(l->loop, parts[l->part], on_removed, l);
}

static void kept(struct leftovers *l, const char *reason)
{
        log_warning(EV("leftover.kept"), LF_S("path", l->dir.path), LF_S("reason", reason),
                    LF_S("then", "tried again later"));
        folder_done(l);
}

static void on_timer(void *arg)
{
        kept(arg, "its shim does not go");
}

static void on_shim_news(void *arg, const struct shim_news *news)
{
        struct leftovers *l = arg;
        switch (news->event) {
        case SHIM_LINKED:
                log_warning(EV("shim.evicted"), LF_I("job", l->found[l->next].job),
                            LF_I("epoch", l->found[l->next].epoch), LF_I("agent", news->agent),
                            LF_S("reason", "its claim is over"));
                return;
        case SHIM_STARTED:
        case SHIM_CHANGED:
        case SHIM_LOCKED_OUT:
                return;
        case SHIM_NOBODY:
        case SHIM_GONE:
                shim_link_free(take_ptr(l->link));
                loop_timer_disarm(l->timer);
                agent_session_keep(&l->dir);
                l->part = 0;
                remove_part(l);
                return;
        case SHIM_GARBAGE:
                kept(l, "what is there is no shim of ours");
                return;
        }
}

static void remove_next(struct leftovers *l)
{
        if (l->next == l->n)
                return;
        run_dir_names(&l->dir, l->state_dir, l->found[l->next].job, l->found[l->next].epoch);
        l->link = shim_link_connect(l->loop, l->dir.path, on_shim_news, l);
        shim_link_kill(l->link);
        loop_timer_arm(l->timer, KILL_MS);
}

static void on_over(void *arg, const struct db_result *res)
{
        struct leftovers *l = arg;
        l->request = NULL;
        l->n = 0;
        l->next = 0;
        if (res->outcome != DB_OK)
                return; /* at the next look */
        for (int row = 0; row < db_rows(res) && l->n < FOLDERS_MAX; row++)
                l->found[l->n++] = (struct leftover){.job = db_int(res, row, "job_id", 0),
                                                     .epoch = db_int(res, row, "epoch", 0)};
        remove_next(l);
}

static void ask(struct leftovers *l)
{
        struct strbuf jobs = STRBUF_INIT, epochs = STRBUF_INIT;
        for (size_t i = 0; i < l->n; i++) {
                strbuf_addf(&jobs, "%s%" PRId64, i > 0 ? "," : "{", l->found[i].job);
                strbuf_addf(&epochs, "%s%" PRId64, i > 0 ? "," : "{", l->found[i].epoch);
        }
        strbuf_addch(&jobs, '}');
        strbuf_addch(&epochs, '}');
        const char *params[] = {jobs.buf, epochs.buf};
        l->request = db_query(l->db, &Q_RUNS_OVER, params, DEADLINE_MS, on_over, l);
        strbuf_deinit(&jobs);
        strbuf_deinit(&epochs);
}

void leftovers_wake(struct leftovers *l, int64_t interval_ms)
{
        int64_t now_ms = loop_now_ms(l->loop);
        if (l->request != NULL || l->next < l->n || now_ms < l->next_look_ms)
                return;
        l->next_look_ms = now_ms + interval_ms;
        l->n = 0;
        l->next = 0;
        run_dir_each(l->state_dir, consider, l);
        l->has_looked = true;
        if (l->n > 0)
                ask(l);
}

struct leftovers *leftovers_new(struct loop *loop, struct db *db, const char *state_dir)
{
        struct leftovers *l = xcalloc(1, sizeof(*l));
        l->loop = loop;
        l->db = db;
        l->state_dir = state_dir;
        l->timer = loop_timer_new(loop, on_timer, l);
        return l;
}

void leftovers_free(struct leftovers *l)
{
        if (l == NULL)
                return;
        db_request_forget(l->request);
        tree_remove_cancel(l->op);
        shim_link_free(l->link);
        loop_timer_free(l->timer);
        run_dir_deinit(&l->dir);
        free(l);
}
