/* claim.c - from a row to a struct, and from there to what the modules of a run share. */
#include "workerd/claim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "common/mem.h"

static char *copy(const struct db_result *res, int row, const char *column)
{
        const char *text = db_text(res, row, column);
        return text != NULL ? xstrdup(text) : NULL;
}

#define KINDS(X)                                                                                             \
        X(AGENT, "agent")                                                                                    \
        X(CI, "ci")                                                                                          \
        X(CHECK, "check")                                                                                    \
        X(INTEGRATE, "integrate")                                                                            \
        X(MERGE, "merge")                                                                                    \
        X(DEPLOY, "deploy")                                                                                  \
        X(FINALIZE, "finalize")

const char *claim_kinds(void)
{
#define X(id, name) " " name
        static const char kinds[] = KINDS(X);
        return kinds + 1;
#undef X
}

static int read_kind(const char *kind, enum claim_kind *ret)
{
        static const char *const names[] = {
#define X(id, name) [CLAIM_##id] = name,
                KINDS(X)
#undef X
        };
        for (size_t i = 0; kind != NULL && i < ARRAY_SIZE(names); i++) {
                if (strcmp(kind, names[i]) != 0)
                        continue;
                *ret = (enum claim_kind)i;
                return 0;
        }
        return -EINVAL;
}

static int check(const struct claim *c, struct errinfo *err)
{
        const struct {
                const char *name, *value;
        } needed[] = {
                {"token", c->token},       {"work_item", c->work_item},
                {"role", c->role},         {"stage", c->stage},
                {"branch", c->branch},     {"repo", c->repo},
                {"forge", c->forge},       {"forge_location", c->location},
                {"docs_dir", c->docs_dir}, {"default_branch", c->default_branch},
        };
        for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
                if (needed[i].value != NULL && needed[i].value[0] != '\0')
                        continue;
                err_set(err, "", "the claimed job has no %s", needed[i].name);
                return -EINVAL;
        }
        return 0;
}

int claim_read(struct claim *ret, const struct db_result *res, int row, struct errinfo *err)
{
        *ret = (struct claim){
                .job = db_int(res, row, "job_id", 0),
                .epoch = db_int(res, row, "epoch", 0),
                .token = copy(res, row, "token"),
                .work_item = copy(res, row, "work_item"),
                .title = copy(res, row, "title"),
                .description = copy(res, row, "description"),
                .role = copy(res, row, "role"),
                .stage = copy(res, row, "stage"),
                .input = copy(res, row, "input"),
                .failed_log = copy(res, row, "failed_log"),
                .earlier = copy(res, row, "earlier"),
                .attempt = (int)db_int(res, row, "attempt", 1),
                .max_attempts = (int)db_int(res, row, "max_attempts", 1),
                .crashed = db_bool(res, row, "crashed"),
                .branch = copy(res, row, "branch"),
                .head_sha = copy(res, row, "head_sha"),
                .base_sha = copy(res, row, "base_sha"),
                .session = copy(res, row, "session_id"),
                .resumes = copy(res, row, "resumes"),
                .former_sessions = copy(res, row, "former_sessions"),
                .repo = copy(res, row, "repo"),
                .forge = copy(res, row, "forge"),
                .location = copy(res, row, "forge_location"),
                .server = copy(res, row, "forge_url"),
                .token_file = copy(res, row, "forge_token_file"),
                .forge_name = copy(res, row, "forge_name"),
                .default_branch = copy(res, row, "default_branch"),
                .docs_dir = copy(res, row, "docs_dir"),
                .test_command = copy(res, row, "test_command"),
                .command = copy(res, row, "command"),
                .test_globs = copy(res, row, "test_globs"),
                .gate_config_globs = copy(res, row, "gate_config_globs"),
                .announced = copy(res, row, "announced"),
                .pushing = copy(res, row, "pushing"),
                .run_head = copy(res, row, "run_head"),
                .tested_base = copy(res, row, "tested_base"),
                .deployed_sha = copy(res, row, "deployed_sha"),
                .markers = copy(res, row, "integrity_markers"),
                .integrity = copy(res, row, "integrity"),
                .tested = db_bool(res, row, "tested"),
                .rebase_always = db_bool(res, row, "rebase_always"),
        };
        if (read_kind(db_text(res, row, "kind"), &ret->kind) < 0) {
                err_set(err, "", "the claimed job is of a kind that this release does not know");
                return -EINVAL;
        }
        return check(ret, err);
}

void claim_deinit(struct claim *c)
{
        char *strings[] = {
                c->token,    c->work_item,  c->title,          c->description,       c->role,
                c->stage,    c->input,      c->branch,         c->head_sha,          c->repo,
                c->forge,    c->location,   c->default_branch, c->docs_dir,          c->test_command,
                c->base_sha, c->command,    c->test_globs,     c->gate_config_globs, c->failed_log,
                c->earlier,  c->session,    c->resumes,        c->former_sessions,   c->announced,
                c->pushing,  c->run_head,   c->tested_base,    c->deployed_sha,      c->markers,
                c->server,   c->token_file, c->forge_name,     c->integrity};
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        *c = (struct claim){.token = NULL};
}

static const char *or_empty(const char *s)
{
        return s != NULL ? s : "";
}

const char *claim_shell_command(const struct claim *c)
{
        switch (c->kind) {
        case CLAIM_CI:
                return or_empty(c->test_command);
        case CLAIM_CHECK:
        case CLAIM_INTEGRATE:
        case CLAIM_MERGE:
                return or_empty(c->command);
        case CLAIM_AGENT:
        case CLAIM_DEPLOY:
        case CLAIM_FINALIZE:
                break;
        }
        return NULL;
}

void claim_run_info(const struct claim *c, struct run_info *ret)
{
        *ret = (struct run_info){
                .job = c->job,
                .epoch = c->epoch,
                .attempt = c->attempt,
                .max_attempts = c->max_attempts,
                .role = c->role,
                .stage = c->stage,
                .work_item = c->work_item,
                .title = or_empty(c->title),
                .description = or_empty(c->description),
                .input = c->input,
                .failed_log = c->failed_log,
                .earlier = c->earlier,
                .docs_dir = c->docs_dir,
                .test_command = or_empty(c->test_command),
                .test_globs = or_empty(c->test_globs),
                .gate_config_globs = or_empty(c->gate_config_globs),
                .repo = c->repo,
                .remote = {.url = c->location, .token_file = c->token_file, .branch = c->default_branch},
                .branch = c->branch,
                .default_branch = c->default_branch,
                .head_sha = c->head_sha,
        };
}
