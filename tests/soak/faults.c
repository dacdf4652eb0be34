/* Preloaded: once armed, the n-th write, copy, rename, link, unlink, truncate, sync, new file or
   folder of the process fails with an errno, or kills it before or after it is done. Counts where
   nothing is armed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
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
static int starts(const char *path) { return strncmp(path, watched, strlen(watched)) == 0; }
/* a path that is relative to an open folder, or to the one the process is in */
static int named_at(int folder, const char *path) {
  char link[64], whole[8192];
  ssize_t n;
  if (!path) return 0;
  if (path[0] == '/') return starts(path);
  if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
  else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
  n = readlink(link, whole, 4096);
  if (n < 0) return 0;
  snprintf(whole + n, sizeof whole - n, "/%s", path);
  return starts(whole);
}
static int named(const char *path) { return named_at(AT_FDCWD, path); }
/* an open that makes a file or empties one; not that of a file that is there, as SQLite's are */
static int makes(int folder, const char *path, int flags) {
  if (flags & O_TRUNC) return named_at(folder, path);
  return (flags & O_CREAT) && named_at(folder, path) && faccessat(folder, path, F_OK, 0) != 0;
}

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
ssize_t writev(int fd, const struct iovec *v, int n) { REAL(writev); GATE(is_watched(fd), -1, real(fd, v, n)); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t o) { REAL(pwritev); GATE(is_watched(fd), -1, real(fd, v, n, o)); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t o) { REAL(pwritev64); GATE(is_watched(fd), -1, real(fd, v, n, o)); }
ssize_t pwritev2(int fd, const struct iovec *v, int n, off_t o, int f) { REAL(pwritev2); GATE(is_watched(fd), -1, real(fd, v, n, o, f)); }
ssize_t pwritev64v2(int fd, const struct iovec *v, int n, off64_t o, int f) { REAL(pwritev64v2); GATE(is_watched(fd), -1, real(fd, v, n, o, f)); }
ssize_t sendfile(int to, int from, off_t *o, size_t n) { REAL(sendfile); GATE(is_watched(to), -1, real(to, from, o, n)); }
ssize_t sendfile64(int to, int from, off64_t *o, size_t n) { REAL(sendfile64); GATE(is_watched(to), -1, real(to, from, o, n)); }
ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t n, unsigned f) { REAL(copy_file_range); GATE(is_watched(to), -1, real(from, a, to, b, n, f)); }
int rename(const char *a, const char *b) { REAL(rename); GATE(named(b), -1, real(a, b)); }
int renameat(int d, const char *a, int e, const char *b) { REAL(renameat); GATE(named_at(e, b), -1, real(d, a, e, b)); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { REAL(renameat2); GATE(named_at(e, b), -1, real(d, a, e, b, f)); }
int link(const char *a, const char *b) { REAL(link); GATE(named(b), -1, real(a, b)); }
int linkat(int d, const char *a, int e, const char *b, int f) { REAL(linkat); GATE(named_at(e, b), -1, real(d, a, e, b, f)); }
int symlink(const char *a, const char *b) { REAL(symlink); GATE(named(b), -1, real(a, b)); }
int unlink(const char *a) { REAL(unlink); GATE(named(a), -1, real(a)); }
int unlinkat(int d, const char *a, int f) { REAL(unlinkat); GATE(named_at(d, a), -1, real(d, a, f)); }
int mkdir(const char *a, mode_t m) { REAL(mkdir); GATE(named(a), -1, real(a, m)); }
int mkdirat(int d, const char *a, mode_t m) { REAL(mkdirat); GATE(named_at(d, a), -1, real(d, a, m)); }
int rmdir(const char *a) { REAL(rmdir); GATE(named(a), -1, real(a)); }

#define MODE(last) mode_t m = 0; if (f & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, last); m = va_arg(l, mode_t); va_end(l); }
int open(const char *a, int f, ...) { MODE(f) REAL(open); GATE(makes(AT_FDCWD, a, f), -1, real(a, f, m)); }
int open64(const char *a, int f, ...) { MODE(f) REAL(open64); GATE(makes(AT_FDCWD, a, f), -1, real(a, f, m)); }
int openat(int d, const char *a, int f, ...) { MODE(f) REAL(openat); GATE(makes(d, a, f), -1, real(d, a, f, m)); }
int openat64(int d, const char *a, int f, ...) { MODE(f) REAL(openat64); GATE(makes(d, a, f), -1, real(d, a, f, m)); }
