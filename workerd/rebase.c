/* rebase.c - where the branch and its base are, the commits between, and the replay of one after the other.
 */
#include "workerd/rebase.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/git_seq.h"
#include "common/mem.h"

#define LIST_MAX (16u << 20) /* bytes of the list of commits, messages included */

/* One commit of the list; points into it. */
struct pick {
        const char *names; /* "OID PARENT" */
        const char *author, *email, *author_date, *committer_date, *message;
};

struct rebase_op {
        struct git *git;
        char *mirror, *branch, *default_branch, *pushing;
        char expected[GIT_OID_SIZE];
        int64_t job, epoch;
        bool always;

        struct git_seq *seq; /* NULL: not at this */
        struct strbuf list;
        const char *next; /* in the list */
        struct pick pick;
        char oid[GIT_OID_SIZE], parent[GIT_OID_SIZE]; /* of the pick */
        char stand_in[GIT_OID_SIZE]; /* a commit with the files of what was made so far, and the pick's parent
                                      */
        char tree[GIT_OID_SIZE];

        rebase_fn *fn;
        void *arg;
        struct rebase_result result;
};

static void free_op(struct rebase_op *op)
{
        git_seq_cancel(op->seq);
        strbuf_deinit(&op->list);
        free(op->mirror);
        free(op->branch);
        free(op->default_branch);
        free(op->pushing);
        free(op);
}

static void answer(struct rebase_op *op)
{
        op->fn(op->arg, &op->result);
        free_op(op);
}

static enum git_seq_next stop(struct rebase_op *op, enum rebase_outcome outcome, const char *why)
{
        op->result.outcome = outcome;
        err_set(&op->result.err, "", "%s", why);
        return GIT_SEQ_END;
}

static bool in_mirror(const struct rebase_op *op, struct git_cmd *cmd)
{
        cmd->git_dir = op->mirror;
        return true;
}

/* ---- where things stand ---- */

static bool build_head(void *arg, struct git_cmd *cmd)
{
        struct rebase_op *op = arg;
        git_cmd_words(cmd, "rev-parse", "--verify", "--quiet", NULL);
        argv_addf(&cmd->args, "refs/heads/%s^{commit}", op->branch);
        return in_mirror(op, cmd);
}

/* Where we left it; or where an earlier life of the job was about to bring it when its worker was lost. */
static bool is_ours(const struct rebase_op *op, const char *sha)
{
        return strcmp(sha, op->expected) == 0 || strstr(op->pushing, sha) != NULL;
}

static enum git_seq_next on_head(void *arg, const struct git_result *res)
{
        struct rebase_op *op = arg;
        bool found = res->outcome == GIT_OK && git_oid_read(res->out->buf, op->result.head_sha);
        if (!found && !(res->outcome == GIT_EXITED && res->code == 1))
                return GIT_SEQ_FAIL;
        if (!found)
                return stop(op, REBASE_MOVED, "somebody has deleted the branch");
        if (!is_ours(op, op->result.head_sha))
                return stop(op, REBASE_MOVED, "somebody else has pushed to the branch");
        memcpy(op->result.sha, op->result.head_sha, GIT_OID_SIZE);
        return GIT_SEQ_NEXT;
}

static bool build_base(void *arg, struct git_cmd *cmd)
{
        struct rebase_op *op = arg;
        git_cmd_words(cmd, "rev-parse", "--verify", NULL);
        argv_addf(&cmd->args, "refs/heads/%s^{commit}", op->default_branch);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_base(void *arg, const struct git_result *res)
{
        struct rebase_op *op = arg;
        return git_seq_oid(res, op->result.base_sha);
}

static bool build_merge_base(void *arg, struct git_cmd *cmd)
{
        struct rebase_op *op = arg;
        git_cmd_words(cmd, "merge-base", op->result.head_sha, op->result.base_sha, NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_merge_base(void *arg, const struct git_result *res)
{
        struct rebase_op *op = arg;
        char fork[GIT_OID_SIZE];
        if (res->outcome == GIT_EXITED && res->code == 1)
                return stop(op, REBASE_REFUSED, "the branch has no commit in common with the default branch");
        if (res->outcome != GIT_OK || !git_oid_read(res->out->buf, fork))
                return GIT_SEQ_FAIL;
        if (strcmp(fork, op->result.head_sha) == 0)
                return stop(op, REBASE_MERGED, "the branch is in the default branch already");
        bool behind = strcmp(fork, op->result.base_sha) != 0;
        return behind || op->always ? GIT_SEQ_NEXT : GIT_SEQ_END;
}

/* ---- the commits ---- */

static bool build_list(void *arg, struct git_cmd *cmd)
{
        struct rebase_op *op = arg;
        git_cmd_words(cmd, "log", "-z", "--reverse", "--topo-order", "--no-show-signature", "--date=raw",
                      "--encoding=UTF-8", "--format=%H %P%x00%an%x00%ae%x00%ad%x00%cd%x00%B", NULL);
        argv_addf(&cmd->args, "%s..%s", op->result.base_sha, op->result.head_sha);
        argv_add(&cmd->args, "--");
        cmd->capture_max = LIST_MAX;
        return in_mirror(op, cmd);
}

static enum git_seq_next on_list(void *arg, const struct git_result *res)
{
        struct rebase_op *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        if (res->truncated)
                return stop(op, REBASE_REFUSED, "the branch has too many commits to be rebased");
        strbuf_add(&op->list, res->out->buf, res->out->len);
        op->next = op->list.buf;
        memcpy(op->result.sha, op->result.base_sha, GIT_OID_SIZE);
        return GIT_SEQ_NEXT;
}

static const struct git_step find_steps[] = {
        {"find the branch", build_head, on_head},
        {"find the default branch", build_base, on_base},
        {"find where the branch began", build_merge_base, on_merge_base},
        {"list its commits", build_list, on_list},
};

/* The fields of the next commit; false at the end of the list, or of what is whole of it. */
static bool next_pick(struct rebase_op *op)
{
        const char *limit = op->list.buf + op->list.len;
        const char **fields[] = {&op->pick.names,       &op->pick.author,         &op->pick.email,
                                 &op->pick.author_date, &op->pick.committer_date, &op->pick.message};
        const char *at = op->next;
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                const char *nul = at < limit ? memchr(at, '\0', (size_t)(limit - at)) : NULL;
                if (nul == NULL)
                        return false;
                *fields[i] = at;
                at = nul + 1;
        }
        op->next = at;
        return true;
}

/* ---- the replay of one commit ---- */

/* merge-tree finds the base of a merge by itself. A commit that has the files so far, and the pick's own
 * parent for parent, makes that parent the base: what is merged is the change of the pick. */
static bool build_stand_in(void *arg, struct git_cmd *cmd)
{
        struct rebase_op *op = arg;
        argv_env(&cmd->env, "GIT_AUTHOR_NAME", "orchestrator");
        argv_env(&cmd->env, "GIT_AUTHOR_EMAIL", "orchestrator@orchestrator.invalid");
        argv_env(&cmd->env, "GIT_COMMITTER_NAME", "orchestrator");
        argv_env(&cmd->env, "GIT_COMMITTER_EMAIL", "orchestrator@orchestrator.invalid");
        git_cmd_words(cmd, "commit-tree", NULL);
        argv_addf(&cmd->args, "%s^{tree}", op->result.sha);
        git_cmd_words(cmd, "-p", op->parent, "-m", "stand-in", NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_stand_in(void *arg, const struct git_result *res)
{
        struct rebase_op *op = arg;
        return git_seq_oid(res, op->stand_in);
}

static bool build_merge(void *arg, struct git_cmd *cmd)
{
        struct rebase_op *op = arg;
        git_cmd_words(cmd, "merge-tree", "--write-tree", "--name-only", "--no-messages", op->stand_in,
                      op->oid, NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next conflict(struct rebase_op *op, const struct git_result *res)
{
        const char *subject = op->pick.message;
        struct strbuf files = STRBUF_INIT;
        git_seq_conflicts(res, &files);
        op->result.outcome = REBASE_CONFLICT;
        err_set(&op->result.err, "",
                "\"%.*s\" does not apply to the default branch any more; conflicts in: %s",
                (int)strcspn(subject, "\n"), subject, files.buf);
        strbuf_deinit(&files);
        return GIT_SEQ_END;
}

static enum git_seq_next on_merge(void *arg, const struct git_result *res)
{
        struct rebase_op *op = arg;
        if (res->outcome == GIT_EXITED && res->code == 1)
                return conflict(op, res);
        return git_seq_oid(res, op->tree);
}

/* The committer's date stays as well: what comes out depends on what goes in, and on nothing else. */
static bool build_commit(void *arg, struct git_cmd *cmd)
{
        struct rebase_op *op = arg;
        _cleanup_(freep) char *author_date = xasprintf("@%s", op->pick.author_date);
        _cleanup_(freep) char *committer_date = xasprintf("@%s", op->pick.committer_date);
        argv_env(&cmd->env, "GIT_AUTHOR_NAME", op->pick.author);
        argv_env(&cmd->env, "GIT_AUTHOR_EMAIL", op->pick.email);
        argv_env(&cmd->env, "GIT_AUTHOR_DATE", author_date);
        argv_env(&cmd->env, "GIT_COMMITTER_NAME", "orchestrator");
        argv_env(&cmd->env, "GIT_COMMITTER_EMAIL", "orchestrator@orchestrator.invalid");
        argv_env(&cmd->env, "GIT_COMMITTER_DATE", committer_date);
        git_cmd_words(cmd, "commit-tree", op->tree, "-p", op->result.sha, "-F", "-", NULL);
        strbuf_addstr(&cmd->input, op->pick.message);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_commit(void *arg, const struct git_result *res)
{
        struct rebase_op *op = arg;
        return git_seq_oid(res, op->result.sha);
}

static const struct git_step pick_steps[] = {
        {"prepare a commit", build_stand_in, on_stand_in},
        {"apply a commit", build_merge, on_merge},
        {"make a commit", build_commit, on_commit},
};

/* ---- the end ---- */

static bool build_keep(void *arg, struct git_cmd *cmd)
{
        struct rebase_op *op = arg;
        git_cmd_words(cmd, "update-ref", "--stdin", NULL);
        strbuf_addf(&cmd->input, "update refs/orch/replaced/%" PRId64 "-%" PRId64 " %s\n", op->job, op->epoch,
                    op->result.head_sha);
        strbuf_addf(&cmd->input, "update refs/orch/runs/%" PRId64 "-%" PRId64 " %s\n", op->job, op->epoch,
                    op->result.sha);
        return in_mirror(op, cmd);
}

static const struct git_step keep_steps[] = {{"keep both heads", build_keep, NULL}};

static void fail(struct rebase_op *op, const char *what, const char *why)
{
        op->result.outcome = REBASE_FAILED;
        err_set(&op->result.err, "", "could not %s: %s", what, why);
        answer(op);
}

static void on_kept(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct rebase_op *op = arg;
        op->seq = NULL;
        if (failed != NULL)
                fail(op, failed->name, res->err.text);
        else
                answer(op);
}

static void replayed(struct rebase_op *op)
{
        op->result.changed = strcmp(op->result.sha, op->result.head_sha) != 0;
        if (op->result.changed)
                op->seq = git_seq_start(op->git, keep_steps, ARRAY_SIZE(keep_steps), on_kept, op);
        else
                answer(op);
}

static void replay(struct rebase_op *op);

static void on_picked(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct rebase_op *op = arg;
        op->seq = NULL;
        if (failed != NULL)
                fail(op, failed->name, git_seq_why(res));
        else if (op->result.outcome != REBASE_OK)
                answer(op);
        else
                replay(op);
}

/* Commits that are where they belong already are taken as they are. */
static void replay(struct rebase_op *op)
{
        while (next_pick(op)) {
                size_t len = strcspn(op->pick.names, " ");
                const char *parents = op->pick.names + len + (op->pick.names[len] == ' ');
                if (!git_oid_read(op->pick.names, op->oid) || !git_oid_read(parents, op->parent) ||
                    parents[strlen(op->parent)] != '\0') {
                        (void)stop(op, REBASE_REFUSED,
                                   "the branch has commits that the orchestrator does not make: merges, or "
                                   "commits without a parent");
                        answer(op);
                        return;
                }
                if (strcmp(op->parent, op->result.sha) != 0) {
                        op->seq = git_seq_start(op->git, pick_steps, ARRAY_SIZE(pick_steps), on_picked, op);
                        return;
                }
                memcpy(op->result.sha, op->oid, GIT_OID_SIZE);
        }
        replayed(op);
}

static void on_found(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct rebase_op *op = arg;
        op->seq = NULL;
        if (failed != NULL)
                fail(op, failed->name, git_seq_why(res));
        else if (op->next == NULL)
                answer(op); /* nothing to replay, for a reason that was noted */
        else
                replay(op);
}

struct rebase_op *rebase_start(struct git *git, const struct run_info *info, const struct rebase_spec *spec,
                               rebase_fn *fn, void *arg)
{
        struct rebase_op *op = xcalloc(1, sizeof(*op));
        *op = (struct rebase_op){
                .git = git,
                .mirror = xstrdup(spec->mirror),
                .branch = xstrdup(info->branch),
                .default_branch = xstrdup(info->default_branch),
                .pushing = xstrdup(spec->pushing != NULL ? spec->pushing : ""),
                .job = info->job,
                .epoch = info->epoch,
                .always = spec->always,
                .list = STRBUF_INIT,
                .fn = fn,
                .arg = arg,
        };
        if (info->head_sha == NULL || !git_oid_read(info->head_sha, op->expected))
                op->expected[0] = '\0'; /* no head is ours then */
        op->seq = git_seq_start(git, find_steps, ARRAY_SIZE(find_steps), on_found, op);
        return op;
}

void rebase_cancel(struct rebase_op *op)
{
        if (op != NULL)
                free_op(op);
}
