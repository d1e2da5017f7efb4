/* branch_guard.c - see branch_guard.h. Short on purpose: it is read by those who doubt it. */
#include "common/branch_guard.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NAME_MAX_BYTES 200
#define OURS           "feature/" /* the database names branches (P-8); whoever protects one names another */

static bool plain_char(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c != '\0' && strchr("._-/+", c) != NULL);
}

/* A part between slashes: git refuses these, or they would mean something else in a path. */
static bool plain_part(const char *part, size_t len)
{
        if (len == 0 || part[0] == '.' || part[0] == '-' || part[len - 1] == '.')
                return false;
        return len < 5 || memcmp(part + len - 5, ".lock", 5) != 0;
}

static bool plain_name(const char *name)
{
        if (strlen(name) > NAME_MAX_BYTES || strstr(name, "..") != NULL || strcmp(name, "HEAD") == 0)
                return false;
        for (const char *c = name; *c != '\0'; c++)
                if (!plain_char(*c))
                        return false;
        for (const char *part = name;; part++) {
                size_t len = strcspn(part, "/");
                if (!plain_part(part, len))
                        return false;
                part += len;
                if (*part == '\0')
                        return strncmp(name, "refs/", 5) != 0;
        }
}

int branch_name_check(const char *name, struct errinfo *err)
{
        if (plain_name(name))
                return 0;
        err_set(err, "", "\"%.80s\" is not a branch name that we use: letters, digits and . _ - / +", name);
        return -EINVAL;
}

int branch_guard(const char *branch, const char *default_branch, struct errinfo *err)
{
        if (default_branch == NULL || default_branch[0] == '\0') {
                err_set(err, "", "branch \"%.80s\" is not touched: the default branch is not known", branch);
                return -EPERM;
        }
        if (branch_name_check(branch, err) < 0)
                return -EPERM;
        /* Some forges and file systems take names that differ in case only for one and the same. */
        if (strcasecmp(branch, default_branch) == 0) {
                err_set(err, "", "branch \"%.80s\" is the default branch: it is never pushed to or deleted",
                        branch);
                return -EPERM;
        }
        if (strncmp(branch, OURS, strlen(OURS)) != 0) {
                err_set(err, "",
                        "branch \"%.80s\" is none of ours (" OURS "...): it is never pushed to or deleted",
                        branch);
                return -EPERM;
        }
        return 0;
}
