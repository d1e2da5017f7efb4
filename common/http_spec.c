/* http_spec.c - which requests we send at all, and what Retry-After says. Pure. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http_internal.h"
#include "common/mem.h"

#define RETRY_AFTER_MAX_S 86400

static bool is_one_of(const char *word, const char *const *words, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strcasecmp(word, words[i]) == 0)
                        return true;
        return false;
}

static bool is_token(const char *s)
{
        static const char punctuation[] = "!#$%&'*+-.^_`|~";
        if (*s == '\0')
                return false;
        for (; *s != '\0'; s++)
                if (!isalnum((unsigned char)*s) && strchr(punctuation, *s) == NULL)
                        return false;
        return true;
}

static bool is_one_line(const char *s)
{
        for (; *s != '\0'; s++)
                if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7F)
                        return false;
        return true;
}

static int check_header(const struct http_header *h, struct errinfo *err)
{
        static const char *const ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection",
                                           "Expect"};
        if (!is_token(h->name))
                err_set(err, "", "not the name of a header: \"%s\"", h->name);
        else if (is_one_of(h->name, ours, ARRAY_SIZE(ours)))
                err_set(err, "", "header %s belongs to the HTTP client", h->name);
        else if (!is_one_line(h->value)) /* the value may be a secret: do not quote it */
                err_set(err, "", "the value of header %s holds a control character", h->name);
        else
                return 0;
        return -EINVAL;
}

static int check_method(const struct http_spec *spec, struct errinfo *err)
{
        static const char *const methods[] = {"GET", "POST", "PATCH", "PUT", "DELETE"};
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
                if (strcmp(spec->method, methods[i]) != 0)
                        continue;
                if (i > 0 || spec->body_len == 0)
                        return 0;
                err_set(err, "", "a GET has no body");
                return -EINVAL;
        }
        err_set(err, "", "method \"%s\" is not used here", spec->method);
        return -EINVAL;
}

static bool is_listed(const char *list, const char *host, const char *port)
{
        size_t host_len = strlen(host), port_len = strlen(port);
        while (list != NULL && *list != '\0') {
                size_t len = strcspn(list, ",");
                if (len == host_len + 1 + port_len && strncasecmp(list, host, host_len) == 0 &&
                    list[host_len] == ':' && strncmp(list + host_len + 1, port, port_len) == 0)
                        return true;
                list += len + (list[len] == ',');
        }
        return false;
}

static void free_url(CURLU **url)
{
        curl_url_cleanup(*url);
}

static void free_part(char **part)
{
        curl_free(*part);
}

static int check_parsed(CURLU *url, const char *allow_plain_hosts, bool *ret_plain, struct errinfo *err)
{
        _cleanup_(free_part) char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL, *password = NULL;
        (void)curl_url_get(url, CURLUPART_USER, &user, 0); /* absent is an error, and what we want */
        (void)curl_url_get(url, CURLUPART_PASSWORD, &password, 0);
        if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
            curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
            curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
                err_set(err, "", "the URL names no host");
        else if (user != NULL || password != NULL)
                err_set(err, "", "the URL for %s holds credentials: they belong in a header", host);
        else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
                err_set(err, "", "%s: is not used here", scheme);
        else if (strcmp(scheme, "http") == 0 && !is_listed(allow_plain_hosts, host, port))
                err_set(err, "", "http without TLS is not allowed to %s:%s", host, port);
        else {
                *ret_plain = strcmp(scheme, "http") == 0;
                return 0;
        }
        return -EINVAL;
}

int http_url_check(const char *text, const char *allow_plain_hosts, bool *ret_plain, struct errinfo *err)
{
        _cleanup_(free_url) CURLU *url = curl_url();
        if (url == NULL)
                abort(); /* out of memory */
        CURLUcode code =
                is_one_line(text) ? curl_url_set(url, CURLUPART_URL, text, 0) : CURLUE_MALFORMED_INPUT;
        if (code != CURLUE_OK) {
                err_set(err, "", "not a URL: %s", curl_url_strerror(code));
                return -EINVAL;
        }
        return check_parsed(url, allow_plain_hosts, ret_plain, err);
}

int http_spec_check(const struct http_spec *spec, const char *allow_plain_hosts, bool *ret_plain,
                    struct errinfo *err)
{
        int r = check_method(spec, err);
        if (r == 0)
                r = http_url_check(spec->url, allow_plain_hosts, ret_plain, err);
        for (size_t i = 0; r == 0 && i < spec->n_headers; i++)
                r = check_header(&spec->headers[i], err);
        return r;
}

static int64_t clamp(int64_t seconds)
{
        if (seconds < 0)
                return 0;
        return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}

int64_t http_retry_after(const char *value, size_t len, time_t now)
{
        _cleanup_(freep) char *text = xstrndup(value, len);
        char *start = text + strspn(text, " \t");
        start[strcspn(start, "\r\n")] = '\0';
        if (isdigit((unsigned char)*start)) {
                char *end;
                long long seconds = strtoll(start, &end, 10); /* stops at LLONG_MAX, which is a day too */
                return end[strspn(end, " \t")] == '\0' ? clamp(seconds) : -1;
        }
        time_t date = curl_getdate(start, NULL);
        return date != (time_t)-1 ? clamp((int64_t)date - (int64_t)now) : -1;
}
