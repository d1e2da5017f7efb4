/* gitea_call.h - what the files gitea*.c share: a call is one to several requests, each followed by a step.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/gitea.h"
#include "common/gitea_read.h"
#include "common/rest_talk.h"

struct gitea {
        struct rest *rest;
        char *base; /* "/repos/OWNER/NAME" */
};

struct gitea_call {
        struct rest_talk talk; /* first */
        struct gitea *gitea;

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

struct gitea_call *gitea_call_new(struct gitea *gitea, port_json_fn *fn, void *arg);
/* "/repos/OWNER/NAME" and what follows; the caller frees it. */
char *gitea_path(const struct gitea *gitea, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The rest of a list that was cut to pages has been read when a page is not full. */
#define GITEA_PAGE_SIZE 50
#define GITEA_PAGES_MAX 40
