/* cmd_dead_letter.c - orchctl dead-letter list, retry and drop: effects and events that were given up. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

static void render_letters(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"letter", {.title = "LETTER"}},
                {"kind", {.title = "KIND"}},
                {"object", {.title = "ABOUT", .shrinks = true}},
                {"attempts", {.title = "TRIES", .right = true}},
                {"ended_at", {.title = "GIVEN UP"}},
                {"detail", {.title = "BECAUSE", .shrinks = true}},
        };
        const struct json *letters = json_get(doc, "dead_letters");
        int64_t count = 0;
        if (json_len(letters) == 0) {
                strbuf_addstr(sb, "No effect or event was given up.\n");
                return;
        }
        show_rows(letters, columns, ARRAY_SIZE(columns), term, sb);
        if (json_int(json_get(doc, "count"), &count) && count > (int64_t)json_len(letters))
                strbuf_addf(sb, "The newest %zu of %lld.\n", json_len(letters), (long long)count);
}

static int run_dead_letter_list(struct ctl *c)
{
        int64_t limit;
        int code = ctl_int_option(c, "limit", 1, 1000, 200, &limit);
        if (code != EXIT_OK)
                return code;
        _cleanup_(freep) char *text = xasprintf("%lld", (long long)limit);
        const char *params[] = {text};
        return show_document(c, &Q_CTL_DEAD_LETTER_LIST, params, render_letters);
}

static int run_dead_letter_retry(struct ctl *c)
{
        return show_document(c, &Q_CTL_DEAD_LETTER_RETRY, c->args.words, show_message);
}

static int run_dead_letter_drop(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_value(&c->args, "reason")};
        return show_document(c, &Q_CTL_DEAD_LETTER_DROP, params, show_message);
}

const struct command command_dead_letter_list = {
        .name = "dead-letter list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list the effects and events that were given up",
        .text = "Effects (what was to be done in tracker, forge or notifier) and events (what came in) that "
                "failed too often, or that nothing could be made of. The newest first.",
        .json = "{\"count\", \"dead_letters\": [{\"letter\", \"what\", \"id\", \"kind\", \"object\", "
                "\"detail\", \"attempts\", \"ended_at\"}]}",
        .options =
                (const struct command_option[]){{"limit", 0, "N", "at most so many (200)"}, {.name = NULL}},
        .examples = (const struct command_example[]){{"orchctl dead-letter list", "What was given up"},
                                                     {.line = NULL}},
        .run = run_dead_letter_list,
};

const struct command command_dead_letter_retry = {
        .name = "dead-letter retry",
        .group = GROUP_ACT,
        .args = "LETTER",
        .min_args = 1,
        .max_args = 1,
        .summary = "try an effect or event again that was given up",
        .text = "From its first attempt. Mend first what the list says was wrong. A state of the tracker "
                "that a later one has followed is refused: it would turn the tracker back. What is no dead "
                "letter any more is left as it is.",
        .json = "{\"letter\", \"message\"}",
        .examples = (const struct command_example[]){{"orchctl dead-letter retry effect-12", "Try it again"},
                                                     {.line = NULL}},
        .run = run_dead_letter_retry,
};

const struct command command_dead_letter_drop = {
        .name = "dead-letter drop",
        .group = GROUP_ACT,
        .args = "LETTER",
        .min_args = 1,
        .max_args = 1,
        .summary = "put an effect or event away that was given up and will not be tried again",
        .text = "Lists and counts have it no more. Its row stays, and it can still be tried by its name.",
        .json = "{\"letter\", \"message\"}",
        .options =
                (const struct command_option[]){{"reason", 0, "TEXT", "kept in the history"}, {.name = NULL}},
        .examples = (const struct command_example[]){{"orchctl dead-letter drop event-7 --reason 'a probe'",
                                                      "Have it off the list"},
                                                     {.line = NULL}},
        .run = run_dead_letter_drop,
};
