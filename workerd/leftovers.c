/* leftovers.c - who owns a run folder, and what becomes of those whose owner died. */
#include "workerd/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "common/run_dir.h"
#include "workerd/tree.h"

#define FOLDERS_MAX 256 /* swept per start */
#define OWNER_MAX   256
#define AGAIN_MS    2000

struct leftovers {
        struct loop *loop;
        char *state_dir;
        struct loop_timer *timer;
        bool again; /* a dead worker's shim is still at work, or there were too many: another look is due */
        struct run_dir dirs[FOLDERS_MAX];
        size_t n, next;
        size_t part; /* of dirs[next]: tree, home, tmp */
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
        FILE *f = r < 0 ? NULL : fopen(path, "we");
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
        if (strbuf_read_file(&text, path, OWNER_MAX) == 0 && text.len > 0 && parse_owner(text.buf, &owner)) {
                int r = proc_start_time(owner.pid, &start);
                dead = strcmp(owner.boot, proc_boot_id()) != 0 || r == -ENOENT || r == -ESRCH ||
                       (r == 0 && start != owner.start);
        }
        strbuf_deinit(&text);
        return dead;
}

/* "JOB-EPOCH", the name of a run folder. */
static bool parse_name(const char *name, int64_t *ret_job, int64_t *ret_epoch)
{
        char *end = NULL;
        if (*name < '0' || *name > '9')
                return false;
        *ret_job = strtoll(name, &end, 10);
        if (end[0] != '-' || end[1] < '0' || end[1] > '9')
                return false;
        *ret_epoch = strtoll(end + 1, &end, 10);
        return *end == '\0';
}

static void consider(struct leftovers *l, const char *name)
{
        int64_t job = 0, epoch = 0;
        struct run_dir dir = RUN_DIR_INIT;
        if (!parse_name(name, &job, &epoch))
                return;
        run_dir_names(&dir, l->state_dir, job, epoch);
        bool dead = owner_is_dead(&dir);
        if (dead && l->n < FOLDERS_MAX && run_dir_is_locked(&dir) == 0) {
                l->dirs[l->n++] = dir;
                return;
        }
        l->again |= dead;
        run_dir_deinit(&dir);
}

static void find(struct leftovers *l)
{
        _cleanup_(freep) char *path = xasprintf("%s/runs", l->state_dir);
        DIR *runs = opendir(path);
        if (runs == NULL)
                return; /* no run was ever made here */
        const struct dirent *entry;
        while ((entry = readdir(runs)) != NULL)
                consider(l, entry->d_name);
        (void)closedir(runs);
}

static void remove_next(struct leftovers *l);

static void on_removed(void *arg, int r, const struct errinfo *err)
{
        struct leftovers *l = arg;
        const struct run_dir *dir = &l->dirs[l->next];
        l->op = NULL;
        if (r < 0) {
                log_warning(EV("leftover.kept"), LF_S("path", dir->path), LF_ERR(err),
                            LF_S("then", "tried again at the next start"));
                l->part = 0;
                l->next++;
        } else if (++l->part == 3) {
                (void)unlink(dir->index); /* may never have been made */
                leftovers_unmark(dir);
                log_info(EV("leftover.removed"), LF_S("path", dir->path));
                l->part = 0;
                l->next++;
        }
        remove_next(l);
}

static void remove_next(struct leftovers *l)
{
        if (l->next == l->n) {
                if (l->again)
                        loop_timer_arm(l->timer, AGAIN_MS);
                return;
        }
        const struct run_dir *dir = &l->dirs[l->next];
        const char *const parts[] = {dir->tree, dir->home, dir->tmp};
        l->op = tree_remove(l->loop, parts[l->part], on_removed, l);
}

static void forget_dirs(struct leftovers *l)
{
        for (size_t i = 0; i < l->n; i++)
                run_dir_deinit(&l->dirs[i]);
        l->n = l->next = 0;
        l->again = false;
}

static void on_timer(void *arg)
{
        struct leftovers *l = arg;
        forget_dirs(l);
        find(l);
        remove_next(l);
}

struct leftovers *leftovers_sweep(struct loop *loop, const char *state_dir)
{
        struct leftovers *l = xcalloc(1, sizeof(*l));
        l->loop = loop;
        l->state_dir = xstrdup(state_dir);
        l->timer = loop_timer_new(loop, on_timer, l);
        loop_timer_soon(l->timer);
        return l;
}

void leftovers_free(struct leftovers *l)
{
        if (l == NULL)
                return;
        tree_remove_cancel(l->op);
        forget_dirs(l);
        loop_timer_free(l->timer);
        free(l->state_dir);
        free(l);
}
