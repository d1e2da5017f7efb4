/*
 * errand_probe.c - one question to production, by the project's command or URL, and what its answer means
 * (M-5).
 *
 *     command   exit 0                             healthy
 *               exit 75 (EX_TEMPFAIL), 126, 127    no data: it could not ask
 *               any other exit, or no end in time  failed
 *               killed by a signal, not started    no data
 *     url       2xx, complete                      healthy
 *               3xx                                no data: redirects are not followed, so nothing was seen
 *               any other status                   failed
 *               no connection, no answer in time   failed: that is what users meet as well
 *               longer than it may be              no data: a page without end is no answer
 *               no such host name, or no URL       no data
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_client.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "workerd/errand.h"
#include "workerd/job.h"
#include "workerd/probe_answer.h"
#include "workerd/shell_command.h"

#define ANSWER_MAX  (1u << 20)
#define DETAIL_MAX  200
#define PLAIN_HOSTS 300

static void done(struct errand *e, enum probe_answer answer, const char *detail)
{
        static const enum metric_id metrics[] = {[PROBE_HEALTHY] = METRIC_PROBES_HEALTHY,
                                                 [PROBE_FAILED] = METRIC_PROBES_FAILED,
                                                 [PROBE_NO_DATA] = METRIC_PROBES_NO_DATA};
        struct json_out *j = json_out_new(false);
        metrics_count(metrics[answer], 1);
        json_out_object(j);
        json_out_kstr(j, "result", probe_answer_word(answer));
        json_out_kstr(j, "detail", detail);
        errand_done(e, j);
}

static void on_command(void *arg, const struct shell_command_result *res)
{
        struct errand *e = arg;
        struct strbuf detail = STRBUF_INIT;
        const struct strbuf *said = res->out->len > 0 ? res->out : res->err_out;
        e->command = NULL;
        strbuf_addstr(&detail, res->err.text);
        if (said->len > 0) {
                strbuf_addstr(&detail, ": ");
                shell_command_first_line(&detail, said->buf, said->len, DETAIL_MAX);
        }
        done(e, probe_of_command(res->end, res->code), detail.buf);
        strbuf_deinit(&detail);
}

static void ask_command(struct errand *e)
{
        const struct options *opt = e->host->opt;
        const struct shell_command_spec spec = {
                .command = e->target,
                .path = opt->agent_path,
                .env = opt->deploy_env,
                .work_item = e->work_item,
                .sha = e->sha,
                .timeout_ms = opt->probe_timeout_ms,
        };
        e->command = shell_command_start(e->host->loop, &spec, on_command, e);
}

static void on_answer(void *arg, const struct http_answer *answer)
{
        struct errand *e = arg;
        struct strbuf detail = STRBUF_INIT;
        e->asked = NULL;
        if (answer->outcome == HTTP_ANSWERED)
                strbuf_addf(&detail, "it answered with %d", answer->status);
        else
                shell_command_first_line(&detail, answer->err.text, strlen(answer->err.text), DETAIL_MAX);
        done(e, probe_of_url(answer), detail.buf);
        strbuf_deinit(&detail);
}

/* Its own client: the operator has named this host, so it may be asked without TLS. */
static void ask_url(struct errand *e)
{
        struct errinfo err = ERRINFO_INIT;
        _cleanup_(freep) char *plain = probe_plain_host(e->target);
        const struct http_client_config cfg = {
                .connect_timeout_ms = e->host->opt->probe_timeout_ms,
                .total_timeout_ms = e->host->opt->probe_timeout_ms,
                .max_response_bytes = ANSWER_MAX,
                .allow_plain_hosts = plain,
        };
        const struct http_spec spec = {.method = "GET", .url = e->target};
        if (http_client_new(e->host->loop, &cfg, &e->client) < 0) {
                e->client = NULL;
                done(e, PROBE_NO_DATA, "there is no HTTP client");
                return;
        }
        e->asked = http_request_start(e->client, &spec, on_answer, e, &err);
        if (e->asked == NULL)
                done(e, PROBE_NO_DATA, err.text);
}

static void start(struct errand *e)
{
        if (strcmp(e->method, "url") == 0)
                ask_url(e);
        else
                ask_command(e);
}

const struct errand_kind errand_probe = {.what = "probe", .start = start};
