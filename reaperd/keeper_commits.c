/*
 * keeper_commits.c - takes the commits of runs out of the mirrors: their refs, refs/orch/runs/JOB-EPOCH, and
 * then, by git's own collection, what nothing names any more. Objects younger than two weeks stay: a worker
 * may be about to name them.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/git.h"
#include "common/log.h"
#include "common/mem.h"
#include "reaperd/keeper_internal.h"

#define PRUNE "--prune=2.weeks.ago"

static void next_mirror(struct keeper *k);

/* Runs of one repo are taken together: from runs[next] on, all that name it. */
static bool is_of_this_mirror(const struct keeper *k, size_t i)
{
        return i >= k->next && strcmp(k->runs[i].repo, k->runs[k->next].repo) == 0;
}

static void set_aside(struct keeper *k, bool done)
{
        for (size_t i = k->n_runs; i-- > k->next;) {
                if (!is_of_this_mirror(k, i))
                        continue;
                k->runs[i].seen = true;
                k->runs[i].done = done;
        }
}

static void leave_mirror(struct keeper *k, bool done)
{
        set_aside(k, done);
        next_mirror(k);
}

static void failed(const struct keeper *k, const struct git_result *res)
{
        log_warning(EV("retention.failed"), LF_S("what", "commits"), LF_S("repo", k->runs[k->next].repo),
                    LF_ERR(&res->err), LF_S("then", "tried again at the next tick"));
}

static void on_collected(void *arg, const struct git_result *res)
{
        struct keeper *k = arg;
        k->git_op = NULL;
        if (res->outcome != GIT_OK)
                failed(k, res); /* room is lost, nothing else */
        leave_mirror(k, true);
}

static void collect(struct keeper *k, const char *mirror)
{
        struct git_cmd cmd = GIT_CMD_INIT;
        cmd.git_dir = mirror;
        git_cmd_words(&cmd, "gc", "--quiet", PRUNE, NULL);
        k->git_op = git_start(k->git, &cmd, on_collected, k);
        git_cmd_deinit(&cmd);
}

static void on_deleted(void *arg, const struct git_result *res)
{
        struct keeper *k = arg;
        _cleanup_(freep) char *mirror = run_dir_mirror(k->state_dir, k->runs[k->next].repo);
        k->git_op = NULL;
        if (res->outcome == GIT_OK) {
                collect(k, mirror);
                return;
        }
        failed(k, res);
        leave_mirror(k, false);
}

static void delete_refs(struct keeper *k, const char *mirror)
{
        struct git_cmd cmd = GIT_CMD_INIT;
        cmd.git_dir = mirror;
        git_cmd_words(&cmd, "update-ref", "--stdin", NULL);
        for (size_t i = k->next; i < k->n_runs; i++)
                if (is_of_this_mirror(k, i)) /* one that is not there counts as deleted */
                        strbuf_addf(&cmd.input, "delete refs/orch/runs/%" PRId64 "-%" PRId64 "\n",
                                    k->runs[i].job, k->runs[i].epoch);
        k->git_op = git_start(k->git, &cmd, on_deleted, k);
        git_cmd_deinit(&cmd);
}

static void next_mirror(struct keeper *k)
{
        for (; k->next < k->n_runs; k->next++) {
                _cleanup_(freep) char *mirror = run_dir_mirror(k->state_dir, k->runs[k->next].repo);
                if (k->runs[k->next].seen)
                        continue;
                if (access(mirror, F_OK) == 0) {
                        delete_refs(k, mirror);
                        return;
                }
                set_aside(k, true); /* a mirror that is gone has none */
        }
        keeper_listed_done(k);
}

void keeper_commits(struct keeper *k)
{
        next_mirror(k);
}
