/*
 * gate.h - lets a request in by its bearer token, or answers it: 401, or 429 when its peer has had too many
 * tokens that are none. No token, nor a part of one, is ever logged or answered.
 */
#pragma once

#include <stdbool.h>

struct gate;
struct http_conn;
struct loop;
struct token;
struct tokens;

struct gate *gate_new(struct loop *loop);
void gate_free(struct gate *g); /* NULL is fine */
/* Whom it lets in from now on; borrows the tokens. */
void gate_configure(struct gate *g, const struct tokens *tokens);
/* The token of the request, borrowed until the next gate_configure(); or NULL, and the request is answered.
 */
const struct token *gate_admit(struct gate *g, struct http_conn *c);
