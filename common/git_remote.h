/*
 * git_remote.h - a repository that is not ours: how git is told to ask it, and what its failure says of it.
 *
 * A token reaches git by its environment alone: it is in no argument, no file and no configuration, and is
 * read anew for each command. Redirects are not followed (git.c), so that it goes to the server it is for.
 */
#pragma once

#include <stdbool.h>

#include "common/argv.h"
#include "common/port.h"

/* Borrowed strings. */
struct git_remote {
        const char *url;        /* a path; or https://, or http:// to a host for which that is allowed */
        const char *token_file; /* of a server that wants one; else NULL */
        const char *branch; /* that it has: an answer without it is taken for none (git reads the word of any
                               server as an old kind of list); NULL: not known */
};

/* PORT_OK: *ret_protocol is the one that git may speak (NULL: those of the caller), and `env` has the token.
 * PORT_DENIED: the token cannot be read; PORT_REFUSED: the address is none that we ask. */
enum port_outcome git_remote_prepare(const struct git_remote *remote, const char *plain_hosts,
                                     struct argv *env, const char **ret_protocol, struct errinfo *err);
/* Whether it is asked over a network. */
bool git_remote_is_away(const struct git_remote *remote);
/* Pure. What git has said about a server: PORT_DENIED, PORT_FORBIDDEN, PORT_NOT_FOUND,
 * PORT_REFUSED, PORT_LIMITED, PORT_UNAVAILABLE; PORT_OK: nothing, so that the fault is elsewhere. */
enum port_outcome git_remote_said(const char *text);
