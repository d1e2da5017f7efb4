/* preflight.c - looks at the commands of all roles, and tells what has changed. */
#include "workerd/preflight.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/argv.h"
#include "common/db.h"
#include "common/disk.h"
#include "common/err.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "queries.h"
#include "workerd/adapter.h"
#include "workerd/claim.h"

#define LOOK_INTERVAL_MS 10000
#define DEADLINE_MS      10000

static const char *const roles[] = {"analyst", "architect", "developer", "reviewer", "tester", "deployer"};

struct preflight {
        struct loop *loop;
        struct db *db;
        int64_t next_look_ms;
        bool short_of_room; /* as of the newest look; it then takes a quarter more to be enough */
        char *sent, *told;  /* the report on its way, and the newest that has arrived; NULL: none */
        struct db_request *request;
};

struct preflight *preflight_new(struct loop *loop, struct db *db)
{
        struct preflight *p = xcalloc(1, sizeof(*p));
        p->loop = loop;
        p->db = db;
        return p;
}

void preflight_free(struct preflight *p)
{
        if (p == NULL)
                return;
        db_request_forget(p->request);
        free(p->sent);
        free(p->told);
        free(p);
}

int preflight_check(const struct options *opt, const char *role, struct errinfo *err)
{
        struct argv words = ARGV_INIT;
        enum adapter adapter;
        int r = adapter_find(opt, role, &adapter, err);
        if (r == 0)
                r = argv_split(&words, adapter_command(opt, role), err);
        if (r == 0)
                r = proc_find_program(words.words[0], opt->agent_path, err);
        argv_deinit(&words);
        words = (struct argv)ARGV_INIT;
        if (r == 0 && opt->agent_wrapper[0] != '\0') {
                r = argv_split(&words, opt->agent_wrapper, err);
                if (r == 0)
                        r = proc_find_program(words.words[0], opt->agent_path, err);
        }
        argv_deinit(&words);
        return r;
}

void preflight_again(struct preflight *p)
{
        p->next_look_ms = 0;
}

bool preflight_has_room(struct preflight *p, const struct options *opt)
{
        struct disk_room room;
        int64_t quarters = p->short_of_room ? 5 : 4;
        bool was_short = p->short_of_room;
        if (disk_look(opt->state_dir, &room) < 0)
                p->short_of_room = true; /* nothing can be made there either */
        else
                p->short_of_room = room.bytes < opt->disk_min_free_bytes / 4 * quarters ||
                                   room.inodes < opt->disk_min_inodes * quarters / 4;
        if (p->short_of_room != was_short)
                preflight_again(p);
        return !p->short_of_room;
}

/* {"tester": why}: the roles whose agent cannot be started; "*" stands for all. The text names no figure that
 * changes from look to look: each change is told to all workers. */
static char *look(struct preflight *p, const struct options *opt)
{
        struct strbuf sb = STRBUF_INIT;
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        if (!preflight_has_room(p, opt)) {
                _cleanup_(freep) char *why = xasprintf(
                        "too little room in %s: jobs need %" PRId64 " MiB and %" PRId64
                        " files, and a quarter more once it was less (disk_min_free, disk_min_inodes)",
                        opt->state_dir, opt->disk_min_free_bytes >> 20, opt->disk_min_inodes);
                json_out_kstr(j, "*", why);
        }
        for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
                struct errinfo err = ERRINFO_INIT;
                if (preflight_check(opt, roles[i], &err) < 0)
                        json_out_kstr(j, roles[i], err.text);
        }
        json_out_object_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        char *text = xstrdup(sb.buf);
        strbuf_deinit(&sb);
        return text;
}

static void on_told(void *arg, const struct db_result *res)
{
        struct preflight *p = arg;
        p->request = NULL;
        if (res->outcome != DB_OK) {
                p->next_look_ms = 0; /* what has arrived is not known: told again at the next beat */
                free(take_ptr(p->sent));
                return;
        }
        free(p->told);
        p->told = take_ptr(p->sent);
}

static void log_report(const char *report)
{
        if (strcmp(report, "{}") != 0)
                log_warning(EV("preflight.failed"), LF_S("roles", report),
                            LF_S("then", "their jobs are left to other hosts until that is mended"));
        else
                log_info(EV("preflight.passed"));
}

static void tell(struct preflight *p, const struct options *opt, const char *report, int64_t process,
                 int64_t epoch)
{
        char process_text[24], epoch_text[24];
        (void)snprintf(process_text, sizeof(process_text), "%" PRId64, process);
        (void)snprintf(epoch_text, sizeof(epoch_text), "%" PRId64, epoch);
        const char *params[] = {process_text, epoch_text, opt->host_labels, report, claim_kinds()};
        p->request = db_query(p->db, &Q_PROCESS_REPORT, params, DEADLINE_MS, on_told, p);
}

void preflight_look(struct preflight *p, const struct options *opt, int64_t process, int64_t epoch)
{
        int64_t now = loop_now_ms(p->loop);
        if (p->request != NULL || (p->next_look_ms > 0 && now < p->next_look_ms))
                return;
        _cleanup_(freep) char *report = look(p, opt);
        _cleanup_(freep) char *key = xasprintf("%s %s", report, opt->host_labels);
        /* a command that is missing may come at any time */
        p->next_look_ms = now + (strcmp(report, "{}") == 0 ? LOOK_INTERVAL_MS : 0);
        if (p->told != NULL && strcmp(p->told, key) == 0)
                return;
        log_report(report);
        p->sent = take_ptr(key);
        tell(p, opt, report, process, epoch);
}
