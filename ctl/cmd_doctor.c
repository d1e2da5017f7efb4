/* cmd_doctor.c - orchctl doctor: is the whole installation as it should be, and if not, how is it mended? */
#include "ctl/commands.h"

#include <stdbool.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/doctor.h"
#include "ctl/services.h"
#include "ctl/show.h"

#define TIMEOUT_MS 5000

struct check {
        const char *name, *what;
        bool wants_database;
        doctor_check_fn *run;
};

/* In the order in which one would look: what comes first explains what comes later. */
static const struct check checks[] = {
        {"configuration", "the configuration file of this host", false, doctor_config},
        {"user", "run by the user of the suite, who owns state_dir", false, doctor_user},
        {"database", "reachable, and its schema fits this program", false, doctor_database},
        {"clock", "this host's clock and that of the database", true, doctor_clock},
        {"rights", "each daemon's role, and what it may do", true, doctor_say_facts},
        {"suite", "runs on this host and is ready", false, doctor_suite},
        {"hosts", "daemons of all hosts are alive, and of one version", true, doctor_say_facts},
        {"programs", "all of the suite's are in bin_dir, and can be run", false, doctor_programs},
        {"folders", "state_dir and what is in it: ours, and nobody else writes it", false, doctor_folders},
        {"disk", "room on this host, and what other hosts have told", false, doctor_disk},
        {"git", "is there, and new enough", false, doctor_git},
        {"agents", "their commands are there, on all hosts", false, doctor_agents},
        {"secrets", "files of webhook secrets and operator tokens", false, doctor_secrets},
        {"services", "each service outside answers and takes our token", true, doctor_tokens},
        {"trackers", "the projects in Plane, and their states", true, doctor_trackers},
        {"forges", "the repositories, and what we may do there", true, doctor_forges},
        {"hooks", "webhooks are there, active, and come in", true, doctor_hooks},
        {"notifications", "somebody is told of what goes wrong", true, doctor_notifications},
        {"letters", "nothing was given up or is left lying", true, doctor_say_facts},
        {"alerts", "nothing waits for a person that nobody looks after", true, doctor_say_facts},
};

void doctor_say(struct doctor *d, enum finding_level level, const char *subject, const char *mend,
                const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        findings_vsay(&d->findings, level, subject, mend, fmt, ap);
        va_end(ap);
}

const struct json *doctor_facts(const struct doctor *d)
{
        return d->facts != NULL ? json_root(d->facts) : NULL;
}

void doctor_say_facts(struct doctor *d)
{
        const struct json *found = json_get(doctor_facts(d), "findings");
        for (size_t i = 0; i < json_len(found); i++) {
                const struct json *f = json_at(found, i);
                bool wrong = strcmp(show_str(f, "level"), "wrong") == 0;
                if (strcmp(show_str(f, "check_name"), d->findings.check) == 0)
                        doctor_say(d, wrong ? FINDING_WRONG : FINDING_WARNING, show_str(f, "subject"),
                                   show_str(f, "mend"), "%s", show_str(f, "says"));
        }
}

static void run_check(struct doctor *d, const struct check *check)
{
        size_t before = d->findings.n;
        d->findings.check = check->name;
        if (check->wants_database && d->facts == NULL)
                doctor_say(d, FINDING_WARNING, "", NULL, "not checked: only the database knows");
        else
                check->run(d);
        if (d->findings.n == before)
                doctor_say(d, FINDING_FINE, "", NULL, "%s", check->what);
}

static int print_end(const struct doctor *d)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        size_t wrong = findings_count(&d->findings, FINDING_WRONG);
        size_t warnings = findings_count(&d->findings, FINDING_WARNING);
        if (d->ctl->json) {
                struct json_out *j = json_out_new(true);
                json_out_object(j);
                findings_json(&d->findings, j);
                json_out_object_end(j);
                json_out_finish(j, &sb);
                json_out_free(j);
        } else {
                strbuf_addf(&sb, "%zu checks: %zu wrong, %zu %s\n", ARRAY_SIZE(checks), wrong, warnings,
                            warnings == 1 ? "warning" : "warnings");
        }
        int code = ctl_print(&sb);
        return code == EXIT_OK && wrong > 0 ? EXIT_FAILED : code;
}

/* Each check's lines as soon as it has ended: one that waits for a service shows who is waited for. */
static int run_checks(struct doctor *d)
{
        int code = EXIT_OK;
        for (size_t i = 0; code == EXIT_OK && i < ARRAY_SIZE(checks); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                size_t from = d->findings.n;
                run_check(d, &checks[i]);
                findings_print(&d->findings, from, &d->ctl->term, &sb);
                if (!d->ctl->json)
                        code = ctl_print(&sb);
        }
        return code == EXIT_OK ? print_end(d) : code;
}

static int run_doctor(struct ctl *c)
{
        struct errinfo err = ERRINFO_INIT;
        struct doctor d = {.ctl = c, .findings = FINDINGS_INIT, .unasked = ARGV_INIT};
        int code = ctl_options(c);
        if (code == EXIT_OK)
                code = ctl_duration_option(c, "timeout", TIMEOUT_MS, &d.timeout_ms);
        if (code != EXIT_OK)
                return code;
        d.opt = c->opt;
        d.services = services_new(c->opt, d.timeout_ms, &err);
        code = d.services != NULL ? run_checks(&d) : ctl_fail(EXIT_FAILED, "%s", err.text);
        services_free(d.services);
        json_doc_free(d.facts);
        argv_deinit(&d.unasked);
        findings_deinit(&d.findings);
        return code;
}

const struct command command_doctor = {
        .name = "doctor",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "check the whole installation, and say how to mend what is wrong",
        .text = "Configuration, database, clocks, rights, hosts, folders, disks, git, agents, secrets, "
                "tokens, "
                "trackers, forges, webhooks, notifications, and what waits for people. It only looks. Run it "
                "on "
                "each host, as the user of the suite. Without a database it checks what this host knows. "
                "Exit 0: "
                "nothing is wrong, though there may be warnings; 1: something is.\n\nA service outside is "
                "asked "
                "a few harmless questions with our token, each for --timeout at most.",
        .json = "{\"wrong\", \"warnings\", \"findings\": [{\"check\", \"level\" (fine, warning, wrong), "
                "\"subject\", \"says\", \"mend\"}]}",
        .options =
                (const struct command_option[]){
                        {"timeout", 0, "TIME", "how long a service may take to answer (5s)"},
                        {.name = NULL},
                },
        .examples = (const struct command_example[]){{"orchctl doctor",
                                                      "After an installation, and when in doubt"},
                                                     {"orchctl doctor --json", "For a monitoring system"},
                                                     {.line = NULL}},
        .run = run_doctor,
};
