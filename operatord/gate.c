/* gate.c - see gate.h. */
#include "operatord/gate.h"

#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "operatord/failures.h"
#include "operatord/problem.h"
#include "common/tokens.h"
#include "web/http_conn.h"

enum { WARN_EVERY_MS = 1000 };

struct gate {
        struct loop *loop;
        const struct tokens *tokens;
        struct failures *failures;
        int64_t warned_ms;
        int64_t unwarned; /* refusals that were not logged one by one */
};

static const struct {
        enum metric_id metric;
        const char *detail;
        const char *challenge; /* RFC 6750 */
} refusals[] = {
        [TOKEN_MISSING] = {METRIC_OPERATOR_TOKEN_MISSING,
                           "The header Authorization: Bearer TOKEN is missing.",
                           "Bearer realm=\"orchestrator\""},
        [TOKEN_FORMAT] = {METRIC_OPERATOR_TOKEN_FORMAT, "The header Authorization is not: Bearer TOKEN.",
                          "Bearer realm=\"orchestrator\", error=\"invalid_request\""},
        [TOKEN_UNKNOWN] = {METRIC_OPERATOR_TOKEN_UNKNOWN, "The token is not known here.",
                           "Bearer realm=\"orchestrator\", error=\"invalid_token\""},
        [TOKEN_EXPIRED] = {METRIC_OPERATOR_TOKEN_EXPIRED, "The token has expired.",
                           "Bearer realm=\"orchestrator\", error=\"invalid_token\""},
};

struct gate *gate_new(struct loop *loop)
{
        struct gate *g = xcalloc(1, sizeof(*g));
        g->loop = loop;
        g->failures = failures_new();
        return g;
}

void gate_free(struct gate *g)
{
        if (g == NULL)
                return;
        failures_free(g->failures);
        free(g);
}

void gate_configure(struct gate *g, const struct tokens *tokens)
{
        g->tokens = tokens;
}

/* At most one line a second: whoever floods the port must not flood the log. */
static void warn(struct gate *g, const struct http_conn *c, enum token_verdict verdict)
{
        int64_t now = loop_now_ms(g->loop);
        if (g->warned_ms != 0 && now - g->warned_ms < WARN_EVERY_MS) {
                g->unwarned++;
                return;
        }
        log_warning(EV("operator.token-refused"), LF_S("peer", http_conn_peer(c)),
                    LF_S("reason", token_verdict_name(verdict)), LF_I("more", g->unwarned));
        g->warned_ms = now;
        g->unwarned = 0;
}

static void refuse(struct gate *g, struct http_conn *c, enum token_verdict verdict)
{
        static const struct problem_more wait = {
                .detail = "This address has come with too many tokens that are none.",
                .hint = "Correct the token, and try again later",
                .retry_after_s = FAILURES_REFILL_MS / 1000};
        const struct problem_more more = {.detail = refusals[verdict].detail,
                                          .hint = "orchctl token new makes a token",
                                          .challenge = refusals[verdict].challenge};
        warn(g, c, verdict);
        metrics_count(refusals[verdict].metric, 1);
        if (failures_add(g->failures, http_conn_peer_id(c), loop_now_ms(g->loop)))
                problem_reply(c, PROBLEM_LIMITED, &wait);
        else
                problem_reply(c, PROBLEM_UNAUTHORIZED, &more);
}

const struct token *gate_admit(struct gate *g, struct http_conn *c)
{
        const char *value = NULL;
        const struct token *token = NULL;
        unsigned instances = http_parse_field(http_conn_head(c), "authorization", &value);
        enum token_verdict verdict = tokens_check(g->tokens, instances, value, time(NULL), &token);
        if (verdict == TOKEN_OK)
                return token;
        refuse(g, c, verdict);
        return NULL;
}
