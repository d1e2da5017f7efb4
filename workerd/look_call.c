/* look_call.c - see look_call.h. */
#include "workerd/look_call.h"

#include <errno.h>
#include <string.h>

#include "common/gitea.h"
#include "common/mem.h"
#include "common/plane.h"
#include "workerd/endpoint.h"

static void on_plane(void *arg, const struct port_answer *answer, const char *json)
{
        struct look_call *call = arg;
        call->plane_call = NULL;
        call->fn(call->arg, answer, json);
}

static void on_gitea(void *arg, const struct port_answer *answer, const char *json)
{
        struct look_call *call = arg;
        call->gitea_call = NULL;
        call->fn(call->arg, answer, json);
}

static void ask_item(struct look_call *call, const struct look_spec *spec)
{
        call->plane_call = plane_item(call->plane, spec->object, spec->parts, on_plane, call);
}

static void ask_items(struct look_call *call, const struct look_spec *spec)
{
        call->plane_call =
                plane_items(call->plane, spec->object[0] != '\0' ? spec->object : NULL, on_plane, call);
}

static void ask_hooks(struct look_call *call, const struct look_spec *spec)
{
        (void)spec;
        call->gitea_call = gitea_hooks(call->gitea, on_gitea, call);
}

static void ask_states(struct look_call *call, const struct look_spec *spec)
{
        (void)spec; /* of the project, which the endpoint names */
        call->plane_call = plane_board(call->plane, on_plane, call);
}

static void ask_status(struct look_call *call, const struct look_spec *spec)
{
        call->gitea_call = gitea_statuses(call->gitea, spec->object, on_gitea, call);
}

static const struct {
        const char *adapter, *kind;
        void (*ask)(struct look_call *call, const struct look_spec *spec);
} questions[] = {
        {"plane", "items", ask_items},   {"gitea", "hooks", ask_hooks},   {"plane", "item", ask_item},
        {"plane", "states", ask_states}, {"gitea", "status", ask_status},
};

int look_call_start(struct look_call *call, struct http_client *http, const struct look_spec *spec,
                    port_json_fn *fn, void *arg, struct errinfo *err)
{
        struct endpoint e;
        *call = (struct look_call){.fn = fn, .arg = arg};
        if (endpoint_read(&e, spec->endpoint, err) < 0)
                return -EINVAL;
        for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
                if (strcmp(questions[i].adapter, spec->adapter) != 0 ||
                    strcmp(questions[i].kind, spec->kind) != 0)
                        continue;
                if (strcmp(spec->adapter, "plane") == 0)
                        call->plane = endpoint_plane(&e, http);
                else
                        call->gitea = endpoint_gitea(&e, http);
                questions[i].ask(call, spec);
                return 0;
        }
        err_set(err, "", "there is no question %s for adapter \"%s\"", spec->kind, spec->adapter);
        return -EINVAL;
}

void look_call_deinit(struct look_call *call)
{
        plane_cancel(take_ptr(call->plane_call));
        plane_free(take_ptr(call->plane));
        gitea_cancel(take_ptr(call->gitea_call));
        gitea_free(take_ptr(call->gitea));
}
