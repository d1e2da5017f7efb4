/*
 * git_push.c - push or delete one branch: ask the guard, look, push with lease, and after a failure look
 * again.
 *
 * The first look tells a remote that is not there (nothing was done) from an answer that was lost on the way;
 * the lease, not the look, is what keeps a branch that moved from being overwritten.
 */
#include <stdlib.h>
#include <string.h>

#include "common/branch_guard.h"
#include "common/git.h"
#include "common/git_seq.h"
#include "common/loop.h"
#include "common/mem.h"

struct git_push_op {
        char *git_dir, *url, *token_file, *ref;
        struct git_remote remote; /* borrows */
        char *sha;                /* "" deletes */
        char *expected;           /* "" is: must not exist */
        struct git_seq *seq;
        struct loop_timer *refusal; /* the guard's answer, when it refuses */
        git_push_fn *fn;
        void *arg;
        bool cut_short; /* and its end was not its own: the remote may still be at it */
        struct git_push_result result;
};

static void free_op(struct git_push_op *op)
{
        loop_timer_free(op->refusal);
        free(op->git_dir);
        free(op->url);
        free(op->token_file);
        free(op->ref);
        free(op->sha);
        free(op->expected);
        free(op);
}

static void answer(struct git_push_op *op)
{
        op->fn(op->arg, &op->result);
        free_op(op);
}

/* The object name of exactly our ref: ls-remote also prints refs that merely end like it. */
static void find_ref(const char *list, const char *ref, char oid[static GIT_OID_SIZE])
{
        size_t ref_len = strlen(ref);
        oid[0] = '\0';
        for (const char *line = list; *line != '\0';) {
                size_t len = strcspn(line, "\n");
                size_t oid_len = strcspn(line, "\t");
                if (oid_len < len && len - oid_len - 1 == ref_len &&
                    memcmp(line + oid_len + 1, ref, ref_len) == 0 && git_oid_read(line, oid))
                        return;
                line += len + (line[len] == '\n');
        }
}

static bool build_look(void *arg, struct git_cmd *cmd)
{
        struct git_push_op *op = arg;
        cmd->remote = &op->remote;
        git_cmd_words(cmd, "ls-remote", "--refs", "--", op->url, op->ref, NULL);
        return true;
}

static enum git_seq_next on_first_look(void *arg, const struct git_result *res)
{
        struct git_push_op *op = arg;
        if (res->outcome != GIT_OK) {
                op->result.outcome = GIT_PUSH_UNAVAILABLE;
                op->result.said = res->said;
                op->result.err = res->err;
                return GIT_SEQ_END;
        }
        find_ref(res->out->buf, op->ref, op->result.remote_sha);
        if (strcmp(op->result.remote_sha, op->sha) == 0)
                return GIT_SEQ_END; /* done already, perhaps by an earlier life of ours */
        if (strcmp(op->result.remote_sha, op->expected) != 0) {
                op->result.outcome = GIT_PUSH_MOVED;
                err_set(&op->result.err, "", "%s is at %s, not at %s", op->ref,
                        op->result.remote_sha[0] != '\0' ? op->result.remote_sha : "(nothing)",
                        op->expected[0] != '\0' ? op->expected : "(nothing)");
                return GIT_SEQ_END;
        }
        return GIT_SEQ_NEXT;
}

static bool build_push(void *arg, struct git_cmd *cmd)
{
        struct git_push_op *op = arg;
        cmd->git_dir = op->git_dir;
        cmd->remote = &op->remote;
        cmd->may_push = true;
        git_cmd_words(cmd, "push", "--porcelain", "--no-verify", "--no-follow-tags",
                      "--recurse-submodules=no", NULL);
        argv_addf(&cmd->args, "--force-with-lease=%s:%s", op->ref, op->expected);
        git_cmd_words(cmd, "--", op->url, NULL);
        argv_addf(&cmd->args, "%s:%s", op->sha, op->ref);
        return true;
}

static enum git_seq_next on_push(void *arg, const struct git_result *res)
{
        struct git_push_op *op = arg;
        if (res->outcome == GIT_OK)
                return GIT_SEQ_END;
        op->cut_short = res->outcome == GIT_TIMEOUT || res->outcome == GIT_KILLED;
        op->result.outcome = strstr(res->out->buf, "[remote rejected]") != NULL ? GIT_PUSH_REFUSED
                             : op->cut_short                                    ? GIT_PUSH_UNKNOWN
                                                                                : GIT_PUSH_UNAVAILABLE;
        op->result.said = res->said;
        op->result.err = res->err;
        return GIT_SEQ_NEXT;
}

/* What the remote shows now outranks what the push said, a refusal too: a client that has lost the connection
 * sends the same once more by itself, and what is refused then is not what was done before. */
static enum git_seq_next on_second_look(void *arg, const struct git_result *res)
{
        struct git_push_op *op = arg;
        if (res->outcome != GIT_OK) {
                op->result.outcome = GIT_PUSH_UNKNOWN;
                op->result.said = res->said;
                return GIT_SEQ_END;
        }
        find_ref(res->out->buf, op->ref, op->result.remote_sha);
        if (strcmp(op->result.remote_sha, op->sha) == 0)
                op->result.outcome = GIT_PUSH_OK;
        else if (strcmp(op->result.remote_sha, op->expected) != 0)
                op->result.outcome = GIT_PUSH_MOVED;
        return GIT_SEQ_END;
}

static const struct git_step steps[] = {
        {"look at the remote", build_look, on_first_look},
        {"push", build_push, on_push},
        {"look at the remote again", build_look, on_second_look},
};

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct git_push_op *op = arg;
        (void)failed; /* each step names the outcome itself */
        (void)res;
        op->seq = NULL;
        answer(op);
}

static void on_refusal(void *arg)
{
        answer(arg);
}

struct git_push_op *git_push(struct git *git, const struct git_push_spec *spec, git_push_fn *fn, void *arg)
{
        struct git_push_op *op = xcalloc(1, sizeof(*op));
        *op = (struct git_push_op){
                .git_dir = xstrdup(spec->git_dir),
                .url = xstrdup(spec->remote.url),
                .token_file = spec->remote.token_file != NULL ? xstrdup(spec->remote.token_file) : NULL,
                .ref = xasprintf("refs/heads/%s", spec->branch),
                .sha = xstrdup(spec->sha != NULL ? spec->sha : ""),
                .expected = xstrdup(spec->expected != NULL ? spec->expected : ""),
                .fn = fn,
                .arg = arg,
        };
        op->remote = (struct git_remote){.url = op->url, .token_file = op->token_file};
        if (branch_guard(spec->branch, spec->default_branch, &op->result.err) < 0) {
                op->result.outcome = GIT_PUSH_REFUSED;
                op->refusal = loop_timer_new(git_loop(git), on_refusal, op);
                loop_timer_soon(op->refusal);
                return op;
        }
        op->seq = git_seq_start(git, steps, ARRAY_SIZE(steps), on_end, op);
        return op;
}

void git_push_cancel(struct git_push_op *op)
{
        if (op == NULL)
                return;
        git_seq_cancel(op->seq);
        free_op(op);
}

const char *git_push_outcome_name(enum git_push_outcome outcome)
{
        switch (outcome) {
        case GIT_PUSH_OK:
                return "pushed";
        case GIT_PUSH_MOVED:
                return "moved";
        case GIT_PUSH_REFUSED:
                return "refused";
        case GIT_PUSH_UNAVAILABLE:
                return "unavailable";
        case GIT_PUSH_UNKNOWN:
                break;
        }
        return "unknown";
}
