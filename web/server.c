/* server.c - see server.h. */
#include "web/server.h"

#include <assert.h>
#include <errno.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "web/peer.h"

enum { ACCEPT_PAUSE_MS = 1000, WARN_EVERY_MS = 1000 };

/* One open connection and what the server knows about it. */
struct slot {
        struct http_server *server;
        struct http_conn *conn;
        struct peer peer;
        LIST_ENTRY(slot) link;
};

LIST_HEAD(slot_list, slot);

struct http_server {
        struct http_server_config cfg;
        struct evconnlistener *listener; /* NULL: stopped */
        bool begun;
        struct loop_timer *pause; /* armed: accepting failed, and is tried again */
        struct slot_list slots;
        unsigned n_slots;
        int spare_fd; /* given up for a moment to accept, and close, one connection when descriptors have run
                         out */
        int64_t warned_ms;
};

/* Once begun, accepting is on exactly when there is room and no pause. */
static void set_accepting(struct http_server *s)
{
        if (s->listener == NULL || !s->begun)
                return;
        if (s->n_slots < s->cfg.conn.limits->connections && !loop_timer_armed(s->pause))
                (void)evconnlistener_enable(s->listener);
        else
                (void)evconnlistener_disable(s->listener);
}

static void on_conn_closed(void *arg)
{
        struct slot *slot = arg;
        struct http_server *s = slot->server;
        LIST_REMOVE(slot, link);
        free(slot);
        s->n_slots--;
        set_accepting(s);
        s->cfg.on_change(s->cfg.arg);
}

/* A walk over all connections: a few hundred, and only at accept. */
static unsigned open_of_peer(const struct http_server *s, const struct peer *peer)
{
        unsigned n = 0;
        for (const struct slot *slot = LIST_FIRST(&s->slots); slot != NULL; slot = LIST_NEXT(slot, link))
                n += peer_same(&slot->peer, peer);
        return n;
}

/* Whether a warning may be logged now: whoever floods the port must not flood the log. */
static bool may_warn(struct http_server *s)
{
        int64_t now = loop_now_ms(s->cfg.conn.loop);
        if (s->warned_ms != 0 && now - s->warned_ms < WARN_EVERY_MS)
                return false;
        s->warned_ms = now;
        return true;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int len,
                      void *arg)
{
        struct http_server *s = arg;
        struct peer peer;
        (void)listener;
        (void)len;
        peer_init(&peer, addr);
        metrics_count(METRIC_HTTP_CONNECTIONS, 1);
        if (open_of_peer(s, &peer) >= s->cfg.conn.limits->per_peer) {
                (void)close(fd);
                metrics_count(METRIC_HTTP_ABORTED, 1);
                if (may_warn(s))
                        log_warning(EV("http.peer-limit"), LF_S("listener", s->cfg.name),
                                    LF_S("peer", peer.text), LF_I("limit", s->cfg.conn.limits->per_peer));
                return;
        }
        struct slot *slot = xcalloc(1, sizeof(*slot));
        slot->server = s;
        slot->peer = peer;
        LIST_INSERT_HEAD(&s->slots, slot, link);
        s->n_slots++;
        slot->conn = http_conn_new(&s->cfg.conn, fd, &peer, on_conn_closed, slot);
        set_accepting(s);
        s->cfg.on_change(s->cfg.arg);
}

static int open_spare(void)
{
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptor is left. A connection that nobody accepts would keep the listener readable, and the loop
 * spinning: so one is accepted with the spare descriptor and closed. Without a spare, accepting pauses. */
static void shed_one(struct http_server *s)
{
        if (s->spare_fd >= 0)
                (void)close(s->spare_fd);
        int fd = accept4(evconnlistener_get_fd(s->listener), NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
                (void)close(fd);
        s->spare_fd = open_spare();
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
        struct http_server *s = arg;
        int error = EVUTIL_SOCKET_ERROR();
        (void)listener;
        if (may_warn(s))
                log_warning(EV("http.accept-failed"), LF_S("listener", s->cfg.name), LF_ERRNO(error));
        if (error == EMFILE || error == ENFILE)
                shed_one(s);
        if ((error != EMFILE && error != ENFILE) || s->spare_fd < 0) {
                loop_timer_arm(s->pause, ACCEPT_PAUSE_MS);
                set_accepting(s);
        }
}

static void on_pause_over(void *arg)
{
        struct http_server *s = arg;
        if (s->spare_fd < 0)
                s->spare_fd = open_spare();
        set_accepting(s);
}

int http_server_new(const struct http_server_config *cfg, struct http_server **ret_server)
{
        struct http_server *s = xcalloc(1, sizeof(*s));
        s->cfg = *cfg;
        LIST_INIT(&s->slots);
        s->spare_fd = open_spare();
        s->pause = loop_timer_new(cfg->conn.loop, on_pause_over, s);
        /* Backlog 0: whoever opened the socket has called listen(2). */
        s->listener = evconnlistener_new(loop_base(cfg->conn.loop), on_accept, s,
                                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0,
                                         cfg->fd);
        if (s->listener == NULL) {
                int r = -errno;
                (void)close(cfg->fd);
                http_server_free(s);
                return r < 0 ? r : -EINVAL;
        }
        evconnlistener_set_error_cb(s->listener, on_accept_error);
        *ret_server = s;
        return 0;
}

void http_server_begin(struct http_server *s)
{
        s->begun = true;
        set_accepting(s);
}

void http_server_free(struct http_server *s)
{
        if (s == NULL)
                return;
        http_server_stop(s);
        http_server_drop_all(s);
        loop_timer_free(s->pause);
        if (s->spare_fd >= 0)
                (void)close(s->spare_fd);
        free(s);
}

unsigned http_server_open(const struct http_server *s)
{
        return s->n_slots;
}

void http_server_stop(struct http_server *s)
{
        if (s->listener == NULL)
                return;
        evconnlistener_free(s->listener);
        s->listener = NULL;
}

void http_server_drop_all(struct http_server *s)
{
        struct slot *slot;
        while ((slot = LIST_FIRST(&s->slots)) != NULL)
                http_conn_abort(slot->conn);
}

void http_server_recheck(struct http_server *s)
{
        set_accepting(s);
}
