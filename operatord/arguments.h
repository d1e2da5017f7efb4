/*
 * arguments.h - what a request says beside its path: the parameters of its query and the members of its JSON
 * body, as two JSON objects that have no name in common. Pure.
 *
 * The query is name=value&name=value, percent-encoded, a plus being a blank as in forms. Whatever could be
 * read in two ways is refused: a name that comes twice, in the query or in both, a pair without '=', an
 * escape that is none, bytes that are no UTF-8, a body that is no object.
 */
#pragma once

#include "common/err.h"
#include "common/strbuf.h"

#define ARGUMENTS_MAX        64
#define ARGUMENTS_NAME_BYTES 64
#define ARGUMENTS_BODY_BYTES 65536

struct arguments {
        struct strbuf query; /* a JSON object whose values are strings */
        struct strbuf body;  /* the body as it came, or "{}" */
};

#define ARGUMENTS_INIT                                                                                       \
        {                                                                                                    \
                .query = STRBUF_INIT, .body = STRBUF_INIT                                                    \
        }

/* `query` may be NULL. 0; -EINVAL with a reason in `err` that is for the client to read. `ret` is to be
 * ARGUMENTS_INIT, and to be freed in either case. */
int arguments_read(const char *query, const char *body, size_t body_len, struct arguments *ret,
                   struct errinfo *err);
void arguments_deinit(struct arguments *a);
