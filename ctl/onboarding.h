/*
 * onboarding.h - what `orchctl project add` has to know: from the command line, from endpoints that are
 * registered already, and, on a terminal, from whoever sits there. Without a terminal nobody is asked.
 */
#pragma once

#include <stdbool.h>

#include "ctl/checkup.h"

struct ctl;
struct strbuf;

enum onboarding_field {
        FIELD_TRACKER,
        FIELD_FORGE,
        FIELD_LOCATION,
        FIELD_TRACKER_ENDPOINT,
        FIELD_TRACKER_URL,
        FIELD_TRACKER_TOKEN,
        FIELD_WORKSPACE,
        FIELD_TRACKER_PROJECT,
        FIELD_FORGE_ENDPOINT,
        FIELD_FORGE_URL,
        FIELD_FORGE_TOKEN,
        FIELD_FORGE_REPO,
        FIELD_PUBLIC_URL,
        FIELD_PREFIX,
        FIELD_TEST,
        FIELD_COUNT
};

struct onboarding {
        const char *name; /* of the project */
        char *fields[FIELD_COUNT];
        bool plane, gitea; /* which services outside there are */
        char *plane_hook, *gitea_hook;
        /* found out by the checks */
        char *tracker_project, *identifier, *tracker_account;
        char *default_branch, *forge_account;
        enum checkup_hook hook;
        int64_t hook_id;
};

/* EXIT_OK, or the exit code with the reason said. */
int onboarding_collect(struct ctl *c, struct onboarding *o);
void onboarding_deinit(struct onboarding *o);

struct place onboarding_tracker(const struct onboarding *o);
struct place onboarding_forge(const struct onboarding *o);

/* onboarding_check.c: says all that it finds; reads only. */
void onboarding_check(struct ctl *c, const struct checkup *checkup, struct onboarding *o);
/* Makes the webhook in Gitea unless it is there: EXIT_OK, or the exit code with the reason said. */
int onboarding_hook(struct ctl *c, struct services *services, const struct onboarding *o);

/* onboarding_by_hand.c: what only a person can do, in Plane and Gitea; numbered lines. */
void onboarding_by_hand(const struct ctl *c, const struct onboarding *o, struct strbuf *sb);
