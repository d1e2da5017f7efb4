/* settings.h - what webhookd takes from the options, ready for use: limits, and the secrets read from their
 * files. */
#pragma once

#include <stdint.h>

#include "common/err.h"
#include "web/http_conn.h"

struct options;
struct signature_keys;

struct settings {
        struct http_limits public_limits;
        struct http_limits status_limits;
        int64_t max_body_bytes;
        int64_t max_buffered_bytes;
        int64_t intake_timeout_ms;
        int64_t beat_interval_ms;
        struct signature_keys *gitea_keys; /* NULL: no secrets file is configured */
        struct signature_keys *plane_keys;
};

/* 0; -errno with the reason in `err` when a secrets file is not usable: then nothing is written. */
int settings_load(const struct options *opt, struct settings *ret_settings, struct errinfo *err);
void settings_deinit(struct settings *s);
