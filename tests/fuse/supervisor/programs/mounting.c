/* Calls mount(2) and its successors as programs do; says what each returns.
 *   mounting mount TARGET DATA [remount]        mount(2), type erofs
 *   mounting new TARGET KEY=VALUE...            fsopen, fsconfig, fsmount, move_mount
 *   mounting change TARGET KEY=VALUE...         fspick, fsconfig
 *   mounting umount TARGET [detach]
 *   mounting log                                syslog(2): READ_CLEAR
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <unistd.h>

static int says(const char* what, long result) {
  if (result < 0)
    printf("%s %s\n", what, strerrorname_np(errno));
  else
    printf("%s ok\n", what);
  fflush(stdout);
  return result < 0 ? 1 : 0;
}

static int tell(int context, char** options) {
  for (; *options != NULL; options++) {
    char* const value = strchr(*options, '=');
    long result;

    if (value != NULL) *value = '\0';
    result = value != NULL ? fsconfig(context, FSCONFIG_SET_STRING, *options, value + 1, 0)
                           : fsconfig(context, FSCONFIG_SET_FLAG, *options, NULL, 0);
    if (says(*options, result) != 0) return 1;
  }
  return 0;
}

static int mount_new(const char* target, char** options) {
  const int context = fsopen("erofs", FSOPEN_CLOEXEC);
  int tree;

  if (says("fsopen", context) != 0 || tell(context, options) != 0) return 1;
  printf("close on exec %d\n", fcntl(context, F_GETFD) & FD_CLOEXEC);
  if (says("create", fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) != 0) {
    says("again", fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    return 1;
  }
  tree = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
  if (says("fsmount", tree) != 0) return 1;
  return says("move_mount", move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}

static int change(const char* target, char** options) {
  const int context = fspick(AT_FDCWD, target, FSPICK_CLOEXEC);

  if (says("fspick", context) != 0 || tell(context, options) != 0) return 1;
  return says("reconfigure", fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
}

static int read_log(void) {
  static char text[1 << 16];
  const int size = klogctl(4, text, sizeof(text));

  if (size > 0) fwrite(text, 1, (size_t)size, stdout);
  return says("log", size);
}

int main(int argc, char** argv) {
  const char* const what = argc > 1 ? argv[1] : "";

  if (strcmp(what, "mount") == 0 && argc > 3)
    return says("mount", mount("none", argv[2], "erofs", argc > 4 ? MS_REMOUNT : 0, argv[3]));
  if (strcmp(what, "new") == 0 && argc > 2) return mount_new(argv[2], argv + 3);
  if (strcmp(what, "change") == 0 && argc > 2) return change(argv[2], argv + 3);
  if (strcmp(what, "umount") == 0 && argc > 2)
    return says("umount", umount2(argv[2], argc > 3 ? MNT_DETACH : 0));
  if (strcmp(what, "log") == 0) return read_log();
  fprintf(stderr, "usage: mounting mount|new|change|umount|log ...\n");
  return 2;
}
