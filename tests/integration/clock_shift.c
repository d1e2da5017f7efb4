/*
 * clock_shift.c - loaded before everything else (LD_PRELOAD), it sets the wall clock of one program, and of
 * what that starts, as a test says: by the number of seconds in the file that ORCH_TEST_CLOCK names. The
 * other clocks are left as they are, as they are when somebody sets the clock of a machine.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The file's first eight bytes, shared with the test; NULL: no shift. */
static const volatile long long *shift(void)
{
        static const volatile long long *seconds;
        const char *path = getenv("ORCH_TEST_CLOCK");
        if (seconds != NULL || path == NULL)
                return seconds;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*seconds), PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0)
                (void)close(fd);
        if (page != MAP_FAILED)
                seconds = page;
        return seconds;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *ts)
{
        int r = (int)syscall(SYS_clock_gettime, clock, ts);
        if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && shift() != NULL)
                ts->tv_sec += *shift();
        return r;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *tv, void *zone)
{
        struct timespec ts;
        (void)zone;
        (void)clock_gettime(CLOCK_REALTIME, &ts);
        *tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
        return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *ret)
{
        struct timespec ts;
        (void)clock_gettime(CLOCK_REALTIME, &ts);
        if (ret != NULL)
                *ret = ts.tv_sec;
        return ts.tv_sec;
}
