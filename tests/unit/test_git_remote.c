/* test_git_remote.c - what git's words say of a server, and how it is told to ask one. */
#include "common/git_remote.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_said(void **state)
{
        static const struct {
                const char *text;
                enum port_outcome said;
        } rows[] = {
                {"", PORT_OK},
                {"fatal: could not read Username for 'https://h': terminal prompts disabled", PORT_DENIED},
                {"fatal: Authentication failed for 'https://h/o/r.git/'", PORT_DENIED},
                {"fatal: unable to access 'https://h/': The requested URL returned error: 401", PORT_DENIED},
                {"fatal: unable to access 'https://h/': The requested URL returned error: 403",
                 PORT_FORBIDDEN},
                {"remote: This repo is archived. You can view files and clone it, but cannot push\n"
                 "fatal: unable to access 'https://h/': The requested URL returned error: 403",
                 PORT_REFUSED},
                {"remote: mirror repository is read-only\n"
                 "fatal: unable to access 'https://h/': The requested URL returned error: 403",
                 PORT_REFUSED},
                {"fatal: unable to access 'https://h/': The requested URL returned error: 302", PORT_REFUSED},
                {"fatal: unable to access 'https://h/': The requested URL returned error: 429", PORT_LIMITED},
                {"error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502",
                 PORT_UNAVAILABLE},
                {"fatal: unable to access 'https://h/': Failed to connect to h port 443", PORT_UNAVAILABLE},
                {"fatal: unable to access 'https://h/': SSL certificate problem", PORT_UNAVAILABLE},
                {"fatal: repository 'https://h/o/r.git/' not found", PORT_NOT_FOUND},
                {"fatal: couldn't find remote ref refs/heads/main", PORT_NOT_FOUND},
                {"fatal: https://h/info/refs not valid: is this a git repository?", PORT_UNAVAILABLE},
                {"error: failed to push some refs; [remote rejected] (pre-receive hook declined)", PORT_OK},
                {"fatal: bad object 1234", PORT_OK},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (git_remote_said(rows[i].text) != rows[i].said)
                        fail_msg("\"%s\" is taken for %s", rows[i].text,
                                 port_outcome_name(git_remote_said(rows[i].text)));
}

static char *token_file(const char *text)
{
        char *path = xstrdup("/tmp/test_git_remote.XXXXXX");
        int fd = mkstemp(path); /* 0600 */
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
        return path;
}

/* The paddings of base64, and the scope of the header: the server, with its port, and nothing else. */
static void test_header(void **state)
{
        static const struct {
                const char *token, *value;
        } rows[] = {{"abc\n", "b3JjaGVzdHJhdG9yOmFiYw=="},
                    {"ab\n", "b3JjaGVzdHJhdG9yOmFi"},
                    {"abcd\n", "b3JjaGVzdHJhdG9yOmFiY2Q="}};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(freep) char *path = token_file(rows[i].token);
                _cleanup_(freep) char *value =
                        xasprintf("GIT_CONFIG_VALUE_0=Authorization: Basic %s", rows[i].value);
                struct argv env = ARGV_INIT;
                struct errinfo err = ERRINFO_INIT;
                const char *protocol;
                const struct git_remote remote = {.url = "https://git.example.org:8443/o/r.git",
                                                  .token_file = path};
                assert_int_equal(git_remote_prepare(&remote, "", &env, &protocol, &err), PORT_OK);
                assert_string_equal(protocol, "https");
                assert_int_equal(env.n, 3);
                assert_string_equal(env.words[1],
                                    "GIT_CONFIG_KEY_0=http.https://git.example.org:8443/.extraHeader");
                assert_string_equal(env.words[2], value);
                argv_wipe(&env);
                unlink(path);
        }
}

static void test_refused(void **state)
{
        _cleanup_(freep) char *path = token_file("secret\n");
        const struct {
                struct git_remote remote;
                const char *plain;
                enum port_outcome said;
        } rows[] = {
                {{.url = "http://a:80/r.git", .token_file = path}, "a:80", PORT_OK},
                {{.url = "http://a:80/r.git", .token_file = path}, "b:80", PORT_REFUSED},
                {{.url = "https://user:pw@a/r.git", .token_file = path}, "", PORT_REFUSED},
                {{.url = "https://a/r.git", .token_file = "/nonexistent"}, "", PORT_DENIED},
                {{.url = "/srv/r.git"}, "", PORT_OK},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct argv env = ARGV_INIT;
                struct errinfo err = ERRINFO_INIT;
                const char *protocol;
                assert_int_equal(git_remote_prepare(&rows[i].remote, rows[i].plain, &env, &protocol, &err),
                                 rows[i].said);
                assert_null(strstr(err.text, "secret"));
                argv_wipe(&env);
        }
        unlink(path);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_said), cmocka_unit_test(test_header),
                                           cmocka_unit_test(test_refused)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
