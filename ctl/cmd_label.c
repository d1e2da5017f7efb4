/* cmd_label.c - orchctl label set and list: which hosts may run the jobs of a role or a project. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/text.h"
#include "queries.h"

#define LABELS_JSON "\"labels\": [{\"scope\", \"name\", \"requires\"}], \"hosts\": [{\"host\", \"labels\"}]"

static int run_label_set(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_word(&c->args, 1), args_word(&c->args, 2)};
        return show_document(c, &Q_CTL_LABEL_SET, params, show_message);
}

static void add_words(struct strbuf *sb, const struct json *words)
{
        for (size_t i = 0; i < json_len(words); i++) {
                strbuf_addstr(sb, i > 0 ? ", " : "");
                text_clean(sb, json_str(json_at(words, i)));
        }
        strbuf_addch(sb, '\n');
}

static void render_labels(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        const struct json *labels = json_get(doc, "labels"), *hosts = json_get(doc, "hosts");
        (void)term;
        if (json_len(labels) == 0)
                strbuf_addstr(sb, "No labels are required: any host may run any job.\n");
        for (size_t i = 0; i < json_len(labels); i++) {
                text_clean(sb, show_str(json_at(labels, i), "scope"));
                strbuf_addch(sb, ' ');
                text_clean(sb, show_str(json_at(labels, i), "name"));
                strbuf_addstr(sb, " requires: ");
                add_words(sb, json_get(json_at(labels, i), "requires"));
        }
        for (size_t i = 0; i < json_len(hosts); i++) {
                strbuf_addstr(sb, "host ");
                text_clean(sb, show_str(json_at(hosts, i), "host"));
                strbuf_addstr(sb, " has: ");
                add_words(sb, json_get(json_at(hosts, i), "labels"));
        }
}

static int run_label_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_LABEL_LIST, NULL, render_labels);
}

const struct command command_label_set = {
        .name = "label set",
        .group = GROUP_ACT,
        .args = "SCOPE NAME [LABELS]",
        .min_args = 2,
        .max_args = 3,
        .summary = "let only hosts with certain labels run jobs of a role or a project",
        .text = "SCOPE is role or project. LABELS, separated by commas, take the place of those before; "
                "without "
                "them any host may. A host says its own by the option host_labels. What runs already goes "
                "on.",
        .json = "{" LABELS_JSON ", \"message\"}",
        .examples =
                (const struct command_example[]){
                        {"orchctl label set role tester kvm,x86", "Testers need a host with both labels"},
                        {"orchctl label set role tester", "Any host may test again"},
                        {.line = NULL},
                },
        .run = run_label_set,
};

const struct command command_label_list = {
        .name = "label list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "show the labels that hosts must have, and those that they have",
        .text = "A role or a project that is not in the list requires none.",
        .json = "{" LABELS_JSON "}",
        .examples = (const struct command_example[]){{"orchctl label list", "Which host fits what"},
                                                     {.line = NULL}},
        .run = run_label_list,
};
