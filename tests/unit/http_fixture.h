/* http_fixture.h - an HTTP client and its peer on one loop, and what tests of the client do with them. */
#pragma once

#include "common/http_client.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"
#include "tests/unit/http_peer.h"
#include "tests/unit/loop_wait.h"

#define PATIENT_MS         9000 /* less than loop_wait() has */
#define HASTY_MS           300

#define OK(body_len, body) "HTTP/1.1 200 OK\r\nContent-Length: " body_len "\r\n\r\n" body

struct fixture {
        struct loop *loop;
        struct http_peer peer;
        struct http_client *client;
        /* of the last answer */
        bool answered;
        unsigned n_answers;
        struct http_answer answer;
        struct strbuf body;
        struct http_request *cancel_in_callback;
        bool free_in_callback;
};

int http_setup(void **state); /* a patient client that takes answers of up to 1000 bytes */
int http_teardown(void **state);
/* Replaces the client. */
void make_client(struct fixture *f, size_t max_response_bytes, int64_t timeout_ms);
struct http_request *start(struct fixture *f, const char *method, const char *url, const char *body);
void await(struct fixture *f);                                         /* the next answer */
void request(struct fixture *f, const char *method, const char *body); /* start to the peer, and await */
void assert_ended(const struct fixture *f, enum http_outcome outcome, const char *code);
void on_answer(void *arg, const struct http_answer *answer);
