/* disk_watch.c - looks, tells, and says in the log what has crossed the line. */
#include "reaperd/disk_watch.h"

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
#include "common/process_row.h"
#include "common/strbuf.h"
#include "queries.h"

#define DEADLINE_MS 10000

struct disk_watch {
        struct loop *loop;
        struct db *db;
        const struct process_row *row;
        struct argv paths;
        int64_t interval_ms, min_bytes, min_inodes;
        bool awake;
        struct loop_timer *timer;
        struct db_request *request; /* NULL when idle */
};

static void on_told(void *arg, const struct db_result *res)
{
        struct disk_watch *w = arg;
        w->request = NULL;
        loop_timer_arm(w->timer, w->interval_ms);
        for (int i = 0; res->outcome == DB_OK && i < db_rows(res); i++) {
                const char *path = db_text(res, i, "path"), *detail = db_text(res, i, "detail");
                if (db_bool(res, i, "bad"))
                        log_warning(EV("disk.low"), LF_S("path", path), LF_S("reason", detail));
                else
                        log_info(EV("disk.room-again"), LF_S("path", path), LF_S("reason", detail));
        }
        if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("disk.not-told"), LF_ERR(&res->err), LF_S("then", "tried again later"));
}

static void look_at(struct json_out *j, const char *path)
{
        struct disk_room room;
        int r = disk_look(path, &room);
        json_out_object(j);
        json_out_kstr(j, "path", path);
        if (r < 0) {
                json_out_kstr(j, "error", log_errno_text(r));
        } else {
                json_out_kint(j, "bytes", room.bytes);
                if (room.inodes != INT64_MAX)
                        json_out_kint(j, "inodes", room.inodes);
        }
        json_out_object_end(j);
}

static void on_timer(void *arg)
{
        struct disk_watch *w = arg;
        char process[24], epoch[24], bytes[24], inodes[24];
        if (w->request != NULL)
                return;
        if (!process_row_live(w->row)) {
                loop_timer_arm(w->timer, w->interval_ms);
                return;
        }
        _cleanup_(strbuf_deinit) struct strbuf disks = STRBUF_INIT;
        struct json_out *j = json_out_new(false);
        json_out_array(j);
        for (size_t i = 0; i < w->paths.n; i++)
                look_at(j, w->paths.words[i]);
        json_out_array_end(j);
        json_out_finish(j, &disks);
        json_out_free(j);
        (void)snprintf(process, sizeof(process), "%" PRId64, process_row_id(w->row));
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, process_row_epoch(w->row));
        (void)snprintf(bytes, sizeof(bytes), "%" PRId64, w->min_bytes);
        (void)snprintf(inodes, sizeof(inodes), "%" PRId64, w->min_inodes);
        const char *params[] = {process, epoch, disks.buf, bytes, inodes};
        w->request = db_query(w->db, &Q_DISK_REPORT, params, DEADLINE_MS, on_told, w);
}

struct disk_watch *disk_watch_new(const struct sweep_config *cfg)
{
        struct disk_watch *w = xcalloc(1, sizeof(*w));
        w->loop = cfg->loop;
        w->db = cfg->db;
        w->row = cfg->row;
        w->timer = loop_timer_new(cfg->loop, on_timer, w);
        disk_watch_reload(w, cfg->opt);
        return w;
}

void disk_watch_free(struct disk_watch *w)
{
        if (w == NULL)
                return;
        disk_watch_stop(w);
        argv_deinit(&w->paths);
        loop_timer_free(w->timer);
        free(w);
}

void disk_watch_wake(struct disk_watch *w)
{
        w->awake = true;
        if (w->request == NULL)
                loop_timer_soon(w->timer);
}

void disk_watch_reload(struct disk_watch *w, const struct options *opt)
{
        struct errinfo err = ERRINFO_INIT;
        argv_deinit(&w->paths);
        argv_add(&w->paths, opt->state_dir);
        (void)argv_split(&w->paths, opt->watch_paths, &err); /* checked by options_check(); may be empty */
        w->interval_ms = opt->watch_interval_ms;
        w->min_bytes = opt->watch_min_free_bytes;
        w->min_inodes = opt->watch_min_inodes;
        if (w->awake)
                disk_watch_wake(w);
}

void disk_watch_stop(struct disk_watch *w)
{
        w->awake = false;
        db_request_forget(take_ptr(w->request));
        loop_timer_disarm(w->timer);
}
