/* operatord.c - see operatord.h. */
#include "operatord/operatord.h"

#include <stdlib.h>
#include <time.h>

#include "common/contract.h"
#include "common/daemon.h"
#include "common/daemon_db.h"
#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "operatord/acts.h"
#include "operatord/arguments.h"
#include "operatord/gate.h"
#include "common/tokens.h"
#include "web/budget.h"
#include "web/http_reply.h"
#include "web/routes.h"
#include "web/server.h"
#include "web/status.h"

enum { HEAD_BYTES = 8192, CONNECTIONS = 64, BUFFERED_BYTES = 16 * ARGUMENTS_BODY_BYTES };

/* Under the deadlines of acts.c and status.c: the server gives up before the connection has to be closed.
 * Longer than the time that an act waits for a lock. */
enum { ACT_STATEMENT_MS = 10000, PAGE_STATEMENT_MS = 1800 };

struct operatord {
        struct daemon *daemon;
        struct http_limits limits;
        struct budget *budget;
        struct tokens *tokens;
        struct gate *gate;
        struct db *act_db;
        struct db *page_db; /* so that a slow page holds up no act */
        struct acts *acts;
        struct status *status;
        struct http_server *server;
        bool act_known, page_known; /* how the two connections are: up or down */
};

/* --- requests --- */

static bool on_head(void *arg, struct http_conn *c)
{
        static const struct route_rules rules = {.listener = ROUTE_OPERATOR,
                                                 .max_body_bytes = ARGUMENTS_BODY_BYTES};
        struct operatord *o = arg;
        struct http_reply refusal;
        /* First of all: what there is, and what is wrong with a request, is for those who may come in. */
        if (gate_admit(o->gate, c) == NULL)
                return false;
        const struct route *route = routes_match(&rules, http_conn_head(c), &refusal);
        http_conn_set_route(c, route);
        if (route == NULL)
                http_conn_reply(c, &refusal);
        return route != NULL;
}

static void on_request(void *arg, struct http_conn *c)
{
        struct operatord *o = arg;
        enum route_target target = http_conn_route(c)->target;
        const struct token *token = gate_admit(o->gate, c); /* it may have been taken away since */
        if (token == NULL)
                return;
        if (target == ROUTE_ACT)
                acts_accept(o->acts, c, token);
        else
                status_answer(o->status, target, c);
}

/* --- life --- */

static void drain_on(struct operatord *o)
{
        if (daemon_draining(o->daemon) && http_server_open(o->server) == 0)
                daemon_drained(o->daemon);
}

static void on_connections(void *arg)
{
        struct operatord *o = arg;
        if (o->server == NULL)
                return; /* start-up or the end */
        metrics_set(METRIC_HTTP_OPEN, http_server_open(o->server));
        daemon_busy(o->daemon, http_server_open(o->server));
        drain_on(o);
}

void operatord_drain(void *arg, bool quick)
{
        struct operatord *o = arg;
        http_server_stop(o->server);
        if (quick)
                http_server_drop_all(o->server);
        drain_on(o);
}

static void say_tokens(const struct tokens *tokens)
{
        size_t good = tokens_good(tokens, time(NULL));
        log_info(EV("operator.tokens"), LF_I("good", good), LF_I("expired", tokens_count(tokens) - good));
}

static void take_limits(struct operatord *o, const struct options *opt)
{
        o->limits = (struct http_limits){
                .head = {.line_bytes = HTTP_LINE_BYTES_MAX,
                         .head_bytes = HEAD_BYTES,
                         .fields = HTTP_FIELDS_MAX},
                .header_ms = opt->http_header_timeout_ms,
                .request_ms = opt->http_request_timeout_ms,
                .write_ms = opt->http_write_timeout_ms,
                .connections = CONNECTIONS,
                .per_peer = CONNECTIONS,
        };
}

void operatord_reload(void *arg, const struct options *opt)
{
        struct operatord *o = arg;
        struct tokens *next;
        struct errinfo err = ERRINFO_INIT;
        if (tokens_load(opt->operator_tokens_file, time(NULL), &next, &err) < 0) {
                log_error(EV("operator.tokens-refused"), LF_ERR(&err), LF_S("then", "the old tokens stay"));
                return;
        }
        gate_configure(o->gate, next);
        tokens_free(o->tokens);
        o->tokens = next;
        take_limits(o, opt);
        say_tokens(next);
}

/* Ready when it is known how both connections are, up or down: as webhookd. */
static void begin_when_known(struct operatord *o)
{
        if (!o->act_known || !o->page_known)
                return;
        daemon_ready(o->daemon);
        http_server_begin(o->server);
}

static void on_act_up(void *arg)
{
        struct operatord *o = arg;
        o->act_known = true;
        begin_when_known(o);
}

static void on_act_down(void *arg, const struct errinfo *err)
{
        (void)err; /* db.c has logged it */
        on_act_up(arg);
}

static void on_page_up(void *arg)
{
        struct operatord *o = arg;
        o->page_known = true;
        begin_when_known(o);
}

static void on_page_down(void *arg, const struct errinfo *err)
{
        (void)err; /* as above */
        on_page_up(arg);
}

static bool is_draining(void *arg)
{
        const struct operatord *o = arg;
        return daemon_draining(o->daemon) && !daemon_replaced(o->daemon); /* then others serve */
}

static bool is_act_up(void *arg)
{
        const struct operatord *o = arg;
        return db_is_up(o->act_db);
}

/* --- making --- */

static int connect_both(struct operatord *o)
{
        const struct db_config acts = {.statement_timeout_ms = ACT_STATEMENT_MS,
                                       .on_up = on_act_up,
                                       .on_down = on_act_down,
                                       .arg = o};
        const struct db_config pages = {.statement_timeout_ms = PAGE_STATEMENT_MS,
                                        .on_up = on_page_up,
                                        .on_down = on_page_down,
                                        .arg = o};
        int r = daemon_db(o->daemon, "", &acts, &o->act_db);
        return r == 0 ? daemon_db(o->daemon, "-pages", &pages, &o->page_db) : r;
}

static int listen_now(struct operatord *o)
{
        int fd = daemon_listener(o->daemon, CONTRACT_ENV_LISTEN_OPERATOR,
                                 daemon_options(o->daemon)->listen_operator);
        if (fd < 0)
                return fd;
        const struct http_server_config cfg = {
                .name = "operator",
                .fd = fd,
                .conn = {.loop = daemon_loop(o->daemon),
                         .limits = &o->limits,
                         .budget = o->budget,
                         .on_head = on_head,
                         .on_request = on_request,
                         .arg = o},
                .on_change = on_connections,
                .arg = o,
        };
        return http_server_new(&cfg, &o->server);
}

static int start(struct operatord *o)
{
        struct loop *loop = daemon_loop(o->daemon);
        int r = connect_both(o);
        if (r != 0)
                return r;
        const struct status_config status = {.loop = loop,
                                             .db = o->page_db,
                                             .is_draining = is_draining,
                                             .is_intake_up = is_act_up,
                                             .arg = o};
        o->status = status_new(&status);
        o->acts = acts_new(loop, o->act_db);
        o->budget = budget_new(loop, BUFFERED_BYTES);
        o->gate = gate_new(loop);
        gate_configure(o->gate, o->tokens);
        take_limits(o, daemon_options(o->daemon));
        return listen_now(o);
}

int operatord_new(struct daemon *daemon, struct operatord **ret_operatord)
{
        struct errinfo err = ERRINFO_INIT;
        struct operatord *o = xcalloc(1, sizeof(*o));
        o->daemon = daemon;
        if (tokens_load(daemon_options(daemon)->operator_tokens_file, time(NULL), &o->tokens, &err) < 0) {
                log_error(EV("operator.tokens-refused"), LF_ERR(&err));
                free(o);
                return DAEMON_CONFIG;
        }
        say_tokens(o->tokens);
        int r = start(o);
        if (r != 0) {
                operatord_free(o);
                return r;
        }
        *ret_operatord = o;
        return 0;
}

void operatord_free(struct operatord *o)
{
        if (o == NULL)
                return;
        http_server_free(take_ptr(o->server));
        budget_free(o->budget);
        acts_free(o->acts);
        status_free(o->status);
        gate_free(o->gate);
        tokens_free(o->tokens);
        db_free(o->page_db);
        db_free(o->act_db);
        free(o);
}
