/* Preloaded: once armed, the n-th write, rename, link, unlink, truncate or sync of the process
   fails with an errno, or kills it before or after it is done. Counts where nothing is armed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long count, at, code, on;
static char watched[4096];

/* code: an errno; -1: killed before the call; -2: killed after it */
void arm(long number, long what, const char *folder) {
  strncpy(watched, folder, sizeof watched - 1);
  at = number; code = what; count = 0; on = 1;
}
long counted(void) { on = 0; return count; }

static int is_watched(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return strncmp(path, watched, strlen(watched)) == 0;
}
static int named(const char *path) { return path && strncmp(path, watched, strlen(watched)) == 0; }

#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define GATE(ours, bad, call) do { \
    if (!on || !(ours)) return call; \
    if (++count != at) return call; \
    if (code == -1) kill(getpid(), SIGKILL); \
    if (code == -2) { (void)!call; kill(getpid(), SIGKILL); } \
    errno = (int)code; return bad; } while (0)

ssize_t write(int fd, const void *b, size_t n) { REAL(write); GATE(is_watched(fd), -1, real(fd, b, n)); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { REAL(pwrite); GATE(is_watched(fd), -1, real(fd, b, n, o)); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { REAL(pwrite64); GATE(is_watched(fd), -1, real(fd, b, n, o)); }
int fsync(int fd) { REAL(fsync); GATE(is_watched(fd), -1, real(fd)); }
int fdatasync(int fd) { REAL(fdatasync); GATE(is_watched(fd), -1, real(fd)); }
int ftruncate(int fd, off_t n) { REAL(ftruncate); GATE(is_watched(fd), -1, real(fd, n)); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); GATE(is_watched(fd), -1, real(fd, n)); }
int rename(const char *a, const char *b) { REAL(rename); GATE(named(b), -1, real(a, b)); }
int link(const char *a, const char *b) { REAL(link); GATE(named(b), -1, real(a, b)); }
int unlink(const char *a) { REAL(unlink); GATE(named(a), -1, real(a)); }
int unlinkat(int d, const char *a, int f) { REAL(unlinkat); GATE(named(a), -1, real(d, a, f)); }
