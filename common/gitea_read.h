/* gitea_read.h - Gitea's answers in our words. Pure: what is missing or of another type is left out. */
#pragma once

#include <stdbool.h>

struct json;
struct json_out;

/* Each writes the members into the open object. */
typedef void gitea_read_fn(struct json_out *out, const struct json *v);
gitea_read_fn gitea_read_user, gitea_read_repo, gitea_read_branch, gitea_read_status, gitea_read_pull,
        gitea_read_review, gitea_read_hook;

/* head.label, because head.ref is another name once the branch is gone. */
bool gitea_is_pull_of(const struct json *pull, const char *branch, const char *base);
