/* options_fixture.h - a configuration file per test, and ways to load it, for the tests of options*.c. */
#pragma once

#include "common/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static void options_freep(struct options **o)
{
        options_free(*o);
}

/* A configuration file for the length of a test. */
static char path[64];

static int setup(void **state)
{
        (void)state;
        (void)snprintf(path, sizeof(path), "/tmp/orch-options-XXXXXX");
        int fd = mkstemp(path);
        return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
        (void)state;
        return unlink(path);
}

static void write_config(const char *text, size_t len)
{
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
}

__attribute__((unused)) static int load_text(const char *text, struct options **ret, struct errinfo *err)
{
        write_config(text, strlen(text));
        return options_load_file(path, ret, err);
}

__attribute__((unused)) static int load_words(const char *const *words, struct options **ret,
                                              struct errinfo *err)
{
        char *argv[12] = {(char *)"orch-test"};
        int argc = 1;
        for (; words[argc - 1] != NULL; argc++)
                argv[argc] = (char *)words[argc - 1];
        argv[argc] = NULL;
        return options_load(argc, argv, "orch-test", "Does what tests do.", ret, err);
}
