/* A power cut keeps only what was synced; SIGKILL keeps everything, so kills cannot show a missing fsync. This library,
 * loaded before libc, remembers which files were written and not synced, and which folders got a name and were not synced.
 * It writes to the file FIELDSEAL_UNSYNCED:
 *   rename PATH   a file was given its name before its bytes were synced
 *   folder PATH   the process ended, or said something on standard output, while the name was not synced
 * Only files below FIELDSEAL_UNDER count. Databases are left out: their own journal orders their writes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 4096
struct thing { dev_t dev; ino_t ino; char path[PATH_MAX]; };
static struct thing dirty[MOST], folders[MOST];
static int dirty_count, folder_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static int find(struct thing *all, int count, const struct stat *st) {
    for (int i = 0; i < count; i++)
        if (all[i].dev == st->st_dev && all[i].ino == st->st_ino) return i;
    return -1;
}

static void add(struct thing *all, int *count, const struct stat *st, const char *path) {
    if (find(all, *count, st) >= 0 || *count == MOST) return;
    all[*count].dev = st->st_dev;
    all[*count].ino = st->st_ino;
    snprintf(all[*count].path, PATH_MAX, "%s", path);
    ++*count;
}

static void drop(struct thing *all, int *count, const struct stat *st) {
    int i = find(all, *count, st);
    if (i >= 0) all[i] = all[--*count];
}

static void report(const char *what, const char *path) {
    static ssize_t (*put)(int, const void *, size_t);
    static int (*opened)(const char *, int, ...);
    if (!put) put = (ssize_t (*)(int, const void *, size_t))real("write");
    if (!opened) opened = (int (*)(const char *, int, ...))real("open");
    const char *to = getenv("FIELDSEAL_UNSYNCED");
    char line[PATH_MAX + 32];
    int length = snprintf(line, sizeof line, "%s %s\n", what, path);
    int fd = to ? opened(to, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (fd >= 0) { (void)!put(fd, line, (size_t)length); close(fd); }
}

static int counts(const char *path) {
    const char *under = getenv("FIELDSEAL_UNDER");
    return under && strncmp(path, under, strlen(under)) == 0 && !strstr(path, ".db") && !strstr(path, ".sqlite");
}

static void told(void) {
    for (int i = 0; i < folder_count; i++) report("folder", folders[i].path);
}

static void written(int fd) {
    struct stat st;
    if (fd == 1) { pthread_mutex_lock(&lock); told(); pthread_mutex_unlock(&lock); return; }
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return;
    pthread_mutex_lock(&lock);
    add(dirty, &dirty_count, &st, "");
    pthread_mutex_unlock(&lock);
}

static void synced(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) return;
    pthread_mutex_lock(&lock);
    if (S_ISDIR(st.st_mode)) drop(folders, &folder_count, &st); else drop(dirty, &dirty_count, &st);
    pthread_mutex_unlock(&lock);
}

#define OVER(type, name, parameters, arguments, after)                      \
    type name parameters {                                                  \
        static type (*next) parameters;                                     \
        if (!next) next = (type (*) parameters)real(#name);                 \
        type done = next arguments;                                         \
        if (done >= 0) after;                                               \
        return done;                                                        \
    }

OVER(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size), written(fd))
OVER(ssize_t, writev, (int fd, const struct iovec *from, int count), (fd, from, count), written(fd))
OVER(ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at), written(fd))
OVER(int, fsync, (int fd), (fd), synced(fd))
OVER(int, fdatasync, (int fd), (fd), synced(fd))

static void named(const char *to) {
    struct stat st;
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", to);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    if (slash && counts(to) && stat(folder, &st) == 0) add(folders, &folder_count, &st, to);
}

int rename(const char *from, const char *to) {
    static int (*next)(const char *, const char *);
    if (!next) next = (int (*)(const char *, const char *))real("rename");
    struct stat st;
    pthread_mutex_lock(&lock);
    if (counts(to) && stat(from, &st) == 0 && find(dirty, dirty_count, &st) >= 0) report("rename", to);
    pthread_mutex_unlock(&lock);
    int done = next(from, to);
    pthread_mutex_lock(&lock);
    if (done == 0) named(to);
    pthread_mutex_unlock(&lock);
    return done;
}

__attribute__((destructor)) static void ended(void) {
    pthread_mutex_lock(&lock);
    told();
    pthread_mutex_unlock(&lock);
}
