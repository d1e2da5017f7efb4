/* forge_local.c - the forge that is a bare repository on this machine: heads and deletion. Merging:
 * forge_local_merge.c. */
#include "common/forge_local.h"

#include <stdlib.h>

#include "common/mem.h"

struct forge_call *forge_local_call_new(struct forge *f, const char *branch)
{
        struct forge_call *call = xcalloc(1, sizeof(*call));
        call->forge = (struct forge_local *)f;
        call->branch = xstrdup(branch);
        call->ref = xasprintf("refs/heads/%s", branch);
        call->answer.port.retry_after_s = call->merge.port.retry_after_s = -1;
        return call;
}

void forge_local_call_free(struct forge_call *call)
{
        free(call->branch);
        free(call->ref);
        free(call->default_ref);
        free(call->expected_head);
        free(call->expected_base);
        free(call->message);
        free(call);
}

void forge_local_rev_parse(struct forge_call *call, struct git_cmd *cmd, const char *what)
{
        cmd->git_dir = call->forge->location;
        git_cmd_words(cmd, "rev-parse", "--verify", "--quiet", "--end-of-options", what, NULL);
}

static void answer(struct forge_call *call)
{
        call->fn(call->arg, &call->answer);
        forge_local_call_free(call);
}

static bool build_head(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        forge_local_rev_parse(call, cmd, call->ref);
        return true;
}

/* Exit 1, silently: no such ref. Anything else that is not success: the repository does not answer. */
static enum git_seq_next on_head(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        if (res->outcome == GIT_OK && git_oid_read(res->out->buf, call->answer.sha))
                return GIT_SEQ_NEXT;
        if (res->outcome == GIT_EXITED && res->code == 1) {
                call->answer.port.outcome = PORT_NOT_FOUND;
                err_set(&call->answer.port.err, "", "branch %s does not exist", call->branch);
        } else {
                call->answer.port.outcome = PORT_UNAVAILABLE;
                err_set(&call->answer.port.err, "", "%s", git_seq_why(res));
        }
        return GIT_SEQ_END;
}

static const struct git_step head_steps[] = {{"find the branch", build_head, on_head}};

static void on_head_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct forge_call *call = arg;
        (void)failed; /* on_head() names every outcome */
        (void)res;
        call->seq = NULL;
        answer(call);
}

static struct forge_call *local_branch_head(struct forge *f, const char *branch, forge_answer_fn *fn,
                                            void *arg)
{
        struct forge_call *call = forge_local_call_new(f, branch);
        call->fn = fn;
        call->arg = arg;
        call->seq = git_seq_start(call->forge->git, head_steps, ARRAY_SIZE(head_steps), on_head_end, call);
        return call;
}

static enum port_outcome deletion_outcome(enum git_push_outcome pushed)
{
        switch (pushed) {
        case GIT_PUSH_OK:
                return PORT_OK;
        case GIT_PUSH_REFUSED:
                return PORT_REFUSED;
        case GIT_PUSH_MOVED: /* somebody pushed between the look and the deletion: look again */
        case GIT_PUSH_UNAVAILABLE:
                return PORT_UNAVAILABLE;
        case GIT_PUSH_UNKNOWN:
                break;
        }
        return PORT_UNKNOWN;
}

static void on_deleted(void *arg, const struct git_push_result *res)
{
        struct forge_call *call = arg;
        call->push = NULL;
        call->answer.port.outcome = deletion_outcome(res->outcome);
        call->answer.port.err = res->err;
        answer(call);
}

/* What is deleted is what was seen, so the deletion is a compare-and-swap like any push. */
static void on_seen(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct forge_call *call = arg;
        (void)failed; /* on_head() names every outcome */
        (void)res;
        call->seq = NULL;
        if (call->answer.port.outcome != PORT_OK) {
                if (call->answer.port.outcome == PORT_NOT_FOUND)
                        call->answer.port.outcome = PORT_OK; /* it is gone: that is what was asked for */
                answer(call);
                return;
        }
        const struct git_push_spec spec = {
                .git_dir = call->forge->location,
                .remote = {.url = call->forge->location},
                .branch = call->branch,
                .default_branch = call->forge->forge.default_branch,
                .expected = call->answer.sha,
        };
        call->push = git_push(call->forge->git, &spec, on_deleted, call);
}

static struct forge_call *local_delete_branch(struct forge *f, const char *branch, forge_answer_fn *fn,
                                              void *arg)
{
        struct forge_call *call = forge_local_call_new(f, branch);
        call->fn = fn;
        call->arg = arg;
        call->seq = git_seq_start(call->forge->git, head_steps, ARRAY_SIZE(head_steps), on_seen, call);
        return call;
}

static void local_cancel(struct forge_call *call)
{
        git_seq_cancel(call->seq);
        git_push_cancel(call->push);
        forge_local_call_free(call);
}

static void local_free(struct forge *f)
{
        struct forge_local *local = (struct forge_local *)f;
        free(local->location);
        free(local);
}

static const struct forge_ops local_ops = {
        .name = "local",
        .branch_head = local_branch_head,
        .delete_branch = local_delete_branch,
        .merge = forge_local_merge,
        .cancel = local_cancel,
        .free = local_free,
};

struct forge *forge_local_new(struct git *git, const char *location, const char *default_branch)
{
        struct forge_local *local = xcalloc(1, sizeof(*local));
        local->forge.ops = &local_ops;
        local->forge.default_branch = xstrdup(default_branch);
        local->git = git;
        local->location = xstrdup(location);
        return &local->forge;
}
