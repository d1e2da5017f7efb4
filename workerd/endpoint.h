/*
 * endpoint.h - a service outside as a claim names it, and the adapters that ask it.
 */
#pragma once

#include <stdint.h>

#include "common/err.h"

struct gitea;
struct http_client;
struct json;
struct notifier;
struct plane;

/* Borrows from the JSON that it was read from. */
struct endpoint {
        const char *kind; /* "plane", "gitea", "telegram" */
        const char *url, *token_file;
        const char *workspace, *segment, *project; /* plane */
        const char *repo;                          /* gitea */
        int64_t chat, thread;                      /* telegram */
};

/* 0; -EINVAL with the reason: something that every endpoint of its kind has is missing. */
int endpoint_read(struct endpoint *ret, const struct json *v, struct errinfo *err);
/* Each for an endpoint of its kind; the caller frees it. */
struct plane *endpoint_plane(const struct endpoint *e, struct http_client *http);
struct gitea *endpoint_gitea(const struct endpoint *e, struct http_client *http);
struct notifier *endpoint_notifier(const struct endpoint *e, struct http_client *http);
