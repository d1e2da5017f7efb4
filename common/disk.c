/* disk.c - statvfs(3), in numbers that can be compared. */
#include "common/disk.h"

#include <sys/statvfs.h>

#include "common/err.h"

static int64_t bounded(unsigned long long n)
{
        return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

int disk_look(const char *path, struct disk_room *ret)
{
        struct statvfs st;
        if (statvfs(path, &st) < 0)
                return negative_errno();
        unsigned long long bytes;
        ret->bytes = __builtin_mul_overflow((unsigned long long)st.f_bavail, st.f_frsize, &bytes)
                             ? INT64_MAX
                             : bounded(bytes);
        ret->inodes = st.f_files == 0 ? INT64_MAX : bounded(st.f_favail);
        return 0;
}
