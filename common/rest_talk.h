/*
 * rest_talk.h - a call of an adapter that takes one request or several: each is followed by a step that asks
 * again or ends the call, with one JSON object in words of ours.
 *
 * The first member of the adapter's own call, to which every step's `arg` points. Ending frees the call and
 * then answers: a step that has ended it returns.
 */
#pragma once

#include <stdbool.h>

#include "common/port.h"
#include "common/rest.h"

struct rest_talk {
        struct rest *rest;        /* borrowed */
        struct rest_call *call;   /* NULL between two requests */
        struct json_out *out;     /* the answer so far; its object is open */
        void (*free)(void *call); /* of the adapter: what it has beside this, and the call itself */
        port_json_fn *fn;
        void *arg;
};

void rest_talk_init(struct rest_talk *talk, struct rest *rest, void (*free)(void *call), port_json_fn *fn,
                    void *arg);
void rest_talk_cancel(struct rest_talk *talk); /* no callback; NULL is fine */
void rest_talk_ask(struct rest_talk *talk, const char *method, const char *path, struct json_out *body,
                   rest_answer_fn *step);
/* First in each step. False: it was not PORT_OK, and has ended the call. */
bool rest_talk_took(struct rest_talk *talk, const struct rest_answer *answer);
/* First in a step for which other answers are good as well. */
void rest_talk_heard(struct rest_talk *talk);
/* Each ends the call. */
void rest_talk_done(struct rest_talk *talk);
void rest_talk_end(struct rest_talk *talk, const struct port_answer *port);
void rest_talk_fail(struct rest_talk *talk, enum port_outcome outcome, const char *why);
