/*
 * http_client.c - libcurl's multi handle on the loop.
 *
 * libcurl says through two callbacks which sockets and which one moment it waits for; they only set watches,
 * and never call back into it. What has finished is taken from its queue after each action, and the owners
 * are called from a timer of their own, one per turn of the loop: a callback may start, cancel and free
 * anything.
 */
#include <stdlib.h>

#include "common/http_internal.h"
#include "common/loop.h"
#include "common/mem.h"

#define CONNECTIONS_PER_HOST 8
#define CONNECTIONS_KEPT     16

static void act(struct http_client *c, curl_socket_t socket, int events);

/* ---- libcurl asks ---- */

static void on_io(void *arg, int fd, unsigned events)
{
        act(arg, fd,
            ((events & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
                    ((events & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *arg)
{
        act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_watch_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
        struct http_client *c = arg;
        struct loop_io *io = socket_arg;
        (void)easy;
        if (what == CURL_POLL_REMOVE) {
                loop_io_free(io);
                return 0;
        }
        unsigned events = ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0u) |
                          ((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0u);
        if (io != NULL) {
                loop_io_set(io, events);
                return 0;
        }
        io = loop_io_new(c->loop, fd, events, on_io, c);
        (void)curl_multi_assign(c->multi, fd, io); /* the one call that is meant for this place */
        return 0;
}

static int on_timer_wanted(CURLM *multi, long delay_ms, void *arg)
{
        struct http_client *c = arg;
        (void)multi;
        if (delay_ms < 0)
                loop_timer_disarm(c->timer);
        else
                loop_timer_arm(c->timer, delay_ms);
        return 0;
}

/* ---- we act ---- */

static void must(CURLMcode code)
{
        if (code != CURLM_OK)
                abort(); /* an option that this libcurl does not have, or no memory */
}

static void open_multi(struct http_client *c)
{
        c->multi = curl_multi_init();
        if (c->multi == NULL)
                abort(); /* out of memory */
        must(curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_watch_wanted));
        must(curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c));
        must(curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted));
        must(curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c));
        must(curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST));
        must(curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT));
}

static void close_multi(struct http_client *c)
{
        (void)curl_multi_cleanup(c->multi); /* takes its watches away through the callback */
        c->multi = NULL;
        loop_timer_disarm(c->timer);
}

static void collect_finished(struct http_client *c)
{
        const CURLMsg *msg;
        int left;
        while ((msg = curl_multi_info_read(c->multi, &left)) != NULL) {
                if (msg->msg != CURLMSG_DONE)
                        continue;
                struct http_request *r;
                CURLcode code = msg->data.result; /* gone with the handle's removal */
                (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&r);
                (void)curl_multi_remove_handle(c->multi, msg->easy_handle); /* it is in there */
                http_request_ended(r, code);
        }
}

/* After an error of its own the handle cannot be trusted: a new one takes its place, and the requests fail.
 */
static void replace_multi(struct http_client *c)
{
        struct http_request *r;
        while ((r = http_request_next(&c->running)) != NULL) {
                (void)curl_multi_remove_handle(c->multi,
                                               http_request_easy(r)); /* nothing to be done if it fails */
                http_request_ended(r, CURLE_FAILED_INIT);
        }
        close_multi(c);
        open_multi(c);
}

static void act(struct http_client *c, curl_socket_t socket, int events)
{
        int running;
        CURLMcode code = curl_multi_socket_action(c->multi, socket, events, &running);
        collect_finished(c);
        if (code != CURLM_OK)
                replace_multi(c);
}

static void on_soon(void *arg)
{
        struct http_client *c = arg;
        struct http_request *r = http_request_next(&c->done);
        if (r == NULL)
                return;
        loop_timer_soon(c->soon); /* perhaps for nothing */
        http_request_deliver(r);
}

/* ---- the interface ---- */

/* The environment must not decide who reads along, nor where requests go. */
static void init_library(void)
{
        static bool done;
        if (done)
                return;
        done = true;
        (void)unsetenv("SSLKEYLOGFILE"); /* fails only for a malformed name */
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                abort(); /* no memory, or no working TLS library: nothing to go on with */
}

int http_client_new(struct loop *loop, const struct http_client_config *cfg, struct http_client **ret)
{
        struct http_client *c = xmalloc(sizeof(*c));
        init_library();
        *c = (struct http_client){.loop = loop, .cfg = *cfg};
        c->cfg.allow_plain_hosts = cfg->allow_plain_hosts != NULL ? xstrdup(cfg->allow_plain_hosts) : NULL;
        TAILQ_INIT(&c->running);
        TAILQ_INIT(&c->done);
        c->timer = loop_timer_new(loop, on_timer, c);
        c->soon = loop_timer_new(loop, on_soon, c);
        open_multi(c);
        *ret = c;
        return 0;
}

void http_client_free(struct http_client *c)
{
        struct http_request *r;
        if (c == NULL)
                return;
        while ((r = http_request_next(&c->running)) != NULL || (r = http_request_next(&c->done)) != NULL)
                http_request_cancel(r);
        close_multi(c);
        loop_timer_free(c->timer);
        loop_timer_free(c->soon);
        free((char *)c->cfg.allow_plain_hosts);
        free(c);
}

struct loop *http_client_loop(const struct http_client *c)
{
        return c->loop;
}
