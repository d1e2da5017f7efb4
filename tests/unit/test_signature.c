/* Which signatures hold, and which secrets files are taken. */
#include "webhookd/signature.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static void keys_freep(struct signature_keys **keys)
{
        signature_keys_free(*keys);
}

#define SECRET_A "plane_wh_0123456789abcdef0123456789abcdef"
#define SECRET_B "another-secret-of-32-bytes-long!"
#define BODY     "{\"event\":\"issue\",\"name\":\"\xc3\xa9\"}"
/* printf BODY | openssl dgst -sha256 -hmac SECRET */
#define MAC_A "33ee24b302805e03e0cbbade2f92b1486878ca80e6c26e415ae5e53c6032b0be"
#define MAC_B "406f18f2486ca06a13571d76c53982640637eb5bb49bc28f23ebf5681649356e"

static struct signature_keys *keys_of(const char *text)
{
        struct signature_keys *keys = NULL;
        struct errinfo err = ERRINFO_INIT;
        assert_int_equal(signature_keys_parse("test", text, strlen(text), &keys, &err), 0);
        return keys;
}

static void test_vectors(void **state)
{
        static const struct {
                const char *keys, *value, *body;
                unsigned instances;
                enum signature_verdict expect;
        } rows[] = {
                {SECRET_A, MAC_A, BODY, 1, SIGNATURE_OK},
                {SECRET_A "\n", MAC_A, BODY, 1, SIGNATURE_OK},
                {SECRET_B, MAC_B, BODY, 1, SIGNATURE_OK},
                {SECRET_A "\n" SECRET_B, MAC_A, BODY, 1, SIGNATURE_OK},
                {SECRET_A "\n" SECRET_B "\n", MAC_B, BODY, 1, SIGNATURE_OK},
                {SECRET_B, MAC_A, BODY, 1, SIGNATURE_WRONG},
                {SECRET_A, MAC_A, BODY " ", 1, SIGNATURE_WRONG},
                {SECRET_A, MAC_A, "", 1, SIGNATURE_WRONG},
                {SECRET_A, NULL, BODY, 0, SIGNATURE_MISSING},
                {SECRET_A, "", BODY, 1, SIGNATURE_MISSING},
                {SECRET_A, MAC_A, BODY, 2, SIGNATURE_FORMAT},
                {SECRET_A, "", BODY, 2, SIGNATURE_FORMAT},
                {SECRET_A, "sha256=" MAC_A, BODY, 1, SIGNATURE_FORMAT},
                {SECRET_A, MAC_A "0", BODY, 1, SIGNATURE_FORMAT},
                {SECRET_A, MAC_A " ", BODY, 1, SIGNATURE_FORMAT},
                {SECRET_A, "x", BODY, 1, SIGNATURE_FORMAT},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(keys_freep) struct signature_keys *keys = keys_of(rows[i].keys);
                assert_int_equal(signature_check(keys, rows[i].instances, rows[i].value, rows[i].body,
                                                 strlen(rows[i].body)),
                                 rows[i].expect);
        }
}

/* RFC 4231, test case 6: a key longer than the hash's block. */
static void test_rfc4231(void **state)
{
        char text[131];
        static const char data[] = "Test Using Larger Than Block-Size Key - Hash Key First";
        struct errinfo err = ERRINFO_INIT;
        _cleanup_(keys_freep) struct signature_keys *keys = NULL;
        (void)state;
        memset(text, 0xaa, sizeof(text));
        assert_int_equal(signature_keys_parse("test", text, sizeof(text), &keys, &err), 0);
        assert_int_equal(signature_check(keys, 1,
                                         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                                         data, sizeof(data) - 1),
                         SIGNATURE_OK);
}

static void test_every_bit_of_the_body(void **state)
{
        _cleanup_(keys_freep) struct signature_keys *keys = keys_of(SECRET_A "\n" SECRET_B);
        char body[] = BODY;
        (void)state;
        for (size_t bit = 0; bit < 8 * (sizeof(body) - 1); bit++) {
                body[bit / 8] ^= (char)(1 << bit % 8);
                assert_int_equal(signature_check(keys, 1, MAC_A, body, sizeof(body) - 1), SIGNATURE_WRONG);
                body[bit / 8] ^= (char)(1 << bit % 8);
        }
        assert_int_equal(signature_check(keys, 1, MAC_A, body, sizeof(body) - 1), SIGNATURE_OK);
}

/* Every value of every character: nothing but the one spelling passes. */
static void test_every_byte_of_the_signature(void **state)
{
        _cleanup_(keys_freep) struct signature_keys *keys = keys_of(SECRET_A "\n" SECRET_B);
        char mac[] = MAC_A;
        (void)state;
        for (size_t i = 0; i < sizeof(mac) - 1; i++) {
                char good = mac[i];
                for (int c = 1; c < 256; c++) {
                        mac[i] = (char)c;
                        enum signature_verdict v = signature_check(keys, 1, mac, BODY, sizeof(BODY) - 1);
                        if ((char)c == good)
                                assert_int_equal(v, SIGNATURE_OK);
                        else
                                assert_int_equal(v, c != 0 && strchr("0123456789abcdef", c) != NULL
                                                            ? SIGNATURE_WRONG
                                                            : SIGNATURE_FORMAT);
                }
                mac[i] = good;
        }
}

/* One signature has one spelling: upper case is refused. */
static void test_upper_case(void **state)
{
        _cleanup_(keys_freep) struct signature_keys *keys = keys_of(SECRET_A);
        char mac[] = MAC_A;
        (void)state;
        for (char *c = mac; *c != '\0'; c++)
                if (*c >= 'a')
                        *c = (char)(*c - 'a' + 'A');
        assert_int_equal(signature_check(keys, 1, mac, BODY, sizeof(BODY) - 1), SIGNATURE_FORMAT);
}

static void test_binary_body(void **state)
{
        _cleanup_(keys_freep) struct signature_keys *keys = keys_of(SECRET_B);
        static const char body[] = "a\0b";
        (void)state;
        assert_int_equal(signature_check(keys, 1,
                                         "88e5abf593087341ed9a606f81cb6f5626b4da7928ac5535d7e7545ddc043756",
                                         body, 3),
                         SIGNATURE_OK);
        assert_int_equal(signature_check(keys, 1,
                                         "88e5abf593087341ed9a606f81cb6f5626b4da7928ac5535d7e7545ddc043756",
                                         body, 1),
                         SIGNATURE_WRONG);
}

static void test_secrets_refused(void **state)
{
        static const struct {
                const char *text, *reason;
        } rows[] = {
                {"", "is empty"},
                {"\n", "line 1 of test has 0 bytes"},
                {"short", "line 1 of test has 5 bytes"},
                {"123456789012345", "has 15 bytes"},
                {SECRET_A "\n\n", "line 2 of test has 0 bytes"},
                {SECRET_A "\nshort\n", "line 2 of test has 5 bytes"},
                {SECRET_A "\n" SECRET_B "\n" SECRET_A "\n", "more than 2 lines"},
                {SECRET_A "\r\n", "blank or a control byte at column 42"},
                {" " SECRET_A, "at column 1"},
                {"two words are no secret", "at column 4"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct signature_keys *keys = NULL;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(
                        signature_keys_parse("test", rows[i].text, strlen(rows[i].text), &keys, &err),
                        -EINVAL);
                assert_null(keys);
                if (strstr(err.text, rows[i].reason) == NULL)
                        print_error("row %zu: %s\n", i, err.text);
                assert_non_null(strstr(err.text, rows[i].reason));
                assert_null(strstr(err.text, SECRET_A));
        }
}

static void test_secret_lengths(void **state)
{
        char text[SIGNATURE_SECRET_BYTES_MAX + 1];
        (void)state;
        memset(text, 'x', sizeof(text));
        for (size_t len = 0; len <= sizeof(text); len++) {
                struct errinfo err = ERRINFO_INIT;
                _cleanup_(keys_freep) struct signature_keys *keys = NULL;
                bool ok = len >= SIGNATURE_SECRET_BYTES_MIN && len <= SIGNATURE_SECRET_BYTES_MAX;
                assert_int_equal(signature_keys_parse("test", text, len, &keys, &err), ok ? 0 : -EINVAL);
        }
}

static int load_text(const char *text, size_t len, struct signature_keys **ret_keys, struct errinfo *err)
{
        char path[] = "/tmp/test-signature-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, len), (ssize_t)len);
        (void)close(fd);
        int r = signature_keys_load(path, ret_keys, err);
        (void)unlink(path);
        return r;
}

static void test_files(void **state)
{
        struct errinfo err = ERRINFO_INIT;
        _cleanup_(keys_freep) struct signature_keys *keys = NULL;
        struct signature_keys *none = NULL;
        char longest[2 * (SIGNATURE_SECRET_BYTES_MAX + 1) + 1];
        (void)state;
        assert_int_equal(signature_keys_load("/nonexistent/secret", &none, &err), -ENOENT);
        assert_non_null(strstr(err.text, "could not read secrets file /nonexistent/secret"));
        assert_int_equal(signature_keys_load("/tmp", &none, &err), -EISDIR);
        assert_int_equal(load_text("", 0, &none, &err), -EINVAL);
        memset(longest, 'x', sizeof(longest));
        longest[SIGNATURE_SECRET_BYTES_MAX] = longest[2 * SIGNATURE_SECRET_BYTES_MAX + 1] = '\n';
        assert_int_equal(load_text(longest, sizeof(longest), &none, &err), -EINVAL);
        assert_non_null(strstr(err.text, "too long"));
        assert_int_equal(load_text(longest, sizeof(longest) - 1, &keys, &err), 0);
        assert_int_equal(signature_keys_count(keys), 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vectors),
                cmocka_unit_test(test_rfc4231),
                cmocka_unit_test(test_every_bit_of_the_body),
                cmocka_unit_test(test_every_byte_of_the_signature),
                cmocka_unit_test(test_upper_case),
                cmocka_unit_test(test_binary_body),
                cmocka_unit_test(test_secrets_refused),
                cmocka_unit_test(test_secret_lengths),
                cmocka_unit_test(test_files),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
