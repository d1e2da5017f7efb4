/* settings.c - see settings.h. */
#include "webhookd/settings.h"

#include <stddef.h>

#include "common/options.h"
#include "webhookd/signature.h"

enum { STATUS_HEAD_BYTES = 8192, STATUS_CONNECTIONS = 32 };

static int load_keys(const char *path, struct signature_keys **ret_keys, struct errinfo *err)
{
        return path[0] != '\0' ? signature_keys_load(path, ret_keys, err) : 0;
}

static void set_limits(struct settings *s, const struct options *opt)
{
        s->public_limits = (struct http_limits){
                .head = {.line_bytes = HTTP_LINE_BYTES_MAX,
                         .head_bytes = HTTP_HEAD_BYTES_MAX,
                         .fields = HTTP_FIELDS_MAX},
                .header_ms = opt->http_header_timeout_ms,
                .request_ms = opt->http_request_timeout_ms,
                .write_ms = opt->http_write_timeout_ms,
                .connections = (unsigned)opt->http_max_connections,
                .per_peer = (unsigned)opt->http_max_per_peer,
        };
        s->status_limits = s->public_limits;
        s->status_limits.head.head_bytes = STATUS_HEAD_BYTES;
        s->status_limits.connections = STATUS_CONNECTIONS;
        s->status_limits.per_peer = STATUS_CONNECTIONS;
}

int settings_load(const struct options *opt, struct settings *ret_settings, struct errinfo *err)
{
        struct settings s = {
                .max_body_bytes = opt->http_max_body_bytes,
                .max_buffered_bytes = opt->http_max_buffered_bytes,
                .intake_timeout_ms = opt->intake_timeout_ms,
                .beat_interval_ms = opt->beat_interval_ms,
        };
        set_limits(&s, opt);
        int r = load_keys(opt->gitea_secret_file, &s.gitea_keys, err);
        if (r == 0)
                r = load_keys(opt->plane_secret_file, &s.plane_keys, err);
        if (r < 0) {
                settings_deinit(&s);
                return r;
        }
        *ret_settings = s;
        return 0;
}

void settings_deinit(struct settings *s)
{
        signature_keys_free(s->gitea_keys);
        signature_keys_free(s->plane_keys);
        s->gitea_keys = s->plane_keys = NULL;
}
