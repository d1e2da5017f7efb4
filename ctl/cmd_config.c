/*
 * cmd_config.c - orchctl config: settings, which live in the database and count for every host, and options,
 * which live in the configuration file of this host.
 */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/pg.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "queries.h"

/* --- settings of the database
 * -------------------------------------------------------------------------------- */

static void render_settings(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"key", {.title = "SETTING"}},
                {"value", {.title = "VALUE"}},
                {"standard", {.title = "STANDARD"}},
                {"about", {.title = "WHAT IT DOES", .shrinks = true}},
        };
        show_rows(json_get(doc, "settings"), columns, ARRAY_SIZE(columns), term, sb);
}

static int no_setting(const char *key)
{
        (void)ctl_fail(EXIT_FAILED, "there is no setting \"%s\"", key);
        ctl_hint("List them with: orchctl config show");
        return EXIT_FAILED;
}

static int run_config_show(struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        const char *key = args_word(&c->args, 0), *params[] = {key};
        struct json_doc *doc = NULL;
        int code = ctl_pg(c);
        if (code == EXIT_OK)
                code = pg_json(c->pg, &Q_CTL_SETTINGS, params, &json);
        if (code == EXIT_OK)
                code = show_parse(&json, &doc);
        if (code == EXIT_OK && key != NULL && json_len(json_get(json_root(doc), "settings")) == 0)
                code = no_setting(key);
        if (code == EXIT_OK)
                code = show_text(c, &json, render_settings);
        json_doc_free(doc);
        return code;
}

static void render_changed(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        (void)term;
        show_form(sb, "{key} = {value} (was {before})\n", doc);
        const struct json *dropped = json_get(doc, "dropped");
        for (size_t i = 0; i < json_len(dropped); i++) {
                strbuf_addstr(sb, i == 0 ? "No names of repos, and so not counted: " : ", ");
                text_clean(sb, json_str(json_at(dropped, i)));
        }
        if (json_len(dropped) > 0)
                strbuf_addch(sb, '\n');
}

static int run_config_set(struct ctl *c)
{
        return show_document(c, &Q_CTL_SETTING_SET, c->args.words, render_changed);
}

/* --- options of this host
 * ------------------------------------------------------------------------------------ */

static void on_option_row(void *arg, const struct option_info *info)
{
        struct table *t = arg;
        table_add(t, info->name);
        table_add(t, info->value);
        table_add(t, info->origin);
}

static void dump_table(const struct ctl *c, struct strbuf *sb)
{
        static const struct table_column columns[] = {
                {.title = "OPTION"}, {.title = "VALUE", .shrinks = true}, {.title = "FROM", .shrinks = true}};
        struct table t;
        table_init(&t, columns, ARRAY_SIZE(columns));
        options_visit(c->opt, on_option_row, &t);
        table_print(&t, &c->term, sb);
        table_deinit(&t);
}

static void on_option_json(void *arg, const struct option_info *info)
{
        struct json_out *j = arg;
        json_out_object(j);
        json_out_kstr(j, "name", info->name);
        json_out_kstr(j, "type", info->type);
        json_out_kstr(j, "value", info->value);
        json_out_kstr(j, "default", info->def);
        json_out_kstr(j, "origin", info->origin);
        json_out_kbool(j, "reloadable", info->reloadable);
        json_out_kstr(j, "help", info->help);
        json_out_object_end(j);
}

static void dump_json(const struct ctl *c, struct strbuf *sb)
{
        struct json_out *j = json_out_new(true);
        json_out_object(j);
        json_out_kstr(j, "file", c->config_path);
        json_out_key(j, "options");
        json_out_array(j);
        options_visit(c->opt, on_option_json, j);
        json_out_array_end(j);
        json_out_object_end(j);
        json_out_finish(j, sb);
        json_out_free(j);
        strbuf_addch(sb, '\n');
}

static int run_config_dump(struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        int code = ctl_options(c);
        if (code != EXIT_OK)
                return code;
        if (c->json)
                dump_json(c, &sb);
        else
                dump_table(c, &sb);
        return ctl_print(&sb);
}

static int run_config_check(struct ctl *c)
{
        int code = ctl_options(c);
        if (code == EXIT_OK)
                ctl_note("%s: fine",
                         c->config_path != NULL ? c->config_path : "no configuration file: the defaults");
        return code;
}

const struct command command_config_show = {
        .name = "config show",
        .group = GROUP_SETUP,
        .args = "[SETTING]",
        .max_args = 1,
        .summary = "show the settings in the database, which count for every host",
        .text = "Switches, scopes and limits of the scheduler. `orchctl config set` changes one; every host "
                "sees it at its "
                "next claim.",
        .json = "{\"settings\": [{\"key\", \"value\", \"standard\", \"kind\", \"about\", \"changed_at\", "
                "\"changed_by\"}]}",
        .examples =
                (const struct command_example[]){
                        {"orchctl config show", "All settings and what they do"},
                        {"orchctl config show serial_gate_enabled --json", "One of them, for a script"},
                        {.line = NULL},
                },
        .run = run_config_show,
};

const struct command command_config_set = {
        .name = "config set",
        .group = GROUP_SETUP,
        .args = "SETTING VALUE",
        .min_args = 2,
        .max_args = 2,
        .summary = "change a setting in the database, for every host",
        .text = "Switches are on or off, limits whole numbers, scopes names of repos apart by blanks (empty: "
                "all repos). "
                "The change is in the history, and counts from the next claim on; nothing has to be "
                "restarted.",
        .json = "{\"key\", \"value\", \"before\", \"about\"}",
        .examples =
                (const struct command_example[]){
                        {"orchctl config set serial_gate_enabled off",
                         "Let several work items of a repo run at once"},
                        {"orchctl config set serial_gate_repos 'demo website'",
                         "Only these repos one at a time"},
                        {.line = NULL},
                },
        .run = run_config_set,
};

const struct command command_config_check = {
        .name = "config check",
        .group = GROUP_SETUP,
        .args = "",
        .summary = "check the configuration file of this host",
        .text = "Reads it as the daemons do. An error names line, option and reason (exit 78); an unknown "
                "option is an error.",
        .examples =
                (const struct command_example[]){
                        {"orchctl --config new.conf config check && cp new.conf "
                         "/etc/orchestrator/orchestrator.conf",
                         "Before it counts"},
                        {.line = NULL},
                },
        .run = run_config_check,
};

const struct command command_config_dump = {
        .name = "config dump",
        .group = GROUP_SETUP,
        .args = "",
        .summary = "show the options of this host, and where each value comes from",
        .text = "FROM is the line of the file, the environment, or default. Settings, which count for every "
                "host, are shown "
                "by `orchctl config show`.",
        .json = "{\"file\" (or null), \"options\": [{\"name\", \"type\", \"value\", \"default\", \"origin\", "
                "\"reloadable\", "
                "\"help\"}]}",
        .examples =
                (const struct command_example[]){{"orchctl config dump", "What is in force here, and why"},
                                                 {.line = NULL}},
        .run = run_config_dump,
};
