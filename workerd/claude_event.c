/*
 * claude_event.c - the events that matter: system/init, system/api_retry, assistant, rate_limit_event,
 * result.
 *
 * What keeps an agent from working is read from the types and numbers of events, never from prose; two
 * sentences that the program itself writes for want of a type are the exception.
 */
#include "workerd/claude_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"

#define NO_SESSION "No conversation found with session ID"
#define FULL       "Prompt is too long"
#define SYNTHETIC  "<synthetic>" /* the program's own words, in the place of a model's */

static bool is(const struct json *v, const char *word)
{
        const char *s = json_str(v);
        return s != NULL && strcmp(s, word) == 0;
}

static bool begins(const char *s, const char *with)
{
        return s != NULL && strncmp(s, with, strlen(with)) == 0;
}

/* Cut at a character. */
static void copy(char *to, size_t size, const char *from)
{
        size_t len = from != NULL ? strlen(from) : 0;
        if (len >= size) {
                len = size - 1;
                while (len > 0 && ((unsigned char)from[len] & 0xC0) == 0x80)
                        len--;
        }
        if (len > 0)
                memcpy(to, from, len);
        to[len] = '\0';
}

static int64_t number(const struct json *v)
{
        int64_t n;
        return json_int(v, &n) ? n : 0;
}

/* ---- trouble ---- */

static enum agent_trouble trouble_of_status(int status)
{
        if (status == 401 || status == 402 || status == 403)
                return AGENT_DENIED;
        if (status == 408 || status == 429 || (status >= 500 && status <= 599))
                return AGENT_BUSY;
        return AGENT_NO_TROUBLE;
}

static enum agent_trouble trouble_of_word(const char *word)
{
        static const struct {
                const char *word;
                enum agent_trouble trouble;
        } table[] = {
                {"authentication_failed", AGENT_DENIED},
                {"oauth_org_not_allowed", AGENT_DENIED},
                {"billing_error", AGENT_DENIED},
                {"model_not_found", AGENT_DENIED},
                {"rate_limit", AGENT_BUSY},
                {"overloaded", AGENT_BUSY},
                {"server_error", AGENT_BUSY},
        };
        for (size_t i = 0; word != NULL && i < ARRAY_SIZE(table); i++)
                if (strcmp(table[i].word, word) == 0)
                        return table[i].trouble;
        return AGENT_NO_TROUBLE;
}

static void set_trouble(struct agent_facts *f, enum agent_trouble trouble, int status, const char *word)
{
        f->trouble = trouble;
        f->trouble_status = status;
        copy(f->trouble_word, sizeof(f->trouble_word), word);
}

static bool is_about_limit(int status, const char *word)
{
        return status == 429 || (status == 0 && word != NULL && strcmp(word, "rate_limit") == 0);
}

/* The word says more than the number, where there are both: 403 may be many things. */
static void note_trouble(struct agent_facts *f, int status, const char *word)
{
        enum agent_trouble trouble = trouble_of_word(word);
        if (trouble == AGENT_NO_TROUBLE)
                trouble = trouble_of_status(status);
        if (trouble == AGENT_BUSY && is_about_limit(status, word) && f->reset_s > 0)
                trouble = AGENT_LIMITED;
        if (trouble != AGENT_NO_TROUBLE)
                set_trouble(f, trouble, status, word);
}

static void no_trouble(struct agent_facts *f)
{
        set_trouble(f, AGENT_NO_TROUBLE, 0, NULL);
        f->reset_s = 0;
}

/* ---- events ---- */

static void on_init(struct agent_facts *f, const struct json *e)
{
        copy(f->session, sizeof(f->session), json_str(json_get(e, "session_id")));
        copy(f->model, sizeof(f->model), json_str(json_get(e, "model")));
        copy(f->version, sizeof(f->version), json_str(json_get(e, "claude_code_version")));
}

/* An error without a number is of the network. */
static void on_retry(struct agent_facts *f, const struct json *e)
{
        int64_t status = number(json_get(e, "error_status"));
        const char *word = json_str(json_get(e, "error"));
        if (status == 0 && trouble_of_word(word) == AGENT_NO_TROUBLE)
                set_trouble(f, AGENT_BUSY, 0, word != NULL ? word : "no answer");
        else
                note_trouble(f, status > 0 && status < 1000 ? (int)status : 0, word);
}

/* Others than "rejected" are news: the request was served. */
static void on_limit(struct agent_facts *f, const struct json *e)
{
        const struct json *info = json_get(e, "rate_limit_info");
        if (is(json_get(info, "status"), "rejected")) {
                f->reset_s = number(json_get(info, "resetsAt"));
                set_trouble(f, AGENT_LIMITED, 429, json_str(json_get(info, "rateLimitType")));
        } else if (f->trouble == AGENT_LIMITED) {
                no_trouble(f);
        }
}

static struct agent_tokens tokens_of(const struct json *usage)
{
        return (struct agent_tokens){
                .input = number(json_get(usage, "input_tokens")),
                .output = number(json_get(usage, "output_tokens")),
                .cache_read = number(json_get(usage, "cache_read_input_tokens")),
                .cache_write = number(json_get(usage, "cache_creation_input_tokens")),
        };
}

static void on_assistant(struct agent_facts *f, struct agent_answers *answers, const struct json *e)
{
        const struct json *message = json_get(e, "message");
        const char *model = json_str(json_get(message, "model"));
        const char *error = json_str(json_get(e, "error"));
        const char *id = json_str(json_get(message, "id"));
        if (error != NULL || (model != NULL && strcmp(model, SYNTHETIC) == 0)) {
                note_trouble(f, 0, error);
                return;
        }
        if (json_type(message) != JSON_OBJECT)
                return;
        no_trouble(f);
        f->worked = true;
        struct agent_tokens tokens = tokens_of(json_get(message, "usage"));
        if (model == NULL || model[0] == '\0')
                model = f->model[0] != '\0' ? f->model : "unknown";
        agent_usage_answer(&f->usage, answers, id != NULL ? id : "", model, &tokens);
}

static void add_models(struct agent_facts *f, const struct json *models)
{
        for (size_t i = 0; i < json_len(models); i++) {
                const struct json *m = json_at(models, i);
                const struct agent_tokens tokens = {
                        .input = number(json_get(m, "inputTokens")),
                        .output = number(json_get(m, "outputTokens")),
                        .cache_read = number(json_get(m, "cacheReadInputTokens")),
                        .cache_write = number(json_get(m, "cacheCreationInputTokens")),
                };
                agent_usage_total(&f->usage, json_key_at(models, i), &tokens);
        }
}

static void note_usage(struct agent_facts *f, const struct json *e)
{
        const char *cost = json_number_text(json_get(e, "total_cost_usd"));
        const struct json *models = json_get(e, "modelUsage");
        const struct json *usage = json_get(e, "usage");
        int64_t turns = number(json_get(e, "num_turns"));
        if (cost != NULL)
                agent_usage_cost(&f->usage, strtod(cost, NULL));
        if (turns > f->usage.turns && turns < INT32_MAX)
                f->usage.turns = turns;
        if (json_type(models) == JSON_OBJECT && json_len(models) > 0) {
                add_models(f, models);
        } else if (json_type(usage) == JSON_OBJECT && f->usage.n_models <= 1) {
                const struct agent_tokens tokens = tokens_of(usage);
                agent_usage_total(&f->usage,
                                  f->usage.n_models == 1 ? f->usage.models[0].name
                                  : f->model[0] != '\0'  ? f->model
                                                         : "unknown",
                                  &tokens);
        }
}

/* What went wrong, in its own words: `result`, or the first of `errors`. */
static const char *complaint(const struct json *e)
{
        const char *text = json_str(json_get(e, "result"));
        return text != NULL ? text : json_str(json_at(json_get(e, "errors"), 0));
}

static void on_bad_result(struct agent_facts *f, const struct json *e)
{
        const char *text = complaint(e);
        int64_t status = number(json_get(e, "api_error_status"));
        copy(f->result_text, sizeof(f->result_text), text);
        if (status > 0 && status < 1000)
                note_trouble(f, (int)status, NULL);
        if (is(json_get(e, "terminal_reason"), "blocking_limit") ||
            is(json_get(e, "terminal_reason"), "prompt_too_long") || begins(text, FULL))
                set_trouble(f, AGENT_FULL, 0, "no room left");
        else if (begins(text, NO_SESSION))
                set_trouble(f, AGENT_NO_SESSION, 0, "no such session");
}

static void on_result(struct agent_facts *f, const struct json *e)
{
        bool is_error = true; /* one that does not say is none */
        (void)json_bool(json_get(e, "is_error"), &is_error);
        f->has_result = true;
        f->result_good = !is_error && is(json_get(e, "subtype"), "success");
        copy(f->result_kind, sizeof(f->result_kind), json_str(json_get(e, "subtype")));
        f->result_text[0] = '\0';
        note_usage(f, e);
        if (f->result_good)
                no_trouble(f);
        else
                on_bad_result(f, e);
}

/* The first init may name another session than it was told: then that is its own. */
static bool is_of_this_run(const struct agent_facts *f, const char *expected, const struct json *e, bool init)
{
        const char *own = f->session[0] != '\0' ? f->session : expected;
        const char *session = json_str(json_get(e, "session_id"));
        return session == NULL || own[0] == '\0' || strcmp(session, own) == 0 ||
               (init && f->session[0] == '\0');
}

void claude_event(struct agent_facts *f, struct agent_answers *answers, const char *expected,
                  const struct json *e)
{
        const struct json *type = json_get(e, "type"), *subtype = json_get(e, "subtype");
        bool init = is(type, "system") && is(subtype, "init");
        if (!is_of_this_run(f, expected, e, init))
                return;
        if (init)
                on_init(f, e);
        else if (is(type, "system") && is(subtype, "api_retry"))
                on_retry(f, e);
        else if (is(type, "rate_limit_event"))
                on_limit(f, e);
        else if (is(type, "assistant"))
                on_assistant(f, answers, e);
        else if (is(type, "result"))
                on_result(f, e);
}

void claude_remark(struct agent_facts *f, const char *line)
{
        if (!f->worked && (begins(line, NO_SESSION) || begins(line, "Error: " NO_SESSION)))
                set_trouble(f, AGENT_NO_SESSION, 0, "no such session");
}
