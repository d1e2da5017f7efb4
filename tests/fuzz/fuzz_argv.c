/*
 * fuzz_argv.c - any command line. The words that come out, quoted and put together again, must be read as the
 * same words; a line that is refused must leave the array as it was.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
        if (!holds)
                abort();
}

static void add_quoted(struct strbuf *line, const char *word)
{
        strbuf_addstr(line, " \"");
        for (; *word != '\0'; word++) {
                if (*word == '"' || *word == '\\')
                        strbuf_addch(line, '\\');
                strbuf_addch(line, *word);
        }
        strbuf_addch(line, '"');
}

static void check_again(const struct argv *words)
{
        _cleanup_(strbuf_deinit) struct strbuf line = STRBUF_INIT;
        _cleanup_(argv_deinit) struct argv again = ARGV_INIT;
        for (size_t i = 0; i < words->n; i++)
                add_quoted(&line, words->words[i]);
        must(argv_split(&again, line.buf, NULL) == 0 && again.n == words->n);
        for (size_t i = 0; i < words->n; i++)
                must(strcmp(again.words[i], words->words[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(argv_deinit) struct argv words = ARGV_INIT;
        struct errinfo err = ERRINFO_INIT;
        if (size == 0)
                return 0;
        _cleanup_(freep) char *line = xstrndup((const char *)data, size);
        if (argv_split(&words, line, &err) == 0) {
                must(words.n > 0 && words.words[words.n] == NULL);
                check_again(&words);
        } else {
                must(words.n == 0 && err.text[0] != '\0');
        }
        return 0;
}
