/* http_fixture.c - see http_fixture.h. */
#include "tests/unit/http_fixture.h"

#include <stdlib.h>
#include <string.h>

void make_client(struct fixture *f, size_t max_response_bytes, int64_t timeout_ms)
{
        const struct http_client_config cfg = {.connect_timeout_ms = timeout_ms,
                                               .total_timeout_ms = timeout_ms,
                                               .max_response_bytes = max_response_bytes,
                                               .allow_plain_hosts = f->peer.host_port};
        http_client_free(f->client);
        assert_int_equal(http_client_new(f->loop, &cfg, &f->client), 0);
}

int http_setup(void **state)
{
        struct fixture *f = xcalloc(1, sizeof(*f));
        f->body = (struct strbuf)STRBUF_INIT;
        assert_int_equal(loop_new(&f->loop), 0);
        http_peer_init(&f->peer, f->loop);
        make_client(f, 1000, PATIENT_MS);
        *state = f;
        return 0;
}

int http_teardown(void **state)
{
        struct fixture *f = *state;
        http_client_free(f->client);
        http_peer_deinit(&f->peer);
        loop_free(f->loop);
        strbuf_deinit(&f->body);
        free(f);
        return 0;
}

void on_answer(void *arg, const struct http_answer *answer)
{
        struct fixture *f = arg;
        f->answered = true;
        f->n_answers++;
        f->answer = *answer;
        strbuf_reset(&f->body);
        if (answer->body != NULL)
                strbuf_add(&f->body, answer->body->buf, answer->body->len);
        if (f->cancel_in_callback != NULL)
                http_request_cancel(take_ptr(f->cancel_in_callback));
        if (f->free_in_callback)
                http_client_free(take_ptr(f->client));
}

struct http_request *start(struct fixture *f, const char *method, const char *url, const char *body)
{
        const struct http_spec spec = {
                .method = method, .url = url, .body = body, .body_len = body != NULL ? strlen(body) : 0};
        struct errinfo err = ERRINFO_INIT;
        struct http_request *r = http_request_start(f->client, &spec, on_answer, f, &err);
        if (r == NULL)
                fail_msg("%s", err.text);
        return r;
}

void await(struct fixture *f)
{
        f->answered = false;
        if (!loop_wait(f->loop, &f->answered))
                fail_msg("no answer");
}

void request(struct fixture *f, const char *method, const char *body)
{
        start(f, method, f->peer.url, body);
        await(f);
}

void assert_ended(const struct fixture *f, enum http_outcome outcome, const char *code)
{
        if (f->answer.outcome != outcome || strcmp(f->answer.err.code, code) != 0)
                fail_msg("outcome %d, %s: %s", (int)f->answer.outcome, f->answer.err.code,
                         f->answer.err.text);
        assert_int_equal(f->answer.err.text[0] != '\0', outcome != HTTP_ANSWERED);
}
