/*
 * doctor.h - what the checks of `orchctl doctor` share. The table of them is in cmd_doctor.c; one that has
 * said nothing has found all well.
 */
#pragma once

#include <stdint.h>

#include "common/argv.h"
#include "ctl/findings.h"

struct ctl;
struct json;
struct json_doc;
struct options;
struct services;

struct doctor {
        struct ctl *ctl;
        const struct options *opt;
        int64_t timeout_ms; /* of one question */
        struct findings findings;
        struct json_doc *facts; /* what the database knows; NULL: it was not reached */
        struct services *services;
        struct argv unasked; /* endpoints that did not answer: not asked again */
};

typedef void doctor_check_fn(struct doctor *d);

void doctor_say(struct doctor *d, enum finding_level level, const char *subject, const char *mend,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));
const struct json *doctor_facts(const struct doctor *d); /* NULL without a database */
/* What the database has found for the check that runs now: of most checks, all there is. */
doctor_check_fn doctor_say_facts;

/* doctor_host.c: this host */
doctor_check_fn doctor_config, doctor_user, doctor_suite, doctor_programs, doctor_folders, doctor_disk,
        doctor_git, doctor_agents, doctor_secrets;
/* doctor_database.c */
doctor_check_fn doctor_database, doctor_clock;
/* doctor_services.c: one question after the other, to each service */
doctor_check_fn doctor_tokens, doctor_trackers, doctor_forges, doctor_hooks, doctor_notifications;
