/*
 * version_print.c - which libraries a program uses, as built and as loaded.
 *
 * The libraries are referred to weakly: naming them here must not pull libcurl or libpq, and all they load,
 * into a program that has no other use for them. Such a library is left out.
 */
#include "common/version_print.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <libpq-fe.h>
#include <pg_config.h>
#include <yajl/yajl_version.h>

#include "common/strbuf.h"
#include "common/version.h"

#pragma weak curl_version_info
#pragma weak event_get_version
#pragma weak PQlibVersion
#pragma weak yajl_version

static void add_number(struct strbuf *sb, const char *name, int number, int major, int minor,
                       const char *built)
{
        strbuf_addf(sb, "%s %d.%d", name, number / major, number % major / minor);
        if (minor > 1)
                strbuf_addf(sb, ".%d", number % minor);
        strbuf_addf(sb, " (built with %s)\n", built);
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

void version_print(struct strbuf *sb, const char *program)
{
        strbuf_addf(sb, "%s %s (%s)\n", program, ORCH_VERSION, ORCH_COMMIT);
        if (event_get_version != NULL)
                strbuf_addf(sb, "libevent %s (built with %s)\n", event_get_version(), LIBEVENT_VERSION);
        if (PQlibVersion != NULL)
                add_number(sb, "libpq", PQlibVersion(), 10000, 1, PG_VERSION);
        if (curl_version_info != NULL)
                strbuf_addf(sb, "libcurl %s (built with %s)\n", curl_version_info(CURLVERSION_NOW)->version,
                            LIBCURL_VERSION);
        if (yajl_version != NULL)
                add_number(sb, "yajl", yajl_version(), 10000, 100,
                           TEXT(YAJL_MAJOR) "." TEXT(YAJL_MINOR) "." TEXT(YAJL_MICRO));
}
