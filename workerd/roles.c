/* roles.c - the tables of roles.def, and the questions asked of them. */
#include "workerd/roles.h"

#include <fnmatch.h>
#include <string.h>

#include "common/mem.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct {
        const char *role;
        const char *file;
} owners[] = {
#define ROLE_OWNS(role, file) {role, file},
#define ROLE_FILES(...)
#define ROLE_VERDICT(...)
#define ROLE_CHANGE(...)
#define ROLE_ASKS(...)
#define ROLE_LIST(...)
#include "workerd/roles.def"
#undef ROLE_OWNS
#undef ROLE_FILES
#undef ROLE_VERDICT
#undef ROLE_CHANGE
#undef ROLE_ASKS
#undef ROLE_LIST
};

static const struct role_question questions[] = {
#define ROLE_OWNS(...)
#define ROLE_FILES(...)
#define ROLE_VERDICT(...)
#define ROLE_CHANGE(...)
#define ROLE_ASKS(role, stage, file, key, value) {role, stage, file, key, value},
#define ROLE_LIST(...)
#include "workerd/roles.def"
#undef ROLE_OWNS
#undef ROLE_FILES
#undef ROLE_VERDICT
#undef ROLE_CHANGE
#undef ROLE_ASKS
#undef ROLE_LIST
};

static const struct role_step steps[] = {
#define ROLE_OWNS(role, file)
#define ROLE_ASKS(...)
#define ROLE_FILES(r, s, g, f, t)                                                                            \
        {.role = r, .stage = s, .need = ROLE_NEEDS_FILES, .gate = g, .files = f, .task = t},
#define ROLE_VERDICT(r, s, g, f, k, v, t)                                                                    \
        {.role = r,                                                                                          \
         .stage = s,                                                                                         \
         .need = ROLE_NEEDS_VERDICT,                                                                         \
         .gate = g,                                                                                          \
         .file = f,                                                                                          \
         .key = k,                                                                                           \
         .values = v,                                                                                        \
         .task = t},
#define ROLE_CHANGE(r, s, t) {.role = r, .stage = s, .need = ROLE_NEEDS_CHANGE, .gate = "", .task = t},
#define ROLE_LIST(...)
#include "workerd/roles.def"
#undef ROLE_OWNS
#undef ROLE_FILES
#undef ROLE_VERDICT
#undef ROLE_CHANGE
#undef ROLE_ASKS
#undef ROLE_LIST
};

const struct role_question *role_question(const char *role, const char *stage)
{
        for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
                if (strcmp(questions[i].role, role) == 0 && strcmp(questions[i].stage, stage) == 0)
                        return &questions[i];
        return NULL;
}

static const struct {
        const char *role, *stage, *key;
} lists[] = {
#define ROLE_OWNS(...)
#define ROLE_FILES(...)
#define ROLE_VERDICT(...)
#define ROLE_CHANGE(...)
#define ROLE_LIST(role, stage, key) {role, stage, key},
#define ROLE_ASKS(...)
#include "workerd/roles.def"
#undef ROLE_OWNS
#undef ROLE_FILES
#undef ROLE_VERDICT
#undef ROLE_CHANGE
#undef ROLE_LIST
#undef ROLE_ASKS
};

const char *role_list(const struct role_step *step)
{
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                if (strcmp(lists[i].role, step->role) == 0 && strcmp(lists[i].stage, step->stage) == 0)
                        return lists[i].key;
        return NULL;
}

bool role_weighs_tests(const struct role_step *step)
{
        return step != NULL && strcmp(step->gate, "review_approved") == 0;
}

const struct role_step *role_step(const char *role, const char *stage)
{
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                if (strcmp(steps[i].role, role) == 0 && strcmp(steps[i].stage, stage) == 0)
                        return &steps[i];
        return NULL;
}

/* What is left of `path` below the docs folder; NULL when it is not below it. */
static const char *below_docs(const char *docs_dir, const char *path)
{
        size_t len = strlen(docs_dir);
        return strncmp(path, docs_dir, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

/* A file put where a folder of somebody's belongs, or a folder where a file does, changes what is his as
 * well. */
static bool concerns(const char *pattern, const char *name)
{
        if (fnmatch(pattern, name, FNM_PATHNAME | FNM_LEADING_DIR) == 0)
                return true;
        size_t len = strlen(name);
        return strncmp(pattern, name, len) == 0 && pattern[len] == '/';
}

const char *role_owner(const char *docs_dir, const char *path)
{
        const char *name = below_docs(docs_dir, path);
        for (size_t i = 0; name != NULL && i < ARRAY_SIZE(owners); i++)
                if (concerns(owners[i].file, name))
                        return owners[i].role;
        return NULL;
}

bool role_judges(const char *role)
{
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                if (steps[i].need == ROLE_NEEDS_VERDICT && strcmp(steps[i].role, role) == 0)
                        return true;
        return false;
}

bool role_may_change(const char *role, const char *docs_dir, const char *path)
{
        size_t len = strlen(path);
        if (strncmp(docs_dir, path, len) == 0 && (docs_dir[len] == '/' || docs_dir[len] == '\0'))
                return false; /* the docs folder itself, or a folder above it, is to stay a folder */
        if (role_judges(role) && below_docs(docs_dir, path) == NULL)
                return false;
        const char *owner = role_owner(docs_dir, path);
        return owner == NULL || strcmp(owner, role) == 0;
}
