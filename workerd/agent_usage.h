/* agent_usage.h - adds up what an agent's events say of its use of models. Pure. */
#pragma once

#include "workerd/agent_facts.h"

#define AGENT_ANSWERS_KEPT 64

/* The newest answers of models: one answer comes as several events, which say the same figures, or greater
 * ones. */
struct agent_answers {
        struct agent_answer {
                uint64_t id;
                struct agent_tokens tokens;
        } kept[AGENT_ANSWERS_KEPT];
        size_t n; /* ever */
};

/* An event of the answer `id` with its figures so far; only what is more than before is added. */
void agent_usage_answer(struct agent_usage *u, struct agent_answers *answers, const char *id,
                        const char *model, const struct agent_tokens *tokens);
/* A sum for the whole process: counts where it is more than what was added up. */
void agent_usage_total(struct agent_usage *u, const char *model, const struct agent_tokens *tokens);
/* The agent's own sum: the most that it ever said counts. Nonsense (negative, a million and more) does not.
 */
void agent_usage_cost(struct agent_usage *u, double usd);
