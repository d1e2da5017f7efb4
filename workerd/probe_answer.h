/* probe_answer.h - what the answer to a probe means. Pure; the table is at the head of errand_probe.c. */
#pragma once

#include "workerd/shell_command.h"

struct http_answer;

enum probe_answer { PROBE_HEALTHY, PROBE_FAILED, PROBE_NO_DATA };

const char *probe_answer_word(enum probe_answer answer); /* "healthy", "failed", "no-data" */
enum probe_answer probe_of_command(enum shell_command_end end, int code);
enum probe_answer probe_of_url(const struct http_answer *answer);
/* "HOST:PORT" of an http:// URL, as http_client's allow_plain_hosts wants it; NULL for any other. To be
 * freed. */
char *probe_plain_host(const char *url);
