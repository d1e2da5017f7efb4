/*
 * plane.h - one project of a Plane server, as it is asked over its public API.
 *
 * What it answers is one JSON object in words of ours, for the SQL functions that decide (63_tracker):
 * foreign keys, shapes and versions end here. Identifiers are Plane's UUIDs. Every question may come back in
 * several requests; every act is found when it was done already.
 *
 *     plane_item       {"id","number","name","description","state","priority","labels":[name],
 *                       "updated_at","blocked_by":[{"project","item"}],
 *                       "comments":[{"id","actor","text","at","ours"}]}
 *     plane_items      {"items":[as above, without description, blocked_by, comments],"next":CURSOR or null}
 *     plane_states     {"states":[{"id","name","group"}]}
 *     plane_labels     {"labels":[{"id","name"}]}
 *     plane_board      {"account": UUID of who we are, "states":[as above]}
 *     plane_set_state  {"state","updated_at"}
 *     plane_project    {"id","identifier","name"}
 *     plane_projects   {"projects":[as above]}, all of the workspace that we may see
 *     plane_me         {"id","name"}, who the token is of
 */
#pragma once

#include "common/port.h"

struct http_client;
struct plane;
struct plane_call;

struct plane_config {
        struct http_client *http; /* borrowed; everything else is copied */
        const char *url;          /* of the server: "https://plane.example.org" */
        const char *token_file;
        const char *workspace; /* its slug */
        const char *project;   /* UUID; NULL: for plane_projects() and plane_me() only */
        const char *segment;   /* "work-items", or "issues" of servers before 1.1 */
};

struct plane *plane_new(const struct plane_config *cfg);
void plane_free(struct plane *plane); /* every call must be gone; NULL is fine */

enum plane_parts { PLANE_ITEM = 0, PLANE_BLOCKED_BY = 1, PLANE_COMMENTS = 2 };

struct plane_call *plane_item(struct plane *plane, const char *item, unsigned parts, port_json_fn *fn,
                              void *arg);
/* A page of the project's items, the last changed first; cursor NULL: the first page. */
struct plane_call *plane_items(struct plane *plane, const char *cursor, port_json_fn *fn, void *arg);
struct plane_call *plane_states(struct plane *plane, port_json_fn *fn, void *arg);
struct plane_call *plane_board(struct plane *plane, port_json_fn *fn, void *arg);
struct plane_call *plane_labels(struct plane *plane, port_json_fn *fn, void *arg);
struct plane_call *plane_project(struct plane *plane, port_json_fn *fn, void *arg);
struct plane_call *plane_projects(struct plane *plane, port_json_fn *fn, void *arg);
struct plane_call *plane_me(struct plane *plane, port_json_fn *fn, void *arg);
/* Unless the item is in one of the states `keep` (separated by blanks; "": none), which a person has set.
 * PORT_CONFLICT: it is, or the server took the request and left the state as it was. */
struct plane_call *plane_set_state(struct plane *plane, const char *item, const char *state, const char *keep,
                                   port_json_fn *fn, void *arg);
/* Plain text; `marker` names the comment: a second one of the same name is found instead of made. */
struct plane_call *plane_comment(struct plane *plane, const char *item, const char *marker, const char *text,
                                 port_json_fn *fn, void *arg);
void plane_cancel(struct plane_call *call); /* no callback; NULL is fine */

/* Comments of ours carry this as their external source. */
#define PLANE_SOURCE "orchestrator"
