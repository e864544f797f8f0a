/* The real-time clock moved by FIELDSEAL_SHIFT seconds, for a program that is started with this library before libc. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, at);
    const char *shift = getenv("FIELDSEAL_SHIFT");
    if (code == 0 && clock == CLOCK_REALTIME && shift) at->tv_sec += atoll(shift);
    return code;
}
