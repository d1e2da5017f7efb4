/*
 * acts.h - what people ask for over HTTP, passed on to orch.http_act(), which knows the routes, and what it
 * answers.
 *
 * An answer that was lost is told as what it is: unknown. Every act may be repeated, so that is what its
 * client should do.
 */
#pragma once

struct acts;
struct db;
struct http_conn;
struct loop;
struct token;

struct acts *acts_new(struct loop *loop, struct db *db); /* borrows the connection */
void acts_free(struct acts *a); /* every request must have been answered or dropped; NULL is fine */
/* Takes a complete request of somebody who was let in, and answers it, sooner or later. */
void acts_accept(struct acts *a, struct http_conn *conn, const struct token *token);
