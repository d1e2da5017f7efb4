/* checkup_tracker.c - a project of Plane: that it is there, and which of its states mean something to us. */
#include "ctl/checkup_internal.h"

#include <string.h>
#include <strings.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/plane.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/pg.h"
#include "ctl/services.h"
#include "ctl/show.h"
#include "queries.h"

/* ---- which project ---- */

static void say_what_there_is(const struct checkup *c, const struct place *p, const char *wanted,
                              const struct json *projects)
{
        _cleanup_(strbuf_deinit) struct strbuf names = STRBUF_INIT;
        for (size_t i = 0; i < json_len(projects) && i < 20; i++)
                strbuf_addf(&names, "%s%s", i > 0 ? ", " : "", show_str(json_at(projects, i), "identifier"));
        findings_say(
                c->findings, FINDING_WRONG, p->name,
                "give its identifier (the letters before the number of an item) or its UUID; the account "
                "of the token must be a member",
                "workspace %s has no project \"%s\"; the token shows: %s", p->workspace, wanted,
                names.len > 0 ? names.buf : "none");
}

static const struct json *find(const struct json *projects, const char *wanted)
{
        for (size_t i = 0; i < json_len(projects); i++) {
                const struct json *project = json_at(projects, i);
                if (strcasecmp(show_str(project, "id"), wanted) == 0 ||
                    strcasecmp(show_str(project, "identifier"), wanted) == 0)
                        return project;
        }
        return NULL;
}

bool checkup_find_project(const struct checkup *c, const struct place *p, const char *wanted, char **ret_id,
                          char **ret_identifier)
{
        struct plane *plane = checkup_plane(c, p);
        (void)plane_projects(plane, services_answer, c->services);
        (void)services_wait(c->services);
        plane_free(plane);
        if (checkup_failed(c, p, "the projects of the workspace"))
                return false;
        const struct json *projects = json_get(services_json(c->services), "projects");
        const struct json *found = find(projects, wanted);
        if (found == NULL) {
                say_what_there_is(c, p, wanted, projects);
                return false;
        }
        findings_say(c->findings, FINDING_FINE, p->name, NULL, "project %s is %s (%s)",
                     show_str(found, "identifier"), show_str(found, "name"), show_str(found, "id"));
        *ret_id = xstrdup(show_str(found, "id"));
        *ret_identifier = xstrdup(show_str(found, "identifier"));
        return true;
}

/* ---- its states ---- */

/* The answer as the database wants it: [{"id","name","group"}]. */
static char *states_text(const struct json *states)
{
        static const char *const keys[] = {"id", "name", "group"};
        struct strbuf sb = STRBUF_INIT;
        struct json_out *j = json_out_new(false);
        json_out_array(j);
        for (size_t i = 0; i < json_len(states); i++) {
                json_out_object(j);
                for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
                        json_out_kstr(j, keys[k], json_str(json_get(json_at(states, i), keys[k])));
                json_out_object_end(j);
        }
        json_out_array_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        return strbuf_take(&sb);
}

static void say_report(const struct checkup *c, const struct place *p, const struct json *report)
{
        const struct json *missing = json_get(report, "missing");
        for (size_t i = 0; i < json_len(missing); i++) {
                const struct json *state = json_at(missing, i);
                bool wrong = false;
                (void)json_bool(json_get(state, "wrong"), &wrong); /* absent: it is not */
                findings_say(c->findings, wrong ? FINDING_WRONG : FINDING_WARNING, p->name,
                             "add it in Plane: settings of the project, States",
                             "no state \"%s\" (group %s): %s", show_str(state, "label"),
                             show_str(state, "group"), show_str(state, "disables"));
        }
        const struct json *colliding = json_get(report, "colliding");
        for (size_t i = 0; i < json_len(colliding); i++)
                findings_say(c->findings, FINDING_WRONG, p->name, "rename all but one of them in Plane",
                             "these states cannot be told apart, so none counts as %s: %s",
                             show_str(json_at(colliding, i), "label"),
                             show_str(json_at(colliding, i), "names"));
        findings_say(c->findings, FINDING_FINE, p->name, NULL, "states that are shown or heard: %s",
                     show_str(report, "found"));
}

bool checkup_states(const struct checkup *c, const struct place *p, struct pg *pg)
{
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        struct json_doc *doc = NULL;
        struct plane *plane = checkup_plane(c, p);
        (void)plane_states(plane, services_answer, c->services);
        (void)services_wait(c->services);
        plane_free(plane);
        if (checkup_failed(c, p, "the states of the project"))
                return false;
        _cleanup_(freep) char *states = states_text(json_get(services_json(c->services), "states"));
        if (pg_json(pg, &Q_CTL_STATES_REPORT, (const char *const[]){states}, &json) != EXIT_OK ||
            show_parse(&json, &doc) != EXIT_OK)
                return false;
        say_report(c, p, json_root(doc));
        json_doc_free(doc);
        return true;
}
