/* plane_call.h - what the files plane*.c share. */
#pragma once

#include "common/plane.h"
#include "common/rest_talk.h"

struct plane {
        struct rest *rest;
        char *projects; /* "/api/v1/workspaces/SLUG/projects/" */
        char *base;     /* that, and the project's UUID */
        char *segment;  /* "work-items" */
};

typedef void plane_read_fn(struct json_out *out, const struct json *element);

struct plane_call {
        struct rest_talk talk; /* first */
        struct plane *plane;
        char *item;
        unsigned parts;
        /* of a list that is followed to its end */
        char *path;
        plane_read_fn *read;
        unsigned pages;
        void (*then)(struct plane_call *call); /* when the list has ended */
        char *state;                           /* that was asked for */
        char *keep;                            /* that are not to be overwritten */
};

struct plane_call *plane_call_new(struct plane *plane, port_json_fn *fn, void *arg);
/* "/BASE/work-items/UUID/" of the call's item, and what follows it; the caller frees it. */
char *plane_item_path(const struct plane_call *call, const char *rest);
