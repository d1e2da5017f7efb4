/* delivery_meta.h - what is kept of a delivery beside its body: id, deduplication key, and a chosen few
 * headers. */
#pragma once

#include <stddef.h>

#include "web/routes.h"

struct http_parse;
struct strbuf;

/* The sender's delivery id: one header of at most 128 visible ASCII characters. NULL when there is no such
 * thing. */
const char *delivery_id(enum route_target source, const struct http_parse *head);

/*
 * What makes two deliveries the same. Gitea: the delivery id, so that a replay by hand, which has a new one,
 * acts again. Plane: SHA-256 of the body, because its id is new at each attempt. A Gitea delivery without a
 * usable id is known by its body, too.
 */
void delivery_dedup_key(enum route_target source, const struct http_parse *head, const struct strbuf *body,
                        struct strbuf *key);

/* The kept headers as a JSON object, names in lower case. Never the signature or Authorization. */
void delivery_headers(const struct http_parse *head, struct strbuf *json);
