/*
 * errand_rollback.c - the project's rollback command, once, after a DEGRADED verdict (M-5): the same steps as
 * a deploy (job_deploy.c, job_finalize.c), in one errand. Whoever goes on with it on this host finds the
 * folder.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/db.h"
#include "common/err.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "queries.h"
#include "workerd/deploy_shim.h"
#include "workerd/errand.h"
#include "workerd/job.h"
#include "workerd/run_status.h"
#include "workerd/shell_command.h"
#include "workerd/shim_link.h"

#define LOOK_MS     250
#define BEGIN_MS    60000
#define DEADLINE_MS 10000
#define AGAIN_MS    1000
#define LOCK_WAIT   "2000"

struct end {
        const char *status;
        int exit_code;
        char reason[200];
};

static void ended(struct errand *e, const struct end *end, const struct strbuf *running)
{
        struct json_out *j = json_out_new(false);
        struct strbuf sha = STRBUF_INIT;
        json_out_object(j);
        json_out_kstr(j, "status", end->status);
        json_out_kstr(j, "reason", end->reason);
        if (end->exit_code >= 0)
                json_out_kint(j, "exit_code", end->exit_code);
        if (running != NULL) {
                shell_command_first_line(&sha, running->buf, running->len, 64);
                json_out_kstr(j, "check_sha", sha.buf);
        }
        strbuf_deinit(&sha);
        errand_done(e, j);
}

/* Read anew: it is on disk. */
static struct end what_came_of_it(const struct errand *e)
{
        struct run_status st;
        struct errinfo err = ERRINFO_INIT;
        struct end end = {
                .status = "UNKNOWN", .exit_code = -1, .reason = "the rollback command left no exit code"};
        if (run_status_read(e->deploy.status, &st, &err) < 0)
                return end;
        end.exit_code = st.code;
        end.status = st.end == RUN_EXITED && st.code == 0 ? "SUCCESS" : "FAILED";
        if (st.end == RUN_EXITED)
                (void)snprintf(end.reason, sizeof(end.reason), "the rollback command exited with %d",
                               st.code);
        else
                (void)snprintf(end.reason, sizeof(end.reason), "the rollback command was ended by %s",
                               st.end == RUN_TIMEOUT    ? "deploy_timeout"
                               : st.end == RUN_SIGNALED ? strsignal(st.signo)
                                                        : st.stop_reason);
        return end;
}

static void on_checked(void *arg, const struct shell_command_result *res)
{
        struct errand *e = arg;
        struct end end = what_came_of_it(e);
        bool answered = res->end == SHELL_COMMAND_EXITED && res->code == 0 && res->out->len > 0;
        e->command = NULL;
        ended(e, &end, answered ? res->out : NULL);
}

static void check(struct errand *e)
{
        const struct options *opt = e->host->opt;
        struct end end = what_came_of_it(e);
        if (e->check_command == NULL) {
                ended(e, &end, NULL);
                return;
        }
        const struct shell_command_spec spec = {
                .command = e->check_command,
                .path = opt->agent_path,
                .env = opt->deploy_env,
                .work_item = e->work_item,
                .sha = e->sha,
                .timeout_ms = opt->probe_timeout_ms,
        };
        e->command = shell_command_start(e->host->loop, &spec, on_checked, e);
}

static void on_hunted(void *arg, const struct proc_exit *ex)
{
        struct errand *e = arg;
        e->proc = NULL;
        if (ex->signaled || ex->code != 0)
                loop_timer_arm(e->timer, AGAIN_MS);
        else
                check(e);
}

static void hunt(struct errand *e)
{
        struct errinfo err = ERRINFO_INIT;
        const char *const argv[] = {e->host->shim,    "--clean", "--lock", e->deploy.lock,
                                    "--lock-wait-ms", LOCK_WAIT, NULL};
        const struct proc_spec spec = {.argv = argv, .cwd = "/"};
        if (proc_spawn(e->host->loop, &spec, on_hunted, e, &e->proc, &err) < 0)
                loop_timer_arm(e->timer, AGAIN_MS);
}

/* ---- waiting ---- */

static void look(struct errand *e)
{
        shim_link_free(take_ptr(e->link));
        if (e->proc != NULL)
                proc_forget(take_ptr(e->proc));
        e->begun = true;
        switch (deploy_shim_look(&e->deploy)) {
        case DEPLOY_SHIM_ENDED:
                check(e);
                return;
        case DEPLOY_SHIM_KILLED:
                hunt(e);
                return;
        case DEPLOY_SHIM_RUNS:
        case DEPLOY_SHIM_UNKNOWN:
                loop_timer_arm(e->timer, LOOK_MS);
                return;
        }
}

/* ---- the start ---- */

static void on_news(void *arg, const struct shim_news *news)
{
        struct errand *e = arg;
        if (news->event == SHIM_STARTED) {
                log_info(EV("rollback.started"), LF_S("work_item", e->work_item),
                         LF_I("command", news->agent), LF_S("log", e->deploy.log));
                metrics_count(METRIC_DEPLOYS_STARTED, 1);
                look(e);
        } else if (news->event == SHIM_NOBODY || news->event == SHIM_GONE || news->event == SHIM_GARBAGE) {
                shim_link_free(take_ptr(e->link)); /* its exit tells */
        }
}

static void on_shim_exit(void *arg, const struct proc_exit *ex)
{
        struct errand *e = arg;
        (void)ex; /* its folder tells */
        e->proc = NULL;
        look(e);
}

static void begin(struct errand *e)
{
        struct errinfo err = ERRINFO_INIT;
        int fd = -1;
        int r = deploy_shim_folder(&e->deploy, e->dir.tree, &err);
        if (r == -EEXIST) {
                look(e);
                return;
        }
        (void)rmdir(e->dir.home); /* what is left of the place where the tree was made */
        (void)rmdir(e->dir.tmp);
        (void)rmdir(e->dir.path);
        if (r == 0) {
                r = deploy_shim_start(e->host, &e->deploy, e->target, &e->info, on_shim_exit, e, &e->proc,
                                      &fd, &err);
                if (r < 0)
                        deploy_shim_give_back(&e->deploy);
        }
        if (r < 0) {
                errand_failed(e, "the rollback could not be started", err.text);
                return;
        }
        e->link = shim_link_take(e->host->loop, fd, on_news, e);
        loop_timer_arm(e->timer, BEGIN_MS);
}

static void initiate(struct errand *e);

static void on_initiated(void *arg, const struct db_result *res)
{
        struct errand *e = arg;
        const char *answer = res->outcome == DB_OK && db_rows(res) == 1 ? db_text(res, 0, "answer") : NULL;
        e->request = NULL;
        if (answer == NULL) {
                loop_timer_arm(e->timer, AGAIN_MS); /* the same claim hears the same again */
                return;
        }
        run_dir_deinit(&e->deploy);
        if (db_text(res, 0, "dir") != NULL)
                run_dir_names_deploy(&e->deploy, db_text(res, 0, "dir"));
        if (strcmp(answer, "start") == 0)
                begin(e);
        else if (strcmp(answer, "already") == 0)
                look(e);
        else
                errand_failed(e, "the rollback is another's", answer);
}

static void initiate(struct errand *e)
{
        char id[24];
        (void)snprintf(id, sizeof(id), "%" PRId64, e->id);
        const char *params[] = {id, e->token, e->host->state_dir};
        e->request = db_query(e->host->db, &Q_WATCH_INITIATE, params, DEADLINE_MS, on_initiated, e);
}

static void on_timer(struct errand *e)
{
        if (e->begun || e->link != NULL || e->proc != NULL)
                look(e);
        else
                initiate(e);
}

static void start(struct errand *e)
{
        if (e->deploy_path != NULL)
                run_dir_names_deploy(&e->deploy, e->deploy_path);
        if (e->deploy_path != NULL && access(e->deploy.path, F_OK) == 0)
                look(e);
        else
                errand_tree(e, "rollback", e->sha, initiate);
}

const struct errand_kind errand_rollback = {
        .what = "rollback", .start = start, .on_timer = on_timer, .may_be_left = true};
