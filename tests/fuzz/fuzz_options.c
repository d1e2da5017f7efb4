/*
 * fuzz_options.c - any configuration file. What is taken must be a setting that can be written and read again
 * as the same; what is refused must say why and on which line.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/options_table.h"
#include "common/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
        if (!holds)
                abort();
}

/* What a setting was, to compare it with what is read back. */
struct expected {
        const struct option_row *row;
        struct option_value value;
        int n;
};

static int on_read_back(void *arg, unsigned line, const char *name, const char *text, struct errinfo *err)
{
        struct expected *e = arg;
        struct option_value v;
        must(line == 1 && strcmp(name, e->row->name) == 0);
        must(option_value_parse(e->row, text, &v, err) == 0);
        must(option_value_equal(e->row->type, &v, &e->value));
        e->n++;
        return 0;
}

static int on_setting(void *arg, unsigned line, const char *name, const char *text, struct errinfo *err)
{
        struct expected e = {.row = option_find(name)};
        unsigned *last_line = arg;
        must(line > *last_line && name[0] != '\0');
        *last_line = line;
        if (e.row == NULL || option_value_parse(e.row, text, &e.value, err) < 0)
                return 0;
        _cleanup_(strbuf_deinit) struct strbuf again = STRBUF_INIT;
        strbuf_addf(&again, "%s = ", name);
        option_value_format(e.row->type, &e.value, &again);
        strbuf_addstr(&again, "  # origin\n");
        must(options_file_parse(again.buf, again.len, on_read_back, &e, err) == 0);
        must(e.n == 1);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct errinfo err = ERRINFO_INIT;
        unsigned last_line = 0;
        if (options_file_parse((const char *)data, size, on_setting, &last_line, &err) < 0)
                must(strncmp(err.text, "line ", 5) == 0);
        return 0;
}
