/*
 * Records what a program asks of the file system below one directory, in the order in which the kernel did it, with
 * the bytes. Loaded into the program by LD_PRELOAD; `recording.ts` reads the log.
 *
 *   RECORDER_ROOT   the directory, absolute, without a slash at its end
 *   RECORDER_LOG    where the log is written; not below the directory
 *   RECORDER_MARKS  a path; what is written to it becomes a mark in the log, in order with everything else
 *
 * One lock is held over each call and its record, so the log has one true order. Only calls that succeeded are in it.
 * A record is: kind (1 byte), fd (4), number (8), length of A (4), length of B (4), A, B; little-endian.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, TRUNCATE, SYNC, CLOSE, RENAME, UNLINK, RMDIR, MKDIR, LINK, SYMLINK, MARK };
enum { FDS_MAX = 65536, NOT_OURS = 0, RECORDED = 1, MARKS = 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX], marks[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static unsigned char fds[FDS_MAX];

/* The C library's own function of that name. */
#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static ssize_t real_write(int fd, const void *bytes, size_t count) {
  REAL(write);
  return real(fd, bytes, count);
}

static int real_open(const char *path, int flags, mode_t mode) {
  static int (*real)(const char *, int, ...);
  if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
  return real(path, flags, mode);
}

__attribute__((constructor)) static void begin(void) {
  const char *directory = getenv("RECORDER_ROOT"), *log = getenv("RECORDER_LOG"), *mark = getenv("RECORDER_MARKS");
  if (!directory || !log || !mark) return;
  snprintf(marks, sizeof marks, "%s", mark);
  snprintf(root, sizeof root, "%s", directory);
  root_length = strlen(root);
  log_fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  /* Children of the program are not recorded. */
  unsetenv("LD_PRELOAD");
}

static void fail(const char *what) {
  dprintf(2, "recorder: %s: %s\n", what, strerror(errno));
  abort();
}

static void put(const void *bytes, size_t count) {
  const char *at = bytes;
  while (count > 0) {
    ssize_t done = real_write(log_fd, at, count);
    if (done < 0) fail("cannot write the log");
    at += done;
    count -= (size_t)done;
  }
}

static void record(uint8_t kind, int32_t fd, int64_t number, const void *a, uint32_t a_length, const void *b,
                   uint32_t b_length) {
  int before = errno;
  unsigned char head[21];
  head[0] = kind;
  memcpy(head + 1, &fd, 4);
  memcpy(head + 5, &number, 8);
  memcpy(head + 13, &a_length, 4);
  memcpy(head + 17, &b_length, 4);
  put(head, sizeof head);
  put(a, a_length);
  put(b, b_length);
  errno = before;
}

static void record_path(uint8_t kind, int32_t fd, int64_t number, const char *path) {
  record(kind, fd, number, path, (uint32_t)strlen(path), "", 0);
}

static void record_paths(uint8_t kind, const char *a, const char *b) {
  record(kind, -1, 0, a, (uint32_t)strlen(a), b, (uint32_t)strlen(b));
}

/* The path of `name` below the root, relative to it; NULL for one that is elsewhere. `room` holds PATH_MAX bytes. */
static const char *below_root(int directory, const char *name, char *room) {
  if (log_fd < 0) return NULL;
  if (name[0] == '/') snprintf(room, PATH_MAX, "%s", name);
  else {
    char link[64], base[PATH_MAX];
    if (directory == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, base, sizeof base - 1);
    if (length < 0) return NULL;
    base[length] = 0;
    if ((size_t)snprintf(room, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return NULL;
  }
  size_t length = strlen(room);
  while (length > 1 && room[length - 1] == '/') room[--length] = 0;
  if (strncmp(room, root, root_length) != 0) return NULL;
  if (room[root_length] == 0) return "";
  return room[root_length] == '/' ? room + root_length + 1 : NULL;
}

static int kind_of(int fd) {
  return fd >= 0 && fd < FDS_MAX ? fds[fd] : NOT_OURS;
}

static int open_recorded(int directory, const char *name, int flags, mode_t mode) {
  char room[PATH_MAX];
  static int (*real)(int, const char *, int, ...);
  if (!real) real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64");
  const char *path = below_root(directory, name, room);
  pthread_mutex_lock(&lock);
  int fd = real(directory, name, flags, mode);
  if (fd >= 0 && fd < FDS_MAX) {
    fds[fd] = path ? RECORDED : log_fd >= 0 && strcmp(name, marks) == 0 ? MARKS : NOT_OURS;
    if (path) record_path(OPEN, fd, flags & O_TRUNC ? 1 : 0, path);
  }
  pthread_mutex_unlock(&lock);
  return fd;
}

static mode_t mode_of(int flags, va_list arguments) {
  return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(arguments, int) : 0;
}

#define OPEN_FUNCTION(name) \
  int name(const char *path, int flags, ...) { \
    va_list arguments; \
    va_start(arguments, flags); \
    mode_t mode = mode_of(flags, arguments); \
    va_end(arguments); \
    return open_recorded(AT_FDCWD, path, flags, mode); \
  }
OPEN_FUNCTION(open)
OPEN_FUNCTION(open64)

#define OPENAT_FUNCTION(name) \
  int name(int directory, const char *path, int flags, ...) { \
    va_list arguments; \
    va_start(arguments, flags); \
    mode_t mode = mode_of(flags, arguments); \
    va_end(arguments); \
    return open_recorded(directory, path, flags, mode); \
  }
OPENAT_FUNCTION(openat)
OPENAT_FUNCTION(openat64)

int creat(const char *path, mode_t mode) { return open_recorded(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* After `done` bytes were written; they begin at `offset`, or where the file's position was when it is negative. */
static void written(int fd, const void *bytes, ssize_t done, int64_t offset) {
  if (done <= 0) return;
  if (fds[fd] == MARKS) record(MARK, fd, 0, bytes, (uint32_t)done, "", 0);
  else record(WRITE, fd, offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR) - done, bytes, (uint32_t)done, "", 0);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (kind_of(fd) == NOT_OURS) return real_write(fd, bytes, count);
  pthread_mutex_lock(&lock);
  ssize_t done = real_write(fd, bytes, count);
  written(fd, bytes, done, -1);
  pthread_mutex_unlock(&lock);
  return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  REAL(pwrite64);
  if (kind_of(fd) == NOT_OURS) return real(fd, bytes, count, offset);
  pthread_mutex_lock(&lock);
  ssize_t done = real(fd, bytes, count, offset);
  written(fd, bytes, done, offset);
  pthread_mutex_unlock(&lock);
  return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

/* One piece is enough: whoever writes several must be ready for fewer bytes to be taken. */
static const struct iovec *first_of(const struct iovec *pieces, int count) {
  while (count > 1 && pieces->iov_len == 0) {
    pieces += 1;
    count -= 1;
  }
  return pieces;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  REAL(writev);
  if (kind_of(fd) == NOT_OURS || count == 0) return real(fd, pieces, count);
  const struct iovec *first = first_of(pieces, count);
  return write(fd, first->iov_base, first->iov_len);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) {
  REAL(pwritev64);
  if (kind_of(fd) == NOT_OURS || count == 0) return real(fd, pieces, count, offset);
  const struct iovec *first = first_of(pieces, count);
  return pwrite64(fd, first->iov_base, first->iov_len, offset);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
  return pwritev64(fd, pieces, count, offset);
}

/* Copies within the kernel show no bytes: refused, and the program writes them itself. */
ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
  REAL(sendfile64);
  if (kind_of(to) == NOT_OURS) return real(to, from, offset, count);
  errno = EINVAL;
  return -1;
}
ssize_t sendfile(int to, int from, off_t *offset, size_t count) { return sendfile64(to, from, offset, count); }

int close(int fd);

long syscall(long number, ...) {
  static long (*real)(long, ...);
  if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  va_list arguments;
  va_start(arguments, number);
  long a = va_arg(arguments, long), b = va_arg(arguments, long), c = va_arg(arguments, long);
  long d = va_arg(arguments, long), e = va_arg(arguments, long), f = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_close) return close((int)a);
  if (number == SYS_copy_file_range && kind_of((int)c) != NOT_OURS) {
    errno = ENOSYS;
    return -1;
  }
  return real(number, a, b, c, d, e, f);
}

int close(int fd) {
  REAL(close);
  if (kind_of(fd) == NOT_OURS) return real(fd);
  pthread_mutex_lock(&lock);
  if (fds[fd] == RECORDED) record(CLOSE, fd, 0, "", 0, "", 0);
  fds[fd] = NOT_OURS;
  int result = real(fd);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  if (kind_of(fd) != RECORDED) return real(fd, size);
  pthread_mutex_lock(&lock);
  int result = real(fd, size);
  if (result == 0) record(TRUNCATE, fd, size, "", 0, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int synced(int fd, int (*real)(int)) {
  if (kind_of(fd) != RECORDED) return real(fd);
  pthread_mutex_lock(&lock);
  int result = real(fd);
  if (result == 0) record(SYNC, fd, 0, "", 0, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) {
  REAL(fsync);
  return synced(fd, real);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return synced(fd, real);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
  REAL(renameat);
  char one[PATH_MAX], other[PATH_MAX];
  const char *a = below_root(from_directory, from, one), *b = below_root(to_directory, to, other);
  pthread_mutex_lock(&lock);
  int result = real(from_directory, from, to_directory, to);
  if (result == 0 && a && b) record_paths(RENAME, a, b);
  pthread_mutex_unlock(&lock);
  return result;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int directory, const char *name, int flags) {
  REAL(unlinkat);
  char room[PATH_MAX];
  const char *path = below_root(directory, name, room);
  pthread_mutex_lock(&lock);
  int result = real(directory, name, flags);
  if (result == 0 && path) record_path(flags & AT_REMOVEDIR ? RMDIR : UNLINK, -1, 0, path);
  pthread_mutex_unlock(&lock);
  return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int directory, const char *name, mode_t mode) {
  REAL(mkdirat);
  char room[PATH_MAX];
  const char *path = below_root(directory, name, room);
  pthread_mutex_lock(&lock);
  int result = real(directory, name, mode);
  if (result == 0 && path) record_path(MKDIR, -1, 0, path);
  pthread_mutex_unlock(&lock);
  return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

char *mkdtemp(char *template) {
  REAL(mkdtemp);
  char room[PATH_MAX];
  pthread_mutex_lock(&lock);
  char *result = real(template);
  const char *path = result ? below_root(AT_FDCWD, result, room) : NULL;
  if (path) record_path(MKDIR, -1, 0, path);
  pthread_mutex_unlock(&lock);
  return result;
}

int link(const char *from, const char *to) {
  REAL(link);
  char one[PATH_MAX], other[PATH_MAX];
  const char *a = below_root(AT_FDCWD, from, one), *b = below_root(AT_FDCWD, to, other);
  pthread_mutex_lock(&lock);
  int result = real(from, to);
  if (result == 0 && a && b) record_paths(LINK, a, b);
  pthread_mutex_unlock(&lock);
  return result;
}

int symlink(const char *target, const char *path) {
  REAL(symlink);
  char room[PATH_MAX];
  const char *at = below_root(AT_FDCWD, path, room);
  pthread_mutex_lock(&lock);
  int result = real(target, path);
  if (result == 0 && at) record_paths(SYMLINK, target, at);
  pthread_mutex_unlock(&lock);
  return result;
}
