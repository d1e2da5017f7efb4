/*
 * keeper_files.c - removes the folders of runs and of deploys, with their logs, and their lock files.
 *
 * A folder without a tree holds nothing but what the run printed and was told: its time is all that counts.
 * A tree is there only when its worker could not commit it. It goes only when the commit is in the mirror
 * after all, and nobody will ask for it: it was pushed, or its task is done or cancelled. Else it stays, and
 * is reported (C-3). Of a deploy, whose tree is nobody's work, only the lock is looked at: its shim holds it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/git.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/tree_remove.h"
#include "queries.h"
#include "reaperd/keeper_internal.h"

static void remove_next(struct keeper *k);

static bool is_there(const char *path)
{
        struct stat st;
        return lstat(path, &st) == 0 || errno != ENOENT;
}

static void go_on(struct keeper *k)
{
        run_dir_deinit(&k->dir);
        k->next++;
        remove_next(k);
}

static void on_kept(void *arg, const struct db_result *res)
{
        struct keeper *k = arg;
        if (keeper_heard(k, res))
                go_on(k);
}

static void keep(struct keeper *k, const char *reason)
{
        char run[24];
        (void)snprintf(run, sizeof(run), "%" PRId64, k->runs[k->next].run);
        log_warning(EV("retention.kept"), LF_S("path", k->dir.path), LF_S("reason", reason),
                    LF_S("then", "looked at again after a day"));
        const char *params[] = {keeper_process(k), keeper_epoch(k), run, reason, keeper_what(k)};
        keeper_ask(k, &Q_RETENTION_FILES_KEPT, params, on_kept);
}

static void on_removed(void *arg, int r, const struct errinfo *err)
{
        struct keeper *k = arg;
        k->op = NULL;
        if (r < 0) {
                keep(k, err->text);
                return;
        }
        (void)unlink(k->dir.lock); /* its job has long ended: nobody locks it any more; may be gone already */
        k->runs[k->next].done = true;
        go_on(k);
}

static void take_away(struct keeper *k)
{
        k->op = tree_remove(k->loop, k->dir.path, on_removed, k);
}

static void on_looked(void *arg, const struct git_result *res)
{
        struct keeper *k = arg;
        k->git_op = NULL;
        if (res->outcome == GIT_OK)
                take_away(k);
        else
                keep(k, "what the run left is not committed: it is in the folder tree, and nowhere else");
}

static void look_for_commit(struct keeper *k)
{
        const struct keeper_run *run = &k->runs[k->next];
        _cleanup_(freep) char *mirror = run_dir_mirror(k->state_dir, run->repo);
        struct git_cmd cmd = GIT_CMD_INIT;
        cmd.git_dir = mirror; /* never NULL: the database knows no repo with another name */
        git_cmd_words(&cmd, "rev-parse", "--verify", "--quiet", NULL);
        argv_addf(&cmd.args, "refs/orch/runs/%" PRId64 "-%" PRId64 "^{commit}", run->job, run->epoch);
        k->git_op = git_start(k->git, &cmd, on_looked, k);
        git_cmd_deinit(&cmd);
}

/* A record whose folder is elsewhere, of a suite that was configured anew, has none here. */
static void name_folder(struct keeper *k, const struct keeper_run *run)
{
        if (k->state == KEEPER_DEPLOYS) {
                _cleanup_(freep) char *path = xasprintf("%s/deploys/%" PRId64, k->state_dir, run->run);
                run_dir_names_deploy(&k->dir, path);
        } else {
                run_dir_names(&k->dir, k->state_dir, run->job, run->epoch);
        }
}

static void remove_next(struct keeper *k)
{
        if (k->next == k->n_runs) {
                keeper_listed_done(k);
                return;
        }
        const struct keeper_run *run = &k->runs[k->next];
        name_folder(k, run);
        _cleanup_(freep) char *owner = xasprintf("%s/owner", k->dir.path);
        if (run_dir_is_locked(&k->dir) != 0)
                keep(k, "what it started may live: its lock is held");
        else if (k->state != KEEPER_DEPLOYS && is_there(owner))
                keep(k, "its worker has not cleaned it up yet");
        else if (k->state == KEEPER_DEPLOYS || !is_there(k->dir.tree))
                take_away(k);
        else if (run->over)
                look_for_commit(k);
        else
                keep(k, "what the run left was not pushed, and its task goes on");
}

void keeper_files(struct keeper *k)
{
        remove_next(k);
}
