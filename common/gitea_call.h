/* gitea_call.h - what the files gitea*.c share: a call is one to several requests, each followed by a step.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/gitea.h"
#include "common/gitea_read.h"
#include "common/rest.h"

struct gitea {
        struct rest *rest;
        char *base; /* "/repos/OWNER/NAME" */
};

struct gitea_call {
        struct gitea *gitea;
        struct rest_call *rest;
        struct json_out *out; /* the answer; its object is open */
        gitea_answer_fn *fn;
        void *arg;

        /* a question of one request, or of pages */
        gitea_read_fn *read;
        const char *list; /* NULL: the root is an array; else its member */
        char *path;
        unsigned page;

        /* of pull requests, comments */
        int64_t number;
        char *branch, *base, *body, *head, *marker;
        struct port_answer said; /* by the merge, before it was looked at */
};

struct gitea_call *gitea_call_new(struct gitea *gitea, gitea_answer_fn *fn, void *arg);
/* Both end the call. */
void gitea_done(struct gitea_call *call);
void gitea_end(struct gitea_call *call, const struct port_answer *port);
void gitea_fail(struct gitea_call *call, enum port_outcome outcome, const char *why);
/* Takes a step's answer; false: the call has ended with it. */
bool gitea_took(struct gitea_call *call, const struct rest_answer *answer);
void gitea_ask(struct gitea_call *call, const char *method, const char *path, struct json_out *body,
               rest_answer_fn *fn);
/* "/repos/OWNER/NAME" and what follows; the caller frees it. */
char *gitea_path(const struct gitea *gitea, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The rest of a list that was cut to pages has been read when a page is not full. */
#define GITEA_PAGE_SIZE 50
#define GITEA_PAGES_MAX 40
