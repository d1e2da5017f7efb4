/* doctor_services.c - the checks of orchctl doctor that ask the services outside. */
#include "ctl/doctor.h"

#include <string.h>
#include <sys/stat.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "ctl/checkup.h"
#include "ctl/ctl.h"
#include "ctl/show.h"

static struct checkup checkup_of(struct doctor *d)
{
        return (struct checkup){.services = d->services, .findings = &d->findings};
}

typedef void endpoint_fn(struct doctor *d, const struct checkup *c, struct place *p);

static void each_endpoint(struct doctor *d, endpoint_fn *fn)
{
        const struct json *endpoints = json_get(doctor_facts(d), "endpoints");
        const struct checkup c = checkup_of(d);
        for (size_t i = 0; i < json_len(endpoints); i++) {
                struct place p;
                place_read(&p, show_str(json_at(endpoints, i), "name"),
                           json_get(json_at(endpoints, i), "config"));
                fn(d, &c, &p);
        }
        doctor_say_facts(d);
}

static void check_token(struct doctor *d, const struct checkup *c, struct place *p)
{
        if (!checkup_token(c, p, NULL))
                argv_add(&d->unasked, p->name);
}

void doctor_tokens(struct doctor *d)
{
        each_endpoint(d, check_token);
}

/* One that hangs is waited for once. */
static bool is_unasked(const struct doctor *d, const char *endpoint)
{
        for (size_t i = 0; i < d->unasked.n; i++)
                if (strcmp(d->unasked.words[i], endpoint) == 0)
                        return true;
        return false;
}

typedef void project_fn(struct doctor *d, const struct json *project, struct place *p);

/* Calls fn for each project that has a service of that kind, and one that answers. */
static void each_project(struct doctor *d, const char *kind, project_fn *fn)
{
        bool tracker = strcmp(kind, "plane") == 0;
        const struct json *projects = json_get(doctor_facts(d), "projects");
        for (size_t i = 0; i < json_len(projects); i++) {
                const struct json *project = json_at(projects, i);
                struct place p;
                const char *endpoint = show_str(project, tracker ? "tracker" : "forge_endpoint");
                place_read(&p, show_str(project, "name"),
                           json_get(project, tracker ? "tracker_config" : "forge_config"));
                if (strcmp(p.kind, kind) != 0)
                        continue;
                if (is_unasked(d, endpoint))
                        doctor_say(d, FINDING_WARNING, p.name, NULL, "not asked: %s does not answer",
                                   endpoint);
                else
                        fn(d, project, &p);
        }
}

static void check_tracker(struct doctor *d, const struct json *project, struct place *p)
{
        const struct checkup c = checkup_of(d);
        _cleanup_(freep) char *id = NULL, *identifier = NULL;
        (void)project;
        if (p->project != NULL && checkup_find_project(&c, p, p->project, &id, &identifier))
                (void)checkup_states(&c, p, d->ctl->pg); /* it has said so */
}

void doctor_trackers(struct doctor *d)
{
        each_project(d, "plane", check_tracker);
}

static void check_gitea(struct doctor *d, const struct json *project, struct place *p)
{
        const struct checkup c = checkup_of(d);
        (void)checkup_repo(&c, p, show_str(project, "default_branch"), NULL); /* it has said so */
}

static void check_local(struct doctor *d, const struct json *project)
{
        const char *location = show_str(project, "location");
        _cleanup_(freep) char *objects = xasprintf("%s/objects", location);
        struct stat st;
        if (strcmp(show_str(project, "forge"), "local") == 0 && stat(objects, &st) < 0)
                doctor_say(d, FINDING_WRONG, show_str(project, "name"),
                           "have the same path on every host that runs workers",
                           "%s is no bare repository that this host sees: %s", location, strerror(errno));
}

void doctor_forges(struct doctor *d)
{
        const struct json *projects = json_get(doctor_facts(d), "projects");
        each_project(d, "gitea", check_gitea);
        for (size_t i = 0; i < json_len(projects); i++)
                check_local(d, json_at(projects, i));
}

static void check_hook(struct doctor *d, const struct json *project, struct place *p)
{
        const struct checkup c = checkup_of(d);
        int64_t id = 0;
        p->hook_url = json_str(json_get(project, "forge_hook"));
        if (p->hook_url == NULL)
                doctor_say(d, FINDING_WARNING, p->name, "orchctl endpoint set NAME ... --hook-url URL",
                           "it is not known where its webhook is to go, so nobody looks whether it does");
        else
                (void)checkup_hook(&c, p, FINDING_WRONG, &id); /* it has said so */
}

void doctor_hooks(struct doctor *d)
{
        each_project(d, "gitea", check_hook);
        doctor_say_facts(d);
}

static void check_chat(struct doctor *d, const struct checkup *c, struct place *p)
{
        if (strcmp(p->kind, "telegram") == 0 && !is_unasked(d, p->name))
                (void)checkup_chat(c, p); /* it has said so */
}

void doctor_notifications(struct doctor *d)
{
        each_endpoint(d, check_chat);
}
