/* http_conn.c - see http_conn.h. */
#include "web/http_conn.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "web/budget.h"
#include "web/http_reply.h"
#include "web/peer.h"

enum {
        READ_AHEAD_BYTES = 16384, /* what the socket may hand us before we have asked for it */
        LINGER_MS = 1000,
};

enum conn_state {
        CONN_HEAD,   /* waits for the end of the head; header_ms from accept */
        CONN_BODY,   /* waits for the end of the body; request_ms from accept */
        CONN_HELD,   /* waits for the owner of the route, who has a deadline of its own */
        CONN_ANSWER, /* waits until the answer has left; write_ms */
        /* Has said that it is done and waits for the peer's end, throwing away what still comes: closing with
         * unread bytes would reset the connection, and the reset could overtake the answer. LINGER_MS. */
        CONN_LINGER,
};

struct http_conn {
        const struct http_conn_config *cfg;
        enum conn_state state;
        struct bufferevent *bev;
        struct loop_timer *deadline;
        int64_t accepted_ms;
        struct peer peer;
        struct http_parse head;
        struct strbuf body;
        struct budget_claim claim;
        const struct route *route;
        void (*on_gone)(void *arg);
        void *gone_arg;
        void (*on_closed)(void *owner);
        void *owner;
};

static const char *state_name(enum conn_state s)
{
        static const char *const names[] = {"head", "body", "held", "answer", "linger"};
        return names[s];
}

static void arm_deadline(struct http_conn *c, int64_t at_ms)
{
        int64_t left = at_ms - loop_now_ms(c->cfg->loop);
        loop_timer_arm(c->deadline, left > 0 ? left : 0);
}

static void set_state(struct http_conn *c, enum conn_state s)
{
        int64_t now = loop_now_ms(c->cfg->loop);
        assert(s > c->state || s == CONN_HEAD);
        log_debug(EV("http.state"), LF_S("peer", http_conn_peer(c)), LF_S("state", state_name(s)));
        c->state = s;
        switch (s) {
        case CONN_HEAD:
                arm_deadline(c, c->accepted_ms + c->cfg->limits->header_ms);
                break;
        case CONN_BODY:
                arm_deadline(c, c->accepted_ms + c->cfg->limits->request_ms);
                break;
        case CONN_HELD:
                loop_timer_disarm(c->deadline);
                break;
        case CONN_ANSWER:
                arm_deadline(c, now + c->cfg->limits->write_ms);
                break;
        case CONN_LINGER:
                arm_deadline(c, now + LINGER_MS);
                break;
        }
        /* While the answer is made or on its way nothing is read: what follows a request is nobody's. */
        if (s == CONN_HELD || s == CONN_ANSWER)
                (void)bufferevent_disable(c->bev, EV_READ);
        else
                (void)bufferevent_enable(c->bev, EV_READ);
}

static void give_body_back(struct http_conn *c)
{
        strbuf_deinit(&c->body);
        budget_return(c->cfg->budget, &c->claim);
}

static void conn_free(struct http_conn *c)
{
        give_body_back(c);
        bufferevent_free(c->bev); /* closes the socket */
        loop_timer_free(c->deadline);
        http_parse_deinit(&c->head);
        free(c);
}

/* Ends the connection in any state and tells everyone who waits for it. */
static void conn_end(struct http_conn *c)
{
        void (*on_gone)(void *) = c->on_gone;
        void (*on_closed)(void *) = c->on_closed;
        void *gone_arg = c->gone_arg, *owner = c->owner;
        if (c->state < CONN_ANSWER)
                metrics_count(METRIC_HTTP_ABORTED, 1);
        conn_free(c);
        if (on_gone != NULL)
                on_gone(gone_arg);
        on_closed(owner);
}

void http_conn_abort(struct http_conn *c)
{
        conn_end(c);
}

void http_conn_drop(struct http_conn *c)
{
        c->on_gone = NULL; /* it is the holder that drops */
        conn_end(c);
}

static void count_answer(int status)
{
        metrics_count(status >= 500 ? METRIC_HTTP_5XX : status >= 400 ? METRIC_HTTP_4XX : METRIC_HTTP_2XX, 1);
}

void http_conn_reply(struct http_conn *c, const struct http_reply *reply)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        assert(c->state < CONN_ANSWER);
        c->on_gone = NULL;
        http_reply_write(&text, reply, c->head.method == HTTP_METHOD_HEAD, time(NULL));
        give_body_back(c);
        count_answer(reply->status);
        set_state(c, CONN_ANSWER);
        (void)bufferevent_write(c->bev, text.buf,
                                text.len); /* fails only when out of memory: then the deadline ends it */
}

static void refuse(struct http_conn *c, enum http_refusal refusal)
{
        const struct http_reply reply = {.status = http_refusal_status(refusal)};
        log_debug(EV("http.refused"), LF_S("peer", http_conn_peer(c)),
                  LF_S("reason", http_refusal_name(refusal)));
        http_conn_reply(c, &reply);
}

static void finish_request(struct http_conn *c)
{
        set_state(c, CONN_HELD);
        c->cfg->on_request(c->cfg->arg, c); /* may end the connection */
}

static void read_body(struct http_conn *c)
{
        struct evbuffer *in = bufferevent_get_input(c->bev);
        size_t want = (size_t)c->head.content_length - c->body.len;
        size_t n = evbuffer_get_length(in) < want ? evbuffer_get_length(in) : want;
        if (n == 0 || c->claim.waiting || !budget_take(c->cfg->budget, &c->claim, (int64_t)n))
                return; /* on_room goes on; meanwhile the full input buffer stops the sender */
        strbuf_reserve(&c->body, n);
        int got = evbuffer_remove(in, c->body.buf + c->body.len, n);
        assert(got == (int)n);
        c->body.len += n;
        c->body.buf[c->body.len] = '\0';
        if (n == want)
                finish_request(c);
}

static void start_body(struct http_conn *c)
{
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        set_state(c, CONN_BODY);
        if (c->head.content_length <= 0) {
                finish_request(c);
                return;
        }
        if (c->head.expect_continue && c->head.minor >= 1)
                (void)bufferevent_write(c->bev, go_on, sizeof(go_on) - 1);
        read_body(c);
}

static void read_head(struct http_conn *c)
{
        struct evbuffer *in = bufferevent_get_input(c->bev);
        enum http_parse_outcome outcome = HTTP_PARSE_MORE;
        while (outcome == HTTP_PARSE_MORE && evbuffer_get_length(in) > 0) {
                size_t used, n = evbuffer_get_contiguous_space(in);
                outcome = http_parse_feed(&c->head, evbuffer_pullup(in, (ev_ssize_t)n), n, &used);
                (void)evbuffer_drain(in, used);
        }
        if (outcome == HTTP_PARSE_REFUSED)
                refuse(c, c->head.refusal);
        else if (outcome == HTTP_PARSE_DONE && c->cfg->on_head(c->cfg->arg, c))
                start_body(c);
}

static void on_room(void *arg)
{
        read_body(arg);
}

static void on_read(struct bufferevent *bev, void *arg)
{
        struct http_conn *c = arg;
        if (c->state == CONN_HEAD)
                read_head(c);
        else if (c->state == CONN_BODY)
                read_body(c);
        else
                (void)evbuffer_drain(bufferevent_get_input(bev), SIZE_MAX);
}

/* Everything is written; also called behind an interim 100, which ends nothing. */
static void on_written(struct bufferevent *bev, void *arg)
{
        struct http_conn *c = arg;
        if (c->state != CONN_ANSWER)
                return;
        (void)shutdown(bufferevent_getfd(bev), SHUT_WR);
        set_state(c, CONN_LINGER);
        on_read(bev, c);
}

/* The peer has sent its last byte. What it sent may still be a whole request that waits for room. */
static bool can_still_complete(const struct http_conn *c)
{
        if (c->state != CONN_BODY)
                return c->state == CONN_HELD || c->state == CONN_ANSWER;
        size_t here = c->body.len + evbuffer_get_length(bufferevent_get_input(c->bev));
        return here >= (size_t)c->head.content_length;
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
        struct http_conn *c = arg;
        (void)bev;
        if ((what & BEV_EVENT_ERROR) != 0 || ((what & BEV_EVENT_EOF) != 0 && !can_still_complete(c)))
                conn_end(c);
}

static void on_deadline(void *arg)
{
        struct http_conn *c = arg;
        log_debug(EV("http.deadline"), LF_S("state", state_name(c->state)), LF_S("peer", http_conn_peer(c)));
        conn_end(c);
}

struct http_conn *http_conn_new(const struct http_conn_config *cfg, int fd, const struct peer *peer,
                                void (*on_closed)(void *owner), void *owner)
{
        struct http_conn *c = xcalloc(1, sizeof(*c));
        c->cfg = cfg;
        c->peer = *peer;
        c->on_closed = on_closed;
        c->owner = owner;
        c->body = (struct strbuf)STRBUF_INIT;
        c->claim = (struct budget_claim){.on_room = on_room, .arg = c};
        c->accepted_ms = loop_now_ms(cfg->loop);
        http_parse_init(&c->head, &cfg->limits->head);
        c->deadline = loop_timer_new(cfg->loop, on_deadline, c);
        c->bev = bufferevent_socket_new(loop_base(cfg->loop), fd, BEV_OPT_CLOSE_ON_FREE);
        if (c->bev == NULL)
                abort(); /* out of memory, as everywhere */
        bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
        bufferevent_setwatermark(c->bev, EV_READ, 0, READ_AHEAD_BYTES);
        set_state(c, CONN_HEAD);
        return c;
}

const char *http_conn_peer(const struct http_conn *c)
{
        return c->peer.text;
}

const struct peer *http_conn_peer_id(const struct http_conn *c)
{
        return &c->peer;
}

const struct http_parse *http_conn_head(const struct http_conn *c)
{
        return &c->head;
}

const struct strbuf *http_conn_body(const struct http_conn *c)
{
        return &c->body;
}

void http_conn_set_route(struct http_conn *c, const struct route *route)
{
        c->route = route;
}

const struct route *http_conn_route(const struct http_conn *c)
{
        return c->route;
}

void http_conn_hold(struct http_conn *c, void (*on_gone)(void *arg), void *arg)
{
        assert(c->state == CONN_HELD);
        c->on_gone = on_gone;
        c->gone_arg = arg;
}
