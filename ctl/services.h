/*
 * services.h - services outside, asked by a command: one question after the other, each waited for and
 * bounded in time. The daemons ask by the same adapters (common/plane.h, common/gitea.h), from their loops.
 *
 *     (void)plane_project(plane, services_answer, s);
 *     if (services_wait(s) == PORT_OK)
 *             ... services_json(s)
 */
#pragma once

#include <stdint.h>

#include "common/port.h"

struct options;
struct services;
struct json;
struct http_client;
struct rest_answer;

/* Plain HTTP only to the option http_plain_hosts of `opt`, which is borrowed. NULL, with the reason in `err`.
 */
struct services *services_new(const struct options *opt, int64_t timeout_ms, struct errinfo *err);
void services_free(struct services *s); /* NULL is fine */
struct http_client *services_http(struct services *s);
struct loop *services_loop(struct services *s);

/* Whether that address is asked at all: 0, or -EINVAL with the reason. */
int services_check_url(const struct services *s, const char *url, struct errinfo *err);

/* What a question is started with: port_json_fn and port_json_fn; and rest_answer_fn. */
void services_answer(void *arg, const struct port_answer *answer, const char *json);
void services_rest_answer(void *arg, const struct rest_answer *answer);

/* Runs the loop until the question that was started is answered. */
enum port_outcome services_wait(struct services *s);
enum port_outcome services_outcome(const struct services *s); /* of the last answer; so are these: */

const struct json *
services_json(const struct services *s); /* NULL: there is none; valid until the next one */
const char *services_why(const struct services *s);
/* What a person can do about an outcome; NULL for PORT_OK. */
const char *services_mend(enum port_outcome outcome);
