/*
 * agent_facts.h - what an agent says of its own run, in its events: how it went, what it used, what kept it
 * from working (J-4, J-7). Filled by the parser of its adapter (claude.h), judged by adapter.h. Plain data.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_MODELS_MAX 8 /* more are counted as the last one */
#define AGENT_NAME_MAX   80
#define AGENT_TEXT_MAX   400

/* Ever-growing counts of one model. */
struct agent_tokens {
        int64_t input, output, cache_read, cache_write;
};

struct agent_model {
        char name[AGENT_NAME_MAX];
        struct agent_tokens tokens;
};

struct agent_usage {
        struct agent_model models[AGENT_MODELS_MAX];
        size_t n_models;
        int64_t turns;
        int64_t cost_micro_usd; /* as the agent says: the most of what it said; -1: it said nothing */
};
#define AGENT_USAGE_INIT                                                                                     \
        {                                                                                                    \
                .cost_micro_usd = -1                                                                         \
        }

/* What last kept it from working; over when its model has answered again. */
enum agent_trouble {
        AGENT_NO_TROUBLE,
        AGENT_BUSY,       /* its provider: overloaded, too many requests, an error of its own, out of reach */
        AGENT_LIMITED,    /* the account has used up what it may: until `reset_s`, where that was said */
        AGENT_DENIED,     /* login, payment, a model that is not there: another try cannot help */
        AGENT_FULL,       /* the session has no room left: nobody can go on with it */
        AGENT_NO_SESSION, /* the session that it was to go on with is not known */
};

struct agent_facts {
        char session[40];             /* as it says itself; "" before it has said anything */
        char model[AGENT_NAME_MAX];   /* it began with */
        char version[AGENT_NAME_MAX]; /* of the program */
        bool worked;                  /* a model has answered */
        bool has_result;
        bool result_good;                 /* of the newest: no error, by all that it says */
        bool result_cut;                  /* there was one too long to read */
        char result_kind[AGENT_NAME_MAX]; /* its subtype */
        char result_text[AGENT_TEXT_MAX]; /* of one that is an error */
        enum agent_trouble trouble;
        int trouble_status;                /* of HTTP; 0: none was said */
        char trouble_word[AGENT_NAME_MAX]; /* its name */
        int64_t reset_s;                   /* since 1970; 0: not said */
        struct agent_usage usage;
};
