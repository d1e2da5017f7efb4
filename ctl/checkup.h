/*
 * checkup.h - checks of services outside, before a project is connected to them and whenever orchctl doctor
 * looks: the token, the project of a tracker and its states, the repository of a forge and its webhook.
 *
 * Each asks by the adapters of the daemons, reads only, and says what it found. The answer is whether to go
 * on with what stands on it. A token is never in what is said.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctl/findings.h"

struct json;
struct pg;
struct services;

struct checkup {
        struct services *services;
        struct findings *findings;
};

/* One service, and what of it is used; strings are borrowed. NULL: there is none, or it is not known. */
struct place {
        const char *name; /* as findings call it */
        const char *kind; /* plane, gitea or telegram */
        const char *url;
        const char *token_file;
        const char *workspace, *segment, *project; /* plane; the project by its UUID */
        const char *repo;                          /* gitea: OWNER/NAME */
        const char *hook_url;                      /* where its webhooks are to go */
        int64_t chat;                              /* telegram */
};

/* From orch.endpoint_json(); borrows. */
void place_read(struct place *ret, const char *name, const struct json *config);

/* That the file can be used, and the service takes what is in it. *ret_account (the caller frees it; NULL
 * wants none) is who we are there: a UUID in plane, a login in gitea. */
bool checkup_token(const struct checkup *c, const struct place *p, char **ret_account);
/* The project of that identifier or UUID: both are returned, the caller frees them. */
bool checkup_find_project(const struct checkup *c, const struct place *p, const char *wanted, char **ret_id,
                          char **ret_identifier);
/* I-2: which states are there, which are missing, and what that disables. */
bool checkup_states(const struct checkup *c, const struct place *p, struct pg *pg);
/* That we may push, and the branch is there, and not everybody's. *ret_branch is the default branch; the
 * caller frees it. */
bool checkup_repo(const struct checkup *c, const struct place *p, const char *expected_branch,
                  char **ret_branch);
enum checkup_hook { CHECKUP_HOOK_GOOD, CHECKUP_HOOK_MISSING, CHECKUP_HOOK_WRONG, CHECKUP_HOOK_UNKNOWN };
/* Whether there is a webhook to `hook_url`, active, for what we hear. `missing_is` is how bad it is when it
 * is not there. */
enum checkup_hook checkup_hook(const struct checkup *c, const struct place *p, enum finding_level missing_is,
                               int64_t *ret_id);
/* Telegram: that we are in the chat. */
bool checkup_chat(const struct checkup *c, const struct place *p);
