/* services.c - see services.h. */
#include "ctl/services.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_client.h"
#include "common/json_read.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/rest.h"

#define CONNECT_TIMEOUT_MS 3000
#define ANSWER_MAX         (8u << 20)

struct services {
        struct loop *loop;
        struct http_client *http;
        const char *plain_hosts;
        bool answered;
        struct port_answer port;
        struct json_doc *doc;    /* that is ours */
        const struct json *json; /* of the answer */
};

struct services *services_new(const struct options *opt, int64_t timeout_ms, struct errinfo *err)
{
        struct services *s = xcalloc(1, sizeof(*s));
        const struct http_client_config cfg = {
                .connect_timeout_ms = timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS,
                .total_timeout_ms = timeout_ms,
                .max_response_bytes = ANSWER_MAX,
                .allow_plain_hosts = opt->http_plain_hosts};
        s->plain_hosts = opt->http_plain_hosts;
        int r = loop_new(&s->loop);
        if (r == 0)
                r = http_client_new(s->loop, &cfg, &s->http);
        if (r == 0)
                return s;
        err_set(err, "", "cannot ask services: %s", strerror(-r));
        services_free(s);
        return NULL;
}

void services_free(struct services *s)
{
        if (s == NULL)
                return;
        if (s->http != NULL)
                http_client_free(s->http);
        if (s->loop != NULL)
                loop_free(s->loop);
        json_doc_free(s->doc);
        free(s);
}

struct http_client *services_http(struct services *s)
{
        return s->http;
}

struct loop *services_loop(struct services *s)
{
        return s->loop;
}

int services_check_url(const struct services *s, const char *url, struct errinfo *err)
{
        bool plain;
        return http_url_check(url, s->plain_hosts, &plain, err);
}

/* A copy: the answer is gone when the callback has returned. */
static void keep(struct services *s, const struct port_answer *port, const char *json)
{
        static const struct json_limits limits = JSON_LIMITS_DEFAULT;
        s->answered = true;
        s->port = *port;
        json_doc_free(s->doc);
        s->doc = NULL;
        s->json = NULL;
        if (json != NULL && json_parse(json, strlen(json), &limits, &s->doc, &s->port.err) < 0)
                s->port.outcome = PORT_UNKNOWN;
        else if (json != NULL)
                s->json = json_root(s->doc);
        loop_stop(s->loop);
}

void services_answer(void *arg, const struct port_answer *answer, const char *json)
{
        keep(arg, answer, json);
}

void services_rest_answer(void *arg, const struct rest_answer *answer)
{
        keep(arg, &answer->port, NULL);
}

enum port_outcome services_wait(struct services *s)
{
        while (!s->answered) {
                int r = loop_run(s->loop);
                if (r < 0) {
                        s->port = (struct port_answer){.outcome = PORT_UNAVAILABLE, .retry_after_s = -1};
                        err_set(&s->port.err, "", "cannot wait for the answer: %s", strerror(-r));
                        break;
                }
        }
        s->answered = false;
        return s->port.outcome;
}

enum port_outcome services_outcome(const struct services *s)
{
        return s->port.outcome;
}

const struct json *services_json(const struct services *s)
{
        return s->json;
}

const char *services_why(const struct services *s)
{
        return s->port.err.text[0] != '\0' ? s->port.err.text : port_outcome_name(s->port.outcome);
}

const char *services_mend(enum port_outcome outcome)
{
        switch (outcome) {
        case PORT_OK:
                return NULL;
        case PORT_DENIED:
                return "make a token there and put it into the token file; it counts at once";
        case PORT_FORBIDDEN:
                return "make a token there that has this right too, and put it into the token file; it "
                       "counts at once";
        case PORT_REFUSED:
                return "give the account of the token the right to do that; look whether the address is the "
                       "service's own, and not one that leads to it";
        case PORT_NOT_FOUND:
                return "look at the names, and whether the account of the token may see it";
        case PORT_LIMITED:
                return "wait; or let fewer requests be sent: orchctl endpoint set --per-minute";
        case PORT_CONFLICT:
        case PORT_UNAVAILABLE:
        case PORT_UNKNOWN:
                break;
        }
        return "look whether the service runs and this host reaches it, and whether it is http or https";
}
