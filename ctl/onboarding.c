/* onboarding.c - what is given, known or asked for. */
#include "ctl/onboarding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/pg.h"
#include "ctl/show.h"
#include "queries.h"

enum needed { ALWAYS, LOCAL_FORGE, PLANE, GITEA, SERVICE, NOT_PLANE };

static const struct field {
        const char *option; /* NULL: the word LOCATION */
        const char *value;  /* as the help calls it */
        enum needed needed;
        const char *standard; /* NULL: none */
        bool may_be_empty;
        const char *question;
} fields[FIELD_COUNT] = {
        [FIELD_TRACKER] = {"tracker", "KIND", ALWAYS, "local", false,
                           "Where are the work items: plane or local?"},
        [FIELD_FORGE] = {"forge", "KIND", ALWAYS, "local", false, "Where is the code: gitea or local?"},
        [FIELD_LOCATION] = {NULL, "LOCATION", LOCAL_FORGE, NULL, false, "Path of the bare repository?"},
        [FIELD_TRACKER_ENDPOINT] = {"tracker-endpoint", "NAME", PLANE, "plane", false,
                                    "Name for this Plane server, here?"},
        [FIELD_TRACKER_URL] = {"tracker-url", "URL", PLANE, NULL, false,
                               "Address of Plane, as in https://plane.example.org?"},
        [FIELD_TRACKER_TOKEN] =
                {"tracker-token-file", "FILE", PLANE, NULL, false,
                 "File with an API token of Plane (Profile settings, Personal access tokens)?"},
        [FIELD_WORKSPACE] = {"workspace", "SLUG", PLANE, NULL, false,
                             "Workspace in Plane, as its address has it?"},
        [FIELD_TRACKER_PROJECT] = {"tracker-project", "PROJECT", PLANE, NULL, false,
                                   "Project in Plane: its identifier, as SHOP in SHOP-12, or its UUID?"},
        [FIELD_FORGE_ENDPOINT] = {"forge-endpoint", "NAME", GITEA, "gitea", false,
                                  "Name for this Gitea server, here?"},
        [FIELD_FORGE_URL] = {"forge-url", "URL", GITEA, NULL, false,
                             "Address of Gitea, as in https://git.example.org?"},
        [FIELD_FORGE_TOKEN] = {"forge-token-file", "FILE", GITEA, NULL, false,
                               "File with a token of Gitea (Settings, Applications; repository and issue: "
                               "read and write)?"},
        [FIELD_FORGE_REPO] = {"forge-repo", "OWNER/NAME", GITEA, NULL, false,
                              "Repository in Gitea, OWNER/NAME?"},
        [FIELD_PUBLIC_URL] = {"public-url", "URL", SERVICE, NULL, true,
                              "Address under which they reach this suite, for webhooks (empty: none)?"},
        [FIELD_PREFIX] = {"prefix", "PREFIX", NOT_PLANE, NULL, false,
                          "Prefix of its work items, such as DEMO?"},
        [FIELD_TEST] = {"test", "COMMAND", ALWAYS, NULL, false,
                        "Shell command that tests a checkout, exit 0 is green?"},
};

static bool is_needed(const struct onboarding *o, enum needed needed)
{
        switch (needed) {
        case ALWAYS:
                return true;
        case LOCAL_FORGE:
                return !o->gitea;
        case PLANE:
                return o->plane;
        case GITEA:
                return o->gitea;
        case SERVICE:
                return o->plane || o->gitea;
        case NOT_PLANE:
                return !o->plane;
        }
        return false;
}

/* ---- asking ---- */

/* One line without blanks around it; NULL when there is none, or no more. */
static char *read_line(void)
{
        char *line = NULL;
        size_t size = 0;
        ssize_t n = getline(&line, &size, stdin);
        while (n > 0 && strchr(" \t\r\n", line[n - 1]) != NULL)
                line[--n] = '\0';
        char *from = n > 0 ? line + strspn(line, " \t") : NULL;
        char *text = from != NULL && *from != '\0' ? xstrdup(from) : NULL;
        free(line);
        return text;
}

static char *ask(const struct field *f)
{
        (void)fprintf(stderr, "%s%s%s%s ", f->question, f->standard != NULL ? " [" : "",
                      f->standard != NULL ? f->standard : "", f->standard != NULL ? "]" : "");
        (void)fflush(stderr); /* nowhere left to complain */
        return read_line();
}

/* ---- what is registered ---- */

static const struct json *find_endpoint(const struct json *endpoints, const char *name)
{
        for (size_t i = 0; i < json_len(endpoints); i++)
                if (strcmp(show_str(json_at(endpoints, i), "name"), name) == 0)
                        return json_at(endpoints, i);
        return NULL;
}

static char *text_or_null(const struct json *object, const char *key)
{
        const char *s = json_str(json_get(object, key));
        return s != NULL ? xstrdup(s) : NULL;
}

/* Our own address, from where webhooks go: without /webhook/KIND. */
static char *public_url_of(const struct json *endpoint)
{
        const char *hook = json_str(json_get(endpoint, "hook_url"));
        const char *path = hook != NULL ? strstr(hook, "/webhook/") : NULL;
        return path != NULL ? xstrndup(hook, (size_t)(path - hook)) : NULL;
}

static char *known(const struct onboarding *o, const struct json *endpoints, enum onboarding_field field)
{
        const char *plane = o->plane ? o->fields[FIELD_TRACKER_ENDPOINT] : NULL;
        const char *gitea = o->gitea ? o->fields[FIELD_FORGE_ENDPOINT] : NULL;
        const struct json *tracker = plane != NULL ? find_endpoint(endpoints, plane) : NULL;
        const struct json *forge = gitea != NULL ? find_endpoint(endpoints, gitea) : NULL;
        switch ((int)field) {
        case FIELD_TRACKER_URL:
                return text_or_null(tracker, "url");
        case FIELD_TRACKER_TOKEN:
                return text_or_null(tracker, "token_file");
        case FIELD_WORKSPACE:
                return text_or_null(tracker, "workspace");
        case FIELD_FORGE_URL:
                return text_or_null(forge, "url");
        case FIELD_FORGE_TOKEN:
                return text_or_null(forge, "token_file");
        case FIELD_PUBLIC_URL:
                return forge != NULL ? public_url_of(forge) : public_url_of(tracker);
        default:
                return NULL;
        }
}

/* ---- all of it ---- */

static const char *given(const struct ctl *c, const struct field *f)
{
        return f->option != NULL ? args_value(&c->args, f->option) : args_word(&c->args, 1);
}

static int choose(struct onboarding *o, enum onboarding_field field, const char *service, bool *ret)
{
        const char *kind = o->fields[field];
        *ret = strcmp(kind, service) == 0;
        if (*ret || strcmp(kind, "local") == 0)
                return EXIT_OK;
        return ctl_fail(EXIT_USAGE, "--%s is \"%s\", and is %s or local", fields[field].option, kind,
                        service);
}

static bool asks(const struct ctl *c)
{
        return isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && !c->json;
}

/* What nobody says is missing; of a project whose repository is named here, nobody is asked where it is. */
static void collect_field(struct ctl *c, struct onboarding *o, const struct json *endpoints,
                          enum onboarding_field field, struct strbuf *missing)
{
        const struct field *f = &fields[field];
        const char *word = given(c, f);
        char *value = word != NULL ? xstrdup(word) : known(o, endpoints, field);
        bool kinds = field == FIELD_TRACKER || field == FIELD_FORGE;
        if (value == NULL && asks(c) && !(kinds && args_word(&c->args, 1) != NULL))
                value = ask(f);
        if (value == NULL && f->standard != NULL)
                value = xstrdup(f->standard);
        if (value == NULL && !f->may_be_empty)
                strbuf_addf(missing, "%s%s%s%s%s", missing->len > 0 ? ", " : "",
                            f->option != NULL ? "--" : "", f->option != NULL ? f->option : "",
                            f->option != NULL ? " " : "", f->value);
        o->fields[field] = value;
}

static int collect_rest(struct ctl *c, struct onboarding *o, const struct json *endpoints)
{
        _cleanup_(strbuf_deinit) struct strbuf missing = STRBUF_INIT;
        for (int i = FIELD_FORGE + 1; i < FIELD_COUNT; i++)
                if (is_needed(o, fields[i].needed))
                        collect_field(c, o, endpoints, (enum onboarding_field)i, &missing);
                else if (given(c, &fields[i]) != NULL && i == FIELD_PREFIX)
                        o->fields[i] = xstrdup(given(c, &fields[i]));
        if (missing.len == 0)
                return EXIT_OK;
        (void)ctl_fail(EXIT_USAGE, "project add wants %s", missing.buf);
        ctl_hint("on a terminal it asks for what is missing; `orchctl project add --help` explains each");
        return EXIT_USAGE;
}

static char *hook_of(const char *public_url, const char *kind)
{
        if (public_url == NULL)
                return NULL;
        size_t len = strlen(public_url);
        while (len > 0 && public_url[len - 1] == '/')
                len--;
        return xasprintf("%.*s/webhook/%s", (int)len, public_url, kind);
}

/* The daemons have another working folder: the path must be absolute. A path that does not exist here may
 * exist on the hosts that use it. */
static int make_absolute(char **path, const char *what)
{
        char *real = realpath(*path, NULL);
        if (real == NULL && (*path)[0] != '/')
                return ctl_fail(EXIT_FAILED, "cannot find the %s %s: %s", what, *path, strerror(errno));
        if (real != NULL) {
                free(*path);
                *path = real;
        }
        return EXIT_OK;
}

static int make_paths_absolute(struct onboarding *o)
{
        static const enum onboarding_field paths[] = {FIELD_LOCATION, FIELD_TRACKER_TOKEN, FIELD_FORGE_TOKEN};
        int code = EXIT_OK;
        for (size_t i = 0; code == EXIT_OK && i < ARRAY_SIZE(paths); i++)
                if (o->fields[paths[i]] != NULL)
                        code = make_absolute(&o->fields[paths[i]],
                                             paths[i] == FIELD_LOCATION ? "repository" : "token file");
        return code;
}

static int read_endpoints(struct ctl *c, struct json_doc **ret)
{
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        int code = ctl_pg(c);
        if (code == EXIT_OK)
                code = pg_json(c->pg, &Q_CTL_ENDPOINT_LIST, NULL, &json);
        return code == EXIT_OK ? show_parse(&json, ret) : code;
}

int onboarding_collect(struct ctl *c, struct onboarding *o)
{
        _cleanup_(strbuf_deinit) struct strbuf none = STRBUF_INIT;
        struct json_doc *doc = NULL;
        o->name = args_word(&c->args, 0);
        collect_field(c, o, NULL, FIELD_TRACKER, &none); /* both have a standard */
        collect_field(c, o, NULL, FIELD_FORGE, &none);
        int code = choose(o, FIELD_TRACKER, "plane", &o->plane);
        if (code == EXIT_OK)
                code = choose(o, FIELD_FORGE, "gitea", &o->gitea);
        if (code == EXIT_OK && o->gitea && args_word(&c->args, 1) != NULL)
                code = ctl_fail(EXIT_USAGE, "either LOCATION, or a repository of Gitea by --forge-repo");
        if (code == EXIT_OK && (o->plane || o->gitea))
                code = read_endpoints(c, &doc);
        if (code == EXIT_OK)
                code = collect_rest(c, o, doc != NULL ? json_get(json_root(doc), "endpoints") : NULL);
        json_doc_free(doc);
        if (code == EXIT_OK)
                code = make_paths_absolute(o);
        if (code == EXIT_OK) {
                o->plane_hook = hook_of(o->fields[FIELD_PUBLIC_URL], "plane");
                o->gitea_hook = hook_of(o->fields[FIELD_PUBLIC_URL], "gitea");
        }
        return code;
}

void onboarding_deinit(struct onboarding *o)
{
        char *const own[] = {o->plane_hook,      o->gitea_hook,     o->tracker_project, o->identifier,
                             o->tracker_account, o->default_branch, o->forge_account};
        for (size_t i = 0; i < FIELD_COUNT; i++)
                free(o->fields[i]);
        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
                free(own[i]);
}

struct place onboarding_tracker(const struct onboarding *o)
{
        return (struct place){.name = o->fields[FIELD_TRACKER_ENDPOINT],
                              .kind = "plane",
                              .url = o->fields[FIELD_TRACKER_URL],
                              .token_file = o->fields[FIELD_TRACKER_TOKEN],
                              .workspace = o->fields[FIELD_WORKSPACE],
                              .project = o->tracker_project,
                              .hook_url = o->plane_hook};
}

struct place onboarding_forge(const struct onboarding *o)
{
        return (struct place){.name = o->fields[FIELD_FORGE_ENDPOINT],
                              .kind = "gitea",
                              .url = o->fields[FIELD_FORGE_URL],
                              .token_file = o->fields[FIELD_FORGE_TOKEN],
                              .repo = o->fields[FIELD_FORGE_REPO],
                              .hook_url = o->gitea_hook};
}
