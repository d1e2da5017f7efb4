/* webhookd.c - see webhookd.h. */
#include "webhookd/webhookd.h"

#include <stdlib.h>

#include "common/contract.h"
#include "common/daemon.h"
#include "common/daemon_db.h"
#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/process_row.h"
#include "web/budget.h"
#include "web/http_reply.h"
#include "webhookd/intake.h"
#include "web/routes.h"
#include "web/server.h"
#include "webhookd/settings.h"
#include "web/status.h"

/* A row of this daemon holds no work, so it beats half as often as those whose beat is also their poll. */
enum { BEAT_FACTOR = 2 };

/* Under the deadline of a page's statement: the server gives up before the connection has to be closed. */
enum { STATUS_STATEMENT_MS = 1800 };

struct webhookd {
        struct daemon *daemon;
        struct settings settings;
        struct budget *budget;
        struct db *intake_db; /* deliveries and the process's row */
        struct db *status_db; /* status pages */
        struct process_row *row;
        struct loop_timer *register_again;
        struct intake *intake;
        struct status *status;
        struct http_server *public_server;
        struct http_server *status_server;
        bool intake_known, status_known; /* how the two connections are: up or down */
        bool leaving;                    /* the drain is over; the row is being ended */
};

static bool is_source_on(void *arg, enum route_target target)
{
        const struct webhookd *w = arg;
        return intake_is_on(w->intake, target);
}

static bool take_head(struct http_conn *c, const struct route_rules *rules)
{
        struct http_reply refusal;
        const struct route *route = routes_match(rules, http_conn_head(c), &refusal);
        http_conn_set_route(c, route);
        if (route == NULL)
                http_conn_reply(c, &refusal);
        return route != NULL;
}

static bool on_public_head(void *arg, struct http_conn *c)
{
        struct webhookd *w = arg;
        const struct route_rules rules = {.listener = ROUTE_PUBLIC,
                                          .max_body_bytes = w->settings.max_body_bytes,
                                          .is_on = is_source_on,
                                          .arg = w};
        return take_head(c, &rules);
}

static bool on_status_head(void *arg, struct http_conn *c)
{
        const struct route_rules rules = {.listener = ROUTE_STATUS};
        (void)arg;
        return take_head(c, &rules);
}

static void on_delivery(void *arg, struct http_conn *c)
{
        struct webhookd *w = arg;
        intake_accept(w->intake, http_conn_route(c)->target, c);
}

static void on_page(void *arg, struct http_conn *c)
{
        struct webhookd *w = arg;
        status_answer(w->status, http_conn_route(c)->target, c);
}

static void on_left(void *arg)
{
        struct webhookd *w = arg;
        daemon_drained(w->daemon);
}

/* Deliveries end first; the status port tells how the drain goes until nothing is left to tell. */
static void drain_on(struct webhookd *w)
{
        if (!daemon_draining(w->daemon) || w->leaving || http_server_open(w->public_server) > 0)
                return;
        http_server_stop(w->status_server);
        if (http_server_open(w->status_server) > 0)
                return;
        w->leaving = true;
        process_row_leave(w->row, on_left, w);
}

static void on_connections(void *arg)
{
        struct webhookd *w = arg;
        if (w->public_server == NULL || w->status_server == NULL)
                return; /* start-up or the end */
        unsigned n = http_server_open(w->public_server) + http_server_open(w->status_server);
        metrics_set(METRIC_HTTP_OPEN, n);
        daemon_busy(w->daemon, n);
        drain_on(w);
}

void webhookd_drain(void *arg, bool quick)
{
        struct webhookd *w = arg;
        http_server_stop(w->public_server);
        if (daemon_replaced(w->daemon))
                http_server_stop(w->status_server); /* who asks wants to know how the others are */
        process_row_drain(w->row);
        if (quick) {
                http_server_drop_all(w->public_server);
                http_server_drop_all(w->status_server);
        }
        drain_on(w);
}

static void apply_settings(struct webhookd *w)
{
        const struct intake_config intake = {
                .timeout_ms = w->settings.intake_timeout_ms,
                .gitea_keys = w->settings.gitea_keys,
                .plane_keys = w->settings.plane_keys,
        };
        intake_configure(w->intake, &intake);
        budget_set_limit(w->budget, w->settings.max_buffered_bytes);
}

void webhookd_reload(void *arg, const struct options *opt)
{
        struct webhookd *w = arg;
        struct settings next;
        struct errinfo err = ERRINFO_INIT;
        if (settings_load(opt, &next, &err) < 0) {
                log_error(EV("webhookd.reload-refused"), LF_ERR(&err),
                          LF_S("then", "the old limits and secrets stay"));
                return;
        }
        struct settings old = w->settings;
        w->settings = next;
        apply_settings(w); /* lets go of the old secrets */
        settings_deinit(&old);
        process_row_set_interval(w->row, BEAT_FACTOR * w->settings.beat_interval_ms);
        http_server_recheck(w->public_server);
}

/* Ready when it is known how both connections are, up or down. Before that nothing is taken from the
 * listeners: they are shared, and another process may be there that can answer at once, or better. */
static void begin_when_known(struct webhookd *w)
{
        if (!w->intake_known || !w->status_known)
                return;
        daemon_ready(w->daemon);
        http_server_begin(w->public_server);
        http_server_begin(w->status_server);
}

static void on_intake_up(void *arg)
{
        struct webhookd *w = arg;
        process_row_up(w->row);
        w->intake_known = true;
        begin_when_known(w);
}

static void on_intake_down(void *arg, const struct errinfo *err)
{
        struct webhookd *w = arg;
        (void)err; /* is in the log */
        w->intake_known = true;
        begin_when_known(w);
}

static void on_status_up(void *arg)
{
        struct webhookd *w = arg;
        w->status_known = true;
        begin_when_known(w);
}

static void on_status_down(void *arg, const struct errinfo *err)
{
        (void)err; /* as above */
        on_status_up(arg);
}

/* Nothing waits for the row: deliveries are taken without it. */
static void on_registered(void *arg)
{
        (void)arg;
}

static struct process_row *row_new(struct webhookd *w);

static void on_register_again(void *arg)
{
        struct webhookd *w = arg;
        if (w->leaving)
                return;
        process_row_free(w->row);
        w->row = row_new(w);
        if (daemon_draining(w->daemon))
                process_row_drain(w->row);
        process_row_up(w->row);
}

/* Taken for dead while it lived. It holds no claims, so nothing that it does could be another's: a new row
 * will do. */
static void on_fenced(void *arg)
{
        struct webhookd *w = arg;
        loop_timer_soon(w->register_again);
}

static struct process_row *row_new(struct webhookd *w)
{
        const struct process_row_config cfg = {
                .host = daemon_host(w->daemon),
                .daemon = "webhookd",
                .beat_interval_ms = BEAT_FACTOR * w->settings.beat_interval_ms,
                .takeover_ms = BEAT_FACTOR * w->settings.beat_interval_ms, /* it holds nothing */
                .on_registered = on_registered,
                .on_fenced = on_fenced,
                .arg = w,
        };
        return process_row_new(daemon_loop(w->daemon), w->intake_db, &cfg);
}

/* Who asks means the suite: once we are replaced, others serve. Connections that we had by then are still
 * ours to answer. */
static bool is_draining(void *arg)
{
        const struct webhookd *w = arg;
        return daemon_draining(w->daemon) && !daemon_replaced(w->daemon);
}

static bool is_intake_up(void *arg)
{
        const struct webhookd *w = arg;
        return db_is_up(w->intake_db);
}

/* A statement that takes too long is ended by the server before its delivery's deadline: then it is known not
 * to be stored, and the connection lives. */
static int connect_intake(struct webhookd *w)
{
        const struct db_config cfg = {
                .statement_timeout_ms = w->settings.intake_timeout_ms * 4 / 5,
                .on_up = on_intake_up,
                .on_down = on_intake_down,
                .arg = w,
        };
        return daemon_db(w->daemon, "", &cfg, &w->intake_db);
}

static int connect_status(struct webhookd *w)
{
        const struct db_config cfg = {
                .statement_timeout_ms = STATUS_STATEMENT_MS,
                .on_up = on_status_up,
                .on_down = on_status_down,
                .arg = w,
        };
        return daemon_db(w->daemon, "-status", &cfg, &w->status_db);
}

static int listen_on(struct webhookd *w, bool is_public, struct http_server **ret_server)
{
        const struct options *opt = daemon_options(w->daemon);
        int fd = is_public ? daemon_listener(w->daemon, CONTRACT_ENV_LISTEN_PUBLIC, opt->listen_public)
                           : daemon_listener(w->daemon, CONTRACT_ENV_LISTEN_STATUS, opt->listen_status);
        if (fd < 0)
                return fd;
        const struct http_server_config cfg = {
                .name = is_public ? "public" : "status",
                .fd = fd,
                .conn = {.loop = daemon_loop(w->daemon),
                         .limits = is_public ? &w->settings.public_limits : &w->settings.status_limits,
                         .budget = w->budget,
                         .on_head = is_public ? on_public_head : on_status_head,
                         .on_request = is_public ? on_delivery : on_page,
                         .arg = w},
                .on_change = on_connections,
                .arg = w,
        };
        return http_server_new(&cfg, ret_server);
}

static int start(struct webhookd *w)
{
        struct loop *loop = daemon_loop(w->daemon);
        int r = connect_intake(w);
        if (r == 0)
                r = connect_status(w);
        if (r != 0)
                return r;
        const struct status_config status = {.loop = loop,
                                             .db = w->status_db,
                                             .is_draining = is_draining,
                                             .is_intake_up = is_intake_up,
                                             .arg = w};
        w->status = status_new(&status);
        w->intake = intake_new(loop, w->intake_db);
        w->budget = budget_new(loop, w->settings.max_buffered_bytes);
        w->register_again = loop_timer_new(loop, on_register_again, w);
        w->row = row_new(w);
        apply_settings(w);
        r = listen_on(w, true, &w->public_server);
        return r == 0 ? listen_on(w, false, &w->status_server) : r;
}

int webhookd_new(struct daemon *daemon, struct webhookd **ret_webhookd)
{
        struct errinfo err = ERRINFO_INIT;
        struct webhookd *w = xcalloc(1, sizeof(*w));
        w->daemon = daemon;
        if (settings_load(daemon_options(daemon), &w->settings, &err) < 0) {
                log_error(EV("webhookd.secrets"), LF_ERR(&err));
                free(w);
                return DAEMON_CONFIG;
        }
        int r = start(w);
        if (r != 0) {
                webhookd_free(w);
                return r;
        }
        *ret_webhookd = w;
        return 0;
}

void webhookd_free(struct webhookd *w)
{
        if (w == NULL)
                return;
        http_server_free(take_ptr(w->status_server));
        http_server_free(take_ptr(w->public_server));
        process_row_free(w->row);
        loop_timer_free(w->register_again);
        budget_free(w->budget);
        intake_free(w->intake);
        status_free(w->status);
        db_free(w->status_db);
        db_free(w->intake_db);
        settings_deinit(&w->settings);
        free(w);
}
