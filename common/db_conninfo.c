/*
 * db_conninfo.c - from the configured connection string to what libpq is asked for, host by host. Pure.
 *
 * The hosts are taken apart because libpq, used asynchronously, has no timeout of its own: an attempt at a
 * host that swallows packets can only be given up as a whole, and then the next host must get its turn.
 *
 * What we ask for is a default that the connection string may override, but for the name under which the
 * server lists us and the encoding. Over TCP to another machine the default is sslmode=verify-full: libpq's
 * own default would go on in the clear, with anybody.
 */
#include "common/db_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conninfo.h"
#include "common/mem.h"

/* In a silent partition an idle connection is given up after some 15 seconds, and one with a statement 10
 * seconds after that was sent; without these, never. */
static const struct {
        const char *keyword, *value;
} patience[] = {
        {"keepalives", "1"},       {"keepalives_idle", "10"},     {"keepalives_interval", "5"},
        {"keepalives_count", "3"}, {"tcp_user_timeout", "10000"},
};

struct host_list {
        const char *hosts, *hostaddrs, *ports; /* comma-separated; NULL: not given */
        size_t n;
};

static size_t count_elements(const char *list)
{
        size_t n = list != NULL && *list != '\0';
        for (; list != NULL && *list != '\0'; list++)
                n += *list == ',';
        return n;
}

/* The i-th element, copied; NULL when the list is not given or the element empty, which asks for libpq's
 * default. */
static char *element(const char *list, size_t i)
{
        if (list == NULL)
                return NULL;
        while (i-- > 0)
                list = strchr(list, ',') + 1;
        size_t len = strcspn(list, ",");
        return len > 0 ? xstrndup(list, len) : NULL;
}

static size_t find(const struct db_target *t, const char *keyword)
{
        size_t i = 0;
        while (i < t->n && strcmp(t->keywords[i], keyword) != 0)
                i++;
        return i;
}

const char *db_target_get(const struct db_target *t, const char *keyword)
{
        size_t i = find(t, keyword);
        return i < t->n ? t->values[i] : NULL;
}

/* A later value replaces an earlier one; NULL changes nothing. */
static void set(struct db_target *t, const char *keyword, const char *value)
{
        if (value == NULL)
                return;
        size_t i = find(t, keyword);
        if (i < t->n) {
                free(t->values[i]);
        } else {
                t->n++;
                t->keywords = xrealloc(t->keywords, (t->n + 1) * sizeof(*t->keywords));
                t->values = xrealloc(t->values, (t->n + 1) * sizeof(*t->values));
                t->keywords[i] = xstrdup(keyword);
                t->keywords[t->n] = t->values[t->n] = NULL;
        }
        t->values[i] = xstrdup(value);
}

static bool is_local(const char *host)
{
        return host == NULL || host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0 ||
               strcmp(host, "::1") == 0 || strncmp(host, "127.", strlen("127.")) == 0;
}

static void set_host(struct db_target *t, const struct host_list *hosts, size_t i)
{
        _cleanup_(freep) char *host = element(hosts->hosts, i);
        _cleanup_(freep) char *hostaddr = element(hosts->hostaddrs, i);
        _cleanup_(freep) char *port = element(hosts->ports, count_elements(hosts->ports) > 1 ? i : 0);
        set(t, "host", host);
        set(t, "hostaddr", hostaddr);
        set(t, "port", port);
        if (!is_local(hostaddr != NULL ? hostaddr : host))
                set(t, "sslmode", "verify-full");
        if (hosts->n > 1)
                set(t, "target_session_attrs", "read-write");
}

static bool names_hosts(const char *keyword)
{
        return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
               strcmp(keyword, "port") == 0;
}

static void fill(struct db_target *t, const struct db_config *cfg, const PQconninfoOption *given,
                 const struct host_list *hosts, size_t i)
{
        for (size_t k = 0; k < ARRAY_SIZE(patience); k++)
                set(t, patience[k].keyword, patience[k].value);
        set(t, "user", cfg->default_user);
        set_host(t, hosts, i);
        for (; given->keyword != NULL; given++)
                if (!names_hosts(given->keyword))
                        set(t, given->keyword, given->val);
        set(t, "application_name", cfg->application_name);
        set(t, "client_encoding", "UTF8");
}

static const char *given_value(const PQconninfoOption *given, const char *keyword)
{
        for (; given->keyword != NULL; given++)
                if (strcmp(given->keyword, keyword) == 0)
                        return given->val;
        return NULL;
}

/* libpq's own rules: the addresses lead, names go with them one by one, and one port serves all. */
static int list_hosts(const PQconninfoOption *given, struct host_list *ret, struct errinfo *err)
{
        struct host_list list = {.hosts = given_value(given, "host"),
                                 .hostaddrs = given_value(given, "hostaddr"),
                                 .ports = given_value(given, "port")};
        list.n = count_elements(list.hostaddrs != NULL ? list.hostaddrs : list.hosts);
        if (list.n == 0)
                list.n = 1;
        size_t names = count_elements(list.hosts), ports = count_elements(list.ports);
        if ((names > 0 && names != list.n) || (ports > 1 && ports != list.n)) {
                err_set(err, "",
                        "the connection string names %zu hosts, %zu of their addresses and %zu ports", names,
                        count_elements(list.hostaddrs), ports);
                return -EINVAL;
        }
        *ret = list;
        return 0;
}

static void free_options(PQconninfoOption **options)
{
        PQconninfoFree(*options);
}

static PQconninfoOption *parse(const char *conninfo, struct errinfo *err)
{
        char *why = NULL;
        PQconninfoOption *given = PQconninfoParse(conninfo, &why);
        if (given == NULL)
                err_set(err, "", "the connection string is wrong: %s", conninfo_reason(conninfo, why));
        PQfreemem(why);
        return given;
}

int db_targets_init(struct db_targets *t, const struct db_config *cfg, struct errinfo *err)
{
        _cleanup_(free_options) PQconninfoOption *given = parse(cfg->conninfo, err);
        struct host_list hosts;
        if (given == NULL)
                return -EINVAL;
        int r = list_hosts(given, &hosts, err);
        if (r < 0)
                return r;
        *t = (struct db_targets){.n = hosts.n, .list = xcalloc(hosts.n, sizeof(*t->list))};
        for (size_t i = 0; i < t->n; i++)
                fill(&t->list[i], cfg, given, &hosts, i);
        return 0;
}

static void target_deinit(struct db_target *t)
{
        for (size_t i = 0; i < t->n; i++) {
                free(t->keywords[i]);
                free(t->values[i]);
        }
        free(t->keywords);
        free(t->values);
}

void db_targets_deinit(struct db_targets *t)
{
        for (size_t i = 0; i < t->n; i++)
                target_deinit(&t->list[i]);
        free(t->list);
        *t = (struct db_targets){.list = NULL};
}

int db_conninfo_check(const char *conninfo, struct errinfo *err)
{
        struct db_targets t;
        int r = db_targets_init(&t, &(struct db_config){.conninfo = conninfo}, err);
        if (r == 0)
                db_targets_deinit(&t);
        return r;
}
