/* forge.c - chooses the adapter, and asks the branch guard before any adapter is asked to act on a branch. */
#include "common/forge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/branch_guard.h"
#include "common/mem.h"

struct forge *forge_new(const struct forge_config *cfg, struct errinfo *err)
{
        if (strcmp(cfg->adapter, "local") == 0)
                return forge_local_new(cfg->git, cfg->location, cfg->default_branch);
        if (strcmp(cfg->adapter, "gitea") != 0)
                err_set(err, "", "forge adapter \"%.40s\" does not exist", cfg->adapter);
        else if (cfg->url == NULL || cfg->token_file == NULL || cfg->repo == NULL)
                err_set(err, "", "the project names no server for its forge");
        else
                return forge_gitea_new(cfg);
        return NULL;
}

void forge_free(struct forge *f)
{
        if (f == NULL)
                return;
        free(f->default_branch);
        f->ops->free(f);
}

struct forge_call *forge_branch_head(struct forge *f, const char *branch, forge_answer_fn *fn, void *arg)
{
        return f->ops->branch_head(f, branch, fn, arg);
}

struct forge_call *forge_delete_branch(struct forge *f, const char *branch, forge_answer_fn *fn, void *arg,
                                       struct errinfo *err)
{
        if (branch_guard(branch, f->default_branch, err) < 0)
                return NULL;
        return f->ops->delete_branch(f, branch, fn, arg);
}

struct forge_call *forge_ensure_pull(struct forge *f, const struct forge_pull_spec *spec, forge_answer_fn *fn,
                                     void *arg, struct errinfo *err)
{
        if (branch_guard(spec->branch, f->default_branch, err) < 0)
                return NULL;
        if (f->ops->ensure_pull == NULL) {
                err_set(err, "", "forge %s has no pull requests", f->ops->name);
                return NULL;
        }
        return f->ops->ensure_pull(f, spec, fn, arg);
}

struct forge_call *forge_merge(struct forge *f, const struct forge_merge_spec *spec, forge_merge_fn *fn,
                               void *arg)
{
        return f->ops->merge(f, spec, fn, arg);
}

void forge_cancel(struct forge *f, struct forge_call *call)
{
        if (call != NULL)
                f->ops->cancel(call);
}

const char *forge_merge_outcome_name(enum forge_merge_outcome outcome)
{
        static const char *const names[] = {
                [FORGE_MERGED] = "merged",         [FORGE_ALREADY_MERGED] = "already-merged",
                [FORGE_CONFLICT] = "conflict",     [FORGE_MOVED] = "moved",
                [FORGE_BASE_MOVED] = "base-moved", [FORGE_REFUSED] = "refused",
                [FORGE_NOT_FOUND] = "not-found",   [FORGE_UNAVAILABLE] = "unavailable",
                [FORGE_UNKNOWN] = "unknown",
        };
        assert(outcome >= 0 && outcome < (int)ARRAY_SIZE(names));
        return names[outcome];
}
