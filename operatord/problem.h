/*
 * problem.h - errors that the operator port finds itself, as RFC 9457 writes them. The view orch.problem
 * lists all problems, these among them; a test compares.
 */
#pragma once

struct http_conn;

/* Identifier, status, last part of the type, title. */
#define PROBLEMS(X)                                                                                          \
        X(PARAMETER, 400, "parameter", "The parameters are not those of the act")                            \
        X(UNAUTHORIZED, 401, "unauthorized", "A bearer token is needed")                                     \
        X(LIMITED, 429, "limited", "Too many tokens that are none")                                          \
        X(INTERNAL, 500, "internal", "It went wrong")                                                        \
        X(BUSY, 503, "busy", "Somebody else is at it")                                                       \
        X(UNAVAILABLE, 503, "unavailable", "The database does not answer")                                   \
        X(UNKNOWN, 503, "unknown", "It is not known whether it was done")

enum problem {
#define X(id, status, key, title) PROBLEM_##id,
        PROBLEMS(X)
#undef X
};

struct problem_more {
        const char *detail;
        const char *hint;      /* NULL: none */
        const char *challenge; /* with 401 */
        int retry_after_s;     /* 0: none */
};

int problem_status(enum problem problem);
/* Ends the request. */
void problem_reply(struct http_conn *conn, enum problem problem, const struct problem_more *more);
