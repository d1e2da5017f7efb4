/* report.c - collects what a run came to, and says it in JSON. */
#include "workerd/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_write.h"
#include "common/mem.h"
#include "workerd/commit.h"
#include "workerd/run_status.h"
#include "workerd/verdict.h"

static const char *const words[] = {
#define X(id, word) [REPORT_##id] = (word),
        REPORT_OUTCOMES(X)
#undef X
};

static char *copy(const char *s)
{
        return s != NULL && s[0] != '\0' ? xstrdup(s) : NULL;
}

static void set(char **field, const char *value)
{
        free(*field);
        *field = copy(value);
}

void report_forget_evidence(struct report *r)
{
        for (size_t i = 0; i < r->n_evidence; i++) {
                struct report_evidence *e = &r->evidence[i];
                free(e->gate);
                free(e->value);
                free(e->file);
                free(e->blob);
                free(e->sha);
                free(e->questions);
                free(e->detail);
        }
        free(take_ptr(r->evidence));
        r->n_evidence = 0;
}

void report_deinit(struct report *r)
{
        char *strings[] = {r->reason,          r->head_sha,      r->parent_sha, r->tree,
                           r->code_tree,       r->branch,        r->merged_sha, r->base_sha,
                           r->merge_tree,      r->deploy_reason, r->patch_id,   r->patch_base,
                           r->model,           r->version,       r->session,    r->provider_error,
                           r->session_retired, r->tested_base};
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        report_forget_evidence(r);
        argv_deinit(&r->refused);
        strbuf_deinit(&r->log_excerpt);
        *r = (struct report)REPORT_INIT;
}

void report_outcome(struct report *r, enum report_outcome outcome, const char *fmt, ...)
{
        struct strbuf reason = STRBUF_INIT;
        va_list ap;
        if (r->outcome != REPORT_NONE && outcome != REPORT_CANCELLED)
                return;
        va_start(ap, fmt);
        strbuf_vaddf(&reason, fmt, ap);
        va_end(ap);
        r->outcome = outcome;
        set(&r->reason, reason.buf);
        strbuf_deinit(&reason);
}

const char *report_outcome_word(enum report_outcome outcome)
{
        return words[outcome];
}

enum report_outcome report_outcome_parse(const char *word)
{
        for (size_t i = REPORT_SUCCESS; i < ARRAY_SIZE(words); i++)
                if (strcmp(words[i], word) == 0)
                        return (enum report_outcome)i;
        return REPORT_FAILED;
}

static const char *timeout_text(const char *stop_reason)
{
        if (strcmp(stop_reason, "start") == 0)
                return "the agent wrote nothing for longer than it may after its start and was stopped";
        if (strcmp(stop_reason, "idle") == 0)
                return "the agent wrote nothing for longer than it may and was stopped";
        return "the agent ran for longer than it may and was stopped";
}

bool report_run_end(struct report *r, const struct run_status *st, const char *command)
{
        r->exit_code = st->end == RUN_EXITED ? st->code : -1;
        r->signo = st->signo;
        switch (st->end) {
        case RUN_EXITED:
                if (st->code == 0)
                        return true;
                report_outcome(r, REPORT_FAILED, "the agent exited with %d", st->code);
                return false;
        case RUN_SIGNALED:
                report_outcome(r, REPORT_KILLED, "the agent was killed by signal %d (%s)", st->signo,
                               strsignal(st->signo));
                return false;
        case RUN_TIMEOUT:
                report_outcome(r, REPORT_TIMEOUT, "%s", timeout_text(st->stop_reason));
                return false;
        case RUN_START_FAILED:
                report_outcome(r, REPORT_FAILED, "the agent could not be started: %s: %s", command,
                               st->error);
                return false;
        case RUN_STOPPED:
                /* Asked for by us: the job knows the outcome already. Otherwise somebody signalled the shim.
                 */
                report_outcome(r, REPORT_TRANSIENT, "the agent was stopped (%s)", st->stop_reason);
                return false;
        }
        abort();
}

void report_commit(struct report *r, const struct commit_result *commit, const char *branch)
{
        set(&r->head_sha, commit->sha);
        set(&r->parent_sha, commit->parent);
        set(&r->tree, commit->tree);
        set(&r->code_tree, commit->code_tree);
        set(&r->patch_id, commit->patch_id);
        set(&r->patch_base, commit->base_sha);
        set(&r->branch, branch);
}

void report_facts(struct report *r, const struct agent_facts *facts)
{
        r->usage = facts->usage;
        set(&r->model, facts->model);
        set(&r->version, facts->version);
        set(&r->session, facts->session);
}

void report_provider(struct report *r, const char *error, int64_t retry_s, bool final)
{
        set(&r->provider_error, error);
        r->provider_retry_s = retry_s;
        r->final = final;
}

void report_session_retired(struct report *r, const char *why)
{
        set(&r->session_retired, why);
}

void report_ci_state(struct report *r, const char *state)
{
        r->ci_state = state;
}

void report_forge(struct report *r, const char *said, int64_t retry_after_s)
{
        r->forge_said = said;
        r->forge_retry_s = retry_after_s;
}

void report_check_state(struct report *r, const char *state)
{
        r->check_state = state;
}

void report_base(struct report *r, const char *tested_base)
{
        set(&r->tested_base, tested_base);
}

void report_merge(struct report *r, const char *merged_sha, const char *base_sha, const char *tree)
{
        set(&r->merged_sha, merged_sha);
        set(&r->base_sha, base_sha);
        set(&r->merge_tree, tree);
}

void report_deploy(struct report *r, const char *status, int exit_code, const char *reason)
{
        r->deploy_status = status;
        r->deploy_exit_code = exit_code;
        set(&r->deploy_reason, reason);
}

void report_add_evidence(struct report *r, const struct verdict_evidence *e, const char *sha)
{
        r->evidence = xrealloc(r->evidence, (r->n_evidence + 1) * sizeof(*r->evidence));
        r->evidence[r->n_evidence++] = (struct report_evidence){
                .gate = copy(e->gate),
                .value = copy(e->value),
                .file = copy(e->file),
                .blob = copy(e->blob),
                .sha = copy(sha),
                .questions = copy(e->questions),
                .detail = copy(e->detail),
        };
}

static void put(struct json_out *j, const char *key, const char *value)
{
        if (value != NULL)
                json_out_kstr(j, key, value);
}

/* What is not on the branch is kept in the mirror only and moves nothing. */
static void put_commit(struct json_out *j, const struct report *r)
{
        if (!r->pushed)
                return;
        put(j, "head_sha", r->head_sha);
        put(j, "parent_sha", r->parent_sha);
        put(j, "tree", r->tree);
        put(j, "code_tree", r->code_tree);
        put(j, "patch_id", r->patch_id);
        put(j, "patch_base", r->patch_base);
        put(j, "branch", r->branch);
}

static void put_state(struct json_out *j, const char *key, const char *state)
{
        if (state == NULL)
                return;
        json_out_key(j, key);
        json_out_object(j);
        put(j, "state", state);
        json_out_object_end(j);
}

static void put_merge(struct json_out *j, const struct report *r)
{
        if (r->merged_sha == NULL)
                return;
        json_out_key(j, "merge");
        json_out_object(j);
        put(j, "merged_sha", r->merged_sha);
        put(j, "base_sha", r->base_sha);
        put(j, "tree", r->merge_tree);
        json_out_object_end(j);
}

static void put_deploy(struct json_out *j, const struct report *r)
{
        if (r->deploy_status == NULL)
                return;
        json_out_key(j, "deploy");
        json_out_object(j);
        put(j, "status", r->deploy_status);
        if (r->deploy_exit_code >= 0)
                json_out_kint(j, "exit_code", r->deploy_exit_code);
        put(j, "reason", r->deploy_reason);
        json_out_object_end(j);
}

static void put_forge(struct json_out *j, const struct report *r)
{
        if (r->forge_said == NULL)
                return;
        json_out_key(j, "forge");
        json_out_object(j);
        put(j, "outcome", r->forge_said);
        if (r->forge_retry_s >= 0)
                json_out_kint(j, "retry_after_s", r->forge_retry_s);
        json_out_object_end(j);
}

static void put_refused(struct json_out *j, const struct argv *refused)
{
        if (refused->n == 0)
                return;
        json_out_key(j, "refused");
        json_out_array(j);
        for (size_t i = 0; i < refused->n; i++)
                json_out_str(j, refused->words[i]);
        json_out_array_end(j);
}

static void put_evidence(struct json_out *j, const struct report *r)
{
        json_out_key(j, "evidence");
        json_out_array(j);
        for (size_t i = 0; i < r->n_evidence; i++) {
                const struct report_evidence *e = &r->evidence[i];
                json_out_object(j);
                put(j, "gate", e->gate);
                put(j, "value", e->value);
                put(j, "file", e->file);
                put(j, "blob", e->blob);
                put(j, "sha", e->sha);
                put(j, "questions", e->questions);
                put(j, "detail", e->detail);
                json_out_object_end(j);
        }
        json_out_array_end(j);
}

static void put_usage(struct json_out *j, const struct agent_usage *u)
{
        json_out_object(j);
        json_out_key(j, "models");
        json_out_object(j);
        for (size_t i = 0; i < u->n_models; i++) {
                const struct agent_model *m = &u->models[i];
                json_out_key(j, m->name);
                json_out_object(j);
                json_out_kint(j, "input", m->tokens.input);
                json_out_kint(j, "output", m->tokens.output);
                json_out_kint(j, "cache_read", m->tokens.cache_read);
                json_out_kint(j, "cache_write", m->tokens.cache_write);
                json_out_object_end(j);
        }
        json_out_object_end(j);
        json_out_kint(j, "turns", u->turns);
        if (u->cost_micro_usd >= 0)
                json_out_kint(j, "cost_micro_usd", u->cost_micro_usd);
        json_out_object_end(j);
}

void report_usage(const struct agent_usage *usage, struct strbuf *sb)
{
        struct json_out *j = json_out_new(false);
        put_usage(j, usage);
        json_out_finish(j, sb);
        json_out_free(j);
}

static void put_agent(struct json_out *j, const struct report *r)
{
        put(j, "model", r->model);
        put(j, "agent_version", r->version);
        put(j, "session_id", r->session);
        put(j, "session_retired", r->session_retired);
        put(j, "provider_error", r->provider_error);
        if (r->provider_retry_s > 0)
                json_out_kint(j, "provider_retry_at", r->provider_retry_s);
        if (r->usage.n_models == 0 && r->usage.cost_micro_usd < 0)
                return;
        json_out_key(j, "usage");
        put_usage(j, &r->usage);
}

void report_write(const struct report *r, struct strbuf *sb)
{
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        if (r->exit_code >= 0)
                json_out_kint(j, "exit_code", r->exit_code);
        if (r->signo > 0)
                json_out_kint(j, "signal", r->signo);
        put(j, "reason", r->reason);
        if (r->final)
                json_out_kbool(j, "final", true);
        put_commit(j, r);
        put(j, "base_sha", r->tested_base);
        put_state(j, "ci", r->ci_state);
        put_state(j, "check", r->check_state);
        put_merge(j, r);
        put_deploy(j, r);
        put_forge(j, r);
        put_refused(j, &r->refused);
        if (r->n_evidence > 0)
                put_evidence(j, r);
        put_agent(j, r);
        if (r->log_excerpt.len > 0)
                json_out_kstr(j, "log_excerpt", r->log_excerpt.buf);
        json_out_object_end(j);
        json_out_finish(j, sb);
        json_out_free(j);
}
