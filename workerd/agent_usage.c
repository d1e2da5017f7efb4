/* agent_usage.c - see agent_usage.h. */
#include "workerd/agent_usage.h"

#include <stdio.h>
#include <string.h>

#define TOKENS_MAX   1000000000000 /* what is more than that is no count of tokens */
#define COST_MAX_USD 1000000

static struct agent_model *model_of(struct agent_usage *u, const char *name)
{
        for (size_t i = 0; i < u->n_models; i++)
                if (strncmp(u->models[i].name, name, AGENT_NAME_MAX - 1) == 0)
                        return &u->models[i];
        if (u->n_models == AGENT_MODELS_MAX)
                return &u->models[AGENT_MODELS_MAX - 1];
        struct agent_model *m = &u->models[u->n_models++];
        (void)snprintf(m->name, sizeof(m->name), "%s", name); /* a name that is cut is still a name */
        return m;
}

static int64_t sane(int64_t n)
{
        return n < 0 ? 0 : n > TOKENS_MAX ? TOKENS_MAX : n;
}

static int64_t more(int64_t now, int64_t before)
{
        return sane(now) > before ? sane(now) - before : 0;
}

static void add(struct agent_tokens *sum, const struct agent_tokens *t)
{
        sum->input = sane(sum->input + t->input);
        sum->output = sane(sum->output + t->output);
        sum->cache_read = sane(sum->cache_read + t->cache_read);
        sum->cache_write = sane(sum->cache_write + t->cache_write);
}

/* FNV-1a: two of the newest answers that share a value cost a few tokens in a sum. */
static uint64_t hash(const char *s)
{
        uint64_t h = 14695981039346656037u;
        for (; *s != '\0'; s++)
                h = (h ^ (unsigned char)*s) * 1099511628211u;
        return h;
}

static struct agent_answer *answer_of(struct agent_answers *a, uint64_t id)
{
        size_t kept = a->n < AGENT_ANSWERS_KEPT ? a->n : AGENT_ANSWERS_KEPT;
        for (size_t i = 0; i < kept; i++)
                if (a->kept[i].id == id)
                        return &a->kept[i];
        struct agent_answer *new = &a->kept[a->n++ % AGENT_ANSWERS_KEPT];
        *new = (struct agent_answer){.id = id};
        return new;
}

void agent_usage_answer(struct agent_usage *u, struct agent_answers *answers, const char *id,
                        const char *model, const struct agent_tokens *t)
{
        struct agent_answer *answer = answer_of(answers, hash(id));
        const struct agent_tokens new = {more(t->input, answer->tokens.input),
                                         more(t->output, answer->tokens.output),
                                         more(t->cache_read, answer->tokens.cache_read),
                                         more(t->cache_write, answer->tokens.cache_write)};
        add(&answer->tokens, &new);
        add(&model_of(u, model)->tokens, &new);
}

void agent_usage_total(struct agent_usage *u, const char *model, const struct agent_tokens *t)
{
        struct agent_tokens *sum = &model_of(u, model)->tokens;
        const struct agent_tokens new = {more(t->input, sum->input), more(t->output, sum->output),
                                         more(t->cache_read, sum->cache_read),
                                         more(t->cache_write, sum->cache_write)};
        add(sum, &new);
}

void agent_usage_cost(struct agent_usage *u, double usd)
{
        if (!(usd >= 0 && usd < COST_MAX_USD)) /* not a number is neither */
                return;
        int64_t micro = (int64_t)(usd * 1e6 + 0.5);
        if (micro > u->cost_micro_usd)
                u->cost_micro_usd = micro;
}
