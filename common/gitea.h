/*
 * gitea.h - one repository of a Gitea server, as it is asked over its API (v1, 1.21 and later).
 *
 * What it answers is one JSON object in words of ours:
 *
 *     gitea_user      {"login","admin"}
 *     gitea_repo      {"full_name","default_branch","archived","push","admin","clone_url"}
 *     gitea_branch    {"branch","sha","protected"}
 *     gitea_branches  {"branches":[as above]}
 *     gitea_statuses  {"sha","statuses":[{"context","state","description","url"}]}
 *     gitea_pull      {"number","state","merged","draft","mergeable","branch","head","base",
 *                      "merge_sha","url"}
 *     gitea_reviews   {"reviews":[{"id","state","sha","login","official","stale","dismissed"}]}
 *     gitea_hooks     {"hooks":[{"id","url","active","events":[name],"content_type"}]}
 *
 * Statuses are the newest of each context, of all pages, in states as Gitea spells them. None at all is an
 * empty list, and never green.
 *
 * Acts that create find what is there already. What must not happen to the default branch is refused in
 * forge.c, before anything here is asked.
 */
#pragma once

#include <stdint.h>

#include "common/port.h"

struct http_client;
struct gitea;
struct gitea_call;

struct gitea_config {
        struct http_client *http; /* borrowed; everything else is copied */
        const char *url;          /* of the server: "https://git.example.org" */
        const char *token_file;
        const char *repo; /* "owner/name" */
};

struct gitea *gitea_new(const struct gitea_config *cfg);
void gitea_free(struct gitea *gitea); /* every call must be gone; NULL is fine */

struct gitea_call *gitea_user(struct gitea *gitea, port_json_fn *fn, void *arg);
struct gitea_call *gitea_repo(struct gitea *gitea, port_json_fn *fn, void *arg);
struct gitea_call *gitea_branch(struct gitea *gitea, const char *branch, port_json_fn *fn, void *arg);
struct gitea_call *gitea_branches(struct gitea *gitea, port_json_fn *fn, void *arg);
/* One that is gone already is PORT_OK. */
struct gitea_call *gitea_delete_branch(struct gitea *gitea, const char *branch, port_json_fn *fn, void *arg);
struct gitea_call *gitea_statuses(struct gitea *gitea, const char *sha, port_json_fn *fn, void *arg);
struct gitea_call *gitea_pull(struct gitea *gitea, int64_t number, port_json_fn *fn, void *arg);
/* The open pull request of a branch into `base`, else the last one that was merged; PORT_NOT_FOUND: none. */
struct gitea_call *gitea_find_pull(struct gitea *gitea, const char *branch, const char *base,
                                   port_json_fn *fn, void *arg);
struct gitea_call *gitea_open_pull(struct gitea *gitea, const char *branch, const char *base,
                                   const char *title, const char *body, port_json_fn *fn, void *arg);
/* Asks for a merge commit of exactly this head. PORT_OK: merged, by this call or before; the answer is
 * gitea_pull's. PORT_CONFLICT: it does not merge, or the head has moved; PORT_REFUSED: a rule is against it;
 * PORT_UNAVAILABLE: not now. After whatever was said, it is looked at before this answers. */
struct gitea_call *gitea_merge(struct gitea *gitea, int64_t number, const char *head, const char *title,
                               port_json_fn *fn, void *arg);
struct gitea_call *gitea_reviews(struct gitea *gitea, int64_t number, port_json_fn *fn, void *arg);
/* A comment that ends in a hidden `marker`; one that has it already is found. */
struct gitea_call *gitea_comment(struct gitea *gitea, int64_t number, const char *marker, const char *text,
                                 port_json_fn *fn, void *arg);
struct gitea_call *gitea_hooks(struct gitea *gitea, port_json_fn *fn, void *arg);
/* Makes a hook for all the events that we hear. `secret` is in the body and nowhere else. */
struct gitea_call *gitea_make_hook(struct gitea *gitea, const char *url, const char *secret, port_json_fn *fn,
                                   void *arg);
struct gitea_call *gitea_delete_hook(struct gitea *gitea, int64_t hook, port_json_fn *fn, void *arg);
void gitea_cancel(struct gitea_call *call); /* no callback; NULL is fine */
