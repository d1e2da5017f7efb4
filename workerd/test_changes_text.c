/* test_changes_text.c - the signals, from git's words. Pure. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "workerd/test_changes.h"

/* ---- patterns ---- */

/* Whether a folder above the file is called so. */
static bool below_folder(const char *folder, const char *path)
{
        if (strchr(folder, '/') != NULL)
                return strncmp(folder, path, strlen(folder)) == 0 && path[strlen(folder)] == '/';
        for (const char *at = path, *slash; (slash = strchr(at, '/')) != NULL; at = slash + 1) {
                _cleanup_(freep) char *name = xstrndup(at, (size_t)(slash - at));
                if (fnmatch(folder, name, 0) == 0)
                        return true;
        }
        return false;
}

static bool matches(char *pattern, const char *path)
{
        size_t len = strlen(pattern);
        if (len > 1 && pattern[len - 1] == '/') {
                pattern[len - 1] = '\0';
                return below_folder(pattern, path);
        }
        if (strchr(pattern, '/') != NULL)
                return fnmatch(pattern, path, FNM_PATHNAME) == 0;
        const char *slash = strrchr(path, '/');
        return fnmatch(pattern, slash != NULL ? slash + 1 : path, 0) == 0;
}

bool test_changes_match(const char *globs, const char *path)
{
        _cleanup_(freep) char *copy = xstrdup(globs != NULL ? globs : "");
        char *rest = NULL;
        for (char *glob = strtok_r(copy, "\n", &rest); glob != NULL; glob = strtok_r(NULL, "\n", &rest))
                if (matches(glob, path))
                        return true;
        return false;
}

/* A file that the test command names decides as well. */
static bool is_named(const char *command, const char *path)
{
        _cleanup_(freep) char *copy = xstrdup(command != NULL ? command : "");
        char *rest = NULL;
        for (char *word = strtok_r(copy, " \t\n;&|()'\"", &rest); word != NULL;
             word = strtok_r(NULL, " \t\n;&|()'\"", &rest)) {
                if (strncmp(word, "./", 2) == 0)
                        word += 2;
                if (strcmp(word, path) == 0)
                        return true;
        }
        return false;
}

/* ---- files ---- */

/* The text up to the next NUL; NULL when there is none. */
static const char *next_text(const char **at, const char *limit)
{
        const char *text = *at;
        const char *nul = text < limit ? memchr(text, '\0', (size_t)(limit - text)) : NULL;
        if (nul == NULL)
                return NULL;
        *at = nul + 1;
        return text;
}

/* Names are foreign: nothing in one may begin another line. */
static void signal_about(struct argv *ret, const char *what, const char *path)
{
        argv_addf(ret, "%s: %s", what, path);
        for (char *c = ret->words[ret->n - 1]; *c != '\0'; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '`')
                        *c = '?';
}

static void note_file(char status, const char *old, const char *new, const struct run_info *info,
                      struct argv *ret)
{
        bool was_test = test_changes_match(info->test_globs, old);
        if (was_test && status == 'D')
                signal_about(ret, "a test file is removed", old);
        else if (was_test && status == 'R' && !test_changes_match(info->test_globs, new))
                signal_about(ret, "a test file is renamed to what is no test", old);
        if (status == 'A' && test_changes_match(info->test_globs, new))
                return; /* a new test, whatever it is called */
        const char *path = status == 'A' ? new : old;
        if (test_changes_match(info->gate_config_globs, path) || is_named(info->test_command, path))
                signal_about(ret, "a file that decides what a gate demands is changed", path);
}

/* ":MODE MODE OID OID STATUS" NUL "PATH" NUL, with a second path after a rename or copy */
static int read_raw(const char **at, const char *limit, const struct run_info *info, struct argv *ret)
{
        const char *head = next_text(at, limit);
        const char *blank = head != NULL ? strrchr(head, ' ') : NULL;
        const char *old = next_text(at, limit), *new = old;
        if (blank == NULL || old == NULL)
                return -EINVAL;
        if (blank[1] == 'R' || blank[1] == 'C')
                new = next_text(at, limit);
        if (new == NULL)
                return -EINVAL;
        note_file(blank[1], old, new, info, ret);
        return 0;
}

struct lines {
        unsigned long added, removed;
};

/* "ADDED TAB REMOVED TAB PATH" NUL, or for a rename with an empty path and two texts after it; "-" is binary
 */
static int read_count(const char **at, const char *limit, const struct run_info *info, struct lines *sum)
{
        const char *text = next_text(at, limit);
        const char *tab = text != NULL ? strchr(text, '\t') : NULL;
        const char *tab2 = tab != NULL ? strchr(tab + 1, '\t') : NULL;
        if (tab2 == NULL)
                return -EINVAL;
        const char *old = tab2 + 1, *new = old;
        if (*old == '\0') {
                old = next_text(at, limit);
                new = next_text(at, limit);
        }
        if (old == NULL || new == NULL)
                return -EINVAL;
        if (!test_changes_match(info->test_globs, old) && !test_changes_match(info->test_globs, new))
                return 0;
        sum->added += strtoul(text, NULL, 10);
        sum->removed += strtoul(tab + 1, NULL, 10);
        return 0;
}

int test_changes_files(const char *out, size_t len, const struct run_info *info, struct argv *ret)
{
        const char *limit = out + len;
        struct lines sum = {.added = 0};
        for (const char *at = out; at < limit;) {
                int r = *at == ':' ? read_raw(&at, limit, info, ret) : read_count(&at, limit, info, &sum);
                if (r < 0)
                        return r;
        }
        if (sum.removed > sum.added)
                argv_addf(ret, "more test lines are removed (%lu) than added (%lu)", sum.removed, sum.added);
        return 0;
}

/* ---- skips ---- */

static const char *const markers[] = {
        "@pytest.mark.skip",
        "@pytest.mark.xfail",
        "pytest.skip(",
        "pytest.xfail(",
        "@unittest.skip",
        "@unittest.expectedFailure",
        "self.skipTest(",
        "it.skip(",
        "test.skip(",
        "describe.skip(",
        "xit(",
        "xtest(",
        "xdescribe(",
        "it.only(",
        "test.only(",
        "describe.only(",
        "fit(",
        "fdescribe(",
        "t.Skip(",
        "t.Skipf(",
        "t.SkipNow(",
        "#[ignore",
        "@Ignore",
        "@Disabled",
        "[Ignore",
        "[Fact(Skip",
        "[Theory(Skip",
        "GTEST_SKIP(",
        "markTestSkipped(",
        "markTestIncomplete(",
        "@tag :skip",
};

static bool is_word(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* As a word of its own: exit( is no xit(, and model.fit( is no fit(. */
static bool has_marker(const char *line, const char *marker)
{
        size_t len = strlen(marker);
        for (const char *at = strstr(line, marker); at != NULL; at = strstr(at + 1, marker)) {
                char before = at > line ? at[-1] : ' ';
                bool begins = !is_word(marker[0]) || (!is_word(before) && before != '.' && before != '$');
                bool ends = strcmp(marker, "@Ignore") != 0 && strcmp(marker, "@Disabled") != 0;
                if (begins && (ends || !is_word(at[len])))
                        return true;
        }
        return false;
}

void test_changes_skips(const char *patch, size_t len, struct argv *ret)
{
        long more[ARRAY_SIZE(markers)] = {0};
        for (const char *at = patch, *limit = patch + len; at < limit;) {
                const char *nl = memchr(at, '\n', (size_t)(limit - at));
                size_t line_len = nl != NULL ? (size_t)(nl - at) : (size_t)(limit - at);
                bool head = line_len >= 4 && (strncmp(at, "+++ ", 4) == 0 || strncmp(at, "--- ", 4) == 0);
                if ((*at == '+' || *at == '-') && !head) {
                        _cleanup_(freep) char *line = xstrndup(at + 1, line_len - 1);
                        for (size_t i = 0; i < ARRAY_SIZE(markers); i++)
                                if (has_marker(line, markers[i]))
                                        more[i] += *at == '+' ? 1 : -1;
                }
                at += line_len + 1;
        }
        for (size_t i = 0; i < ARRAY_SIZE(markers); i++)
                if (more[i] > 0)
                        argv_addf(ret, "tests are skipped: %ld more of %s", more[i], markers[i]);
}
