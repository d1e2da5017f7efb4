/* prune_command.c - finds and replaces the age. */
#include "common/prune_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/strbuf.h"

static const struct unit {
        const char *name; /* in the command */
        int64_t ms;
} units[] = {
        {"{min_age_s}", 1000},
        {"{min_age_m}", 60000},
        {"{min_age_h}", 3600000},
        {"{min_age_d}", 86400000},
};

static const struct unit *unit_at(const char *s)
{
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
                if (strncmp(s, units[i].name, strlen(units[i].name)) == 0)
                        return &units[i];
        return NULL;
}

/* Appends the word with its ages in numbers. 1 when there was one, 0, or -EINVAL. */
static int fill_in(const char *word, int64_t min_age_ms, struct strbuf *sb, struct errinfo *err)
{
        int found = 0;
        while (*word != '\0') {
                const struct unit *unit = *word == '{' ? unit_at(word) : NULL;
                if (unit == NULL) {
                        strbuf_addch(sb, *word++);
                        continue;
                }
                if (min_age_ms < unit->ms) {
                        err_set(err, NULL,
                                "option \"cache_prune_min_age\" is less than one unit of %s in "
                                "\"cache_prune_command\", and would filter nothing",
                                unit->name);
                        return -EINVAL;
                }
                strbuf_addf(sb, "%" PRId64, min_age_ms / unit->ms);
                word += strlen(unit->name);
                found = 1;
        }
        return found;
}

int prune_command(struct argv *words, const char *command, int64_t min_age_ms, struct errinfo *err)
{
        _cleanup_(argv_deinit) struct argv raw = ARGV_INIT;
        struct errinfo why = ERRINFO_INIT;
        bool filtered = false;
        if (min_age_ms <= 0) {
                err_set(err, NULL,
                        "option \"cache_prune_command\" needs \"cache_prune_min_age\": what is "
                        "younger than that must not be pruned");
                return -EINVAL;
        }
        if (argv_split(&raw, command, &why) < 0) {
                err_set(err, NULL, "option \"cache_prune_command\": %s", why.text);
                return -EINVAL;
        }
        for (size_t i = 0; i < raw.n; i++) {
                _cleanup_(strbuf_deinit) struct strbuf word = STRBUF_INIT;
                int r = fill_in(raw.words[i], min_age_ms, &word, err);
                if (r < 0)
                        return r;
                filtered |= r > 0;
                argv_add(words, word.buf);
        }
        if (filtered)
                return 0;
        err_set(err, NULL,
                "option \"cache_prune_command\" has no age filter: say where it goes, by "
                "{min_age_s}, {min_age_m}, {min_age_h} or {min_age_d}");
        return -EINVAL;
}
