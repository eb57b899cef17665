#!/usr/bin/env python3
"""A container's root, mounted on demand: programs run in it, and it is the tree it was made of.

usage: container.py COLDREAD DAEMON
       container.py --kernel SERIES DAEMON

The root is a small one: a shell and some tools of this machine with their libraries, and whatever
a file system can hold that is no plain file. Its image has the files' chunks in several blobs. It
is mounted below `coldread exec`, or on a real kernel, with the same answers; then every name,
attribute and byte is compared with the source. exit: 0, 1, or 77 where it cannot be done.
"""

import json
import os
import pathlib
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel")]
import guest   # noqa: E402  pylint: disable=wrong-import-position
import images  # noqa: E402  pylint: disable=wrong-import-position
import tree    # noqa: E402  pylint: disable=wrong-import-position

SKIPPED = 77
KERNEL = "6.12.117"
CHUNK = 16384
BLOBS = 12
MANY = 3000    # names in one directory: it has many blocks
NOBODY = 65534
TOOLS = ("sh", "cat", "id", "ls", "head", "wc")
CAP_DAC_READ_SEARCH = struct.pack("<IIIII", 0x02000001, 1 << 2, 0, 0, 0)  # effective


def access_list(*entries):
    """system.posix_acl_access: (tag, permissions, id) ..."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NO_ID = 0xFFFFFFFF
# The owner may read and write, NOBODY may read, nobody else may do anything.
FOR_NOBODY = access_list((0x01, 6, NO_ID), (0x02, 4, NOBODY), (0x04, 0, NO_ID), (0x10, 4, NO_ID),
                         (0x20, 0, NO_ID))
# The group may read, but not NOBODY, whose group it is.
NOT_FOR_NOBODY = access_list((0x01, 6, NO_ID), (0x02, 0, NOBODY), (0x04, 4, NO_ID),
                             (0x10, 4, NO_ID), (0x20, 4, NO_ID))


# --- the source ----------------------------------------------------------------------------------


def copy_program(root, name):
    """A program and the libraries it asks for, each where it is here."""
    path = os.path.realpath(shutil.which(name))
    needed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    shutil.copy2(path, root / "bin" / name)
    for library in re.findall(r"(/\S+) \(0x", needed):
        place = root / library.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, place)


def write(path, data, mode=0o644):
    path.write_bytes(data)
    path.chmod(mode)


def add_privileged(root):
    """Programs and files whose permissions are more than nine bits."""
    shutil.copy2(root / "bin/id", root / "bin/id-of-root")
    (root / "bin/id-of-root").chmod(0o4755)
    shutil.copy2(root / "bin/cat", root / "bin/cat-all")
    os.setxattr(root / "bin/cat-all", "security.capability", CAP_DAC_READ_SEARCH)
    write(root / "etc/secret", b"secret\n", 0o600)
    write(root / "etc/shared", b"shared\n", 0o640)
    os.setxattr(root / "etc/shared", "system.posix_acl_access", FOR_NOBODY)
    write(root / "etc/barred", b"barred\n", 0o644)
    os.chown(root / "etc/barred", 0, NOBODY)
    os.setxattr(root / "etc/barred", "system.posix_acl_access", NOT_FOR_NOBODY)
    write(root / "etc/labelled", b"labelled\n")
    for name, value in (("user.one", b"1"), ("user.empty", b""), ("user.long", b"x" * 900),
                        ("trusted.two", b"2")):
        os.setxattr(root / "etc/labelled", name, value)


def add_devices(root):
    os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(root / "dev/zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    os.mknod(root / "dev/disk", stat.S_IFBLK | 0o660, os.makedev(259, 70000))
    os.mknod(root / "dev/pipe", stat.S_IFIFO | 0o600)
    os.mknod(root / "dev/socket", stat.S_IFSOCK | 0o755)
    for path in ("dev/null", "dev/zero"):
        os.chmod(root / path, 0o666)


def add_files(root):
    """Sizes around blocks and chunks, a hole, several names, links, many names, odd ones."""
    for number, size in enumerate((0, 1, 4095, 4096, 4097, CHUNK - 1, CHUNK, CHUNK + 1, 700_001)):
        write(root / f"data/size-{size}", images.noise(size, number))
    with open(root / "data/hole", "wb") as file:
        file.seek(20 * CHUNK)
        file.write(b"end")
    os.chown(root / "data/size-1", 70000, 80000)  # more than a compact inode can say
    os.utime(root / "data/size-1", ns=(0, 1_234_567_891_234_567_891))
    os.link(root / "data/size-4097", root / "data/again")
    os.link(root / "data/size-4097", root / "etc/once-more")
    os.symlink("../data/size-4097", root / "etc/link")
    os.symlink("x" * 4000, root / "etc/long-link")
    write(root / "data" / ("long-" * 51)[:254], b"long name\n")
    write(root / "data/\N{SNOWMAN} and spaces", b"odd\n")
    (root / "many").mkdir(mode=0o1777)
    for number in range(MANY):
        write(root / f"many/{number:05}-{'n' * (number % 40)}", b"")


def make_source(root):
    for directory in ("bin", "etc", "dev", "data", "empty"):
        (root / directory).mkdir(parents=True)
    (root / "empty").chmod(0o2711)
    for name in TOOLS:
        copy_program(root, name)
    add_privileged(root)
    add_devices(root)
    add_files(root)


def make_image(source, blobs):
    """`img`, and the chunks in blob1, blob2, ..."""
    data = blobs / "data"
    subprocess.run(["mkfs.erofs", "--quiet", "-Eforce-chunk-indexes", f"--chunksize={CHUNK}",
                    f"--blobdev={data}", str(blobs / "img"), str(source)], check=True,
                   stdout=subprocess.DEVNULL)
    images.cut_files(blobs / "img", data, BLOBS, CHUNK)


# --- what is run in it, and what it says ---------------------------------------------------------

LIST = "import os, sys; print(sorted(os.listxattr(sys.argv[1])))"
GET = """import errno, os, sys
try: print(os.getxattr(sys.argv[1], sys.argv[2]))
except OSError as error: print(errno.errorcode[error.errno])"""

WRITE = """import errno, os, sys
try: os.open(sys.argv[1], os.O_WRONLY)
except OSError as error: print(errno.errorcode[error.errno])"""


def inside(at, *words, user=None):
    whose = [f"--userspec={user}:{user}"] if user else []
    return ["chroot", *whose, str(at), *words]


def programs(at):
    """Name -> (words, what they print)."""
    labelled = str(at / "etc/labelled")
    as_nobody = ["setpriv", f"--reuid={NOBODY}", "--clear-groups"]
    return {
        "sh": (inside(at, "/bin/sh", "-c", "echo $((6 * 7))"), "42\n"),
        "pipe": (inside(at, "/bin/sh", "-c", "PATH=/bin; cat /etc/link | wc -c; ls /many | wc -l"),
                 f"4097\n{MANY}\n"),
        "device": (inside(at, "/bin/sh", "-c",
                          "PATH=/bin; echo x > /dev/null; head -c 5 /dev/zero | wc -c"), "5\n"),
        "setuid": (inside(at, "/bin/id-of-root", "-u", user=NOBODY), "0\n"),
        "no setuid": (inside(at, "/bin/id", "-u", user=NOBODY), f"{NOBODY}\n"),
        "capability": (inside(at, "/bin/cat-all", "/etc/secret", user=NOBODY), "secret\n"),
        "no capability": (inside(at, "/bin/cat", "/etc/secret", user=NOBODY),
                          "/bin/cat: /etc/secret: Permission denied\nstatus 1\n"),
        "access list": (inside(at, "/bin/cat", "/etc/shared", user=NOBODY), "shared\n"),
        "barred by it": (inside(at, "/bin/cat", "/etc/barred", user=NOBODY),
                         "/bin/cat: /etc/barred: Permission denied\nstatus 1\n"),
        "read-only": (["python3", "-c", WRITE, str(at / "etc/secret")], "EROFS\n"),
        "attributes": (["python3", "-c", LIST, labelled],
                       "['trusted.two', 'user.empty', 'user.long', 'user.one']\n"),
        "a user's attributes": ([*as_nobody, "python3", "-c", LIST, labelled],
                                "['user.empty', 'user.long', 'user.one']\n"),
    }


def programs_without(at):
    """The same where access lists, attributes of users, and set-user-ID are not wanted."""
    labelled, shared = str(at / "etc/labelled"), str(at / "etc/shared")
    return {
        "setuid": (inside(at, "/bin/id-of-root", "-u", user=NOBODY), f"{NOBODY}\n"),
        "device": (["python3", "-c", WRITE, str(at / "dev/null")], "EACCES\n"),
        "access list": (inside(at, "/bin/cat", "/etc/shared", user=NOBODY),
                        "/bin/cat: /etc/shared: Permission denied\nstatus 1\n"),
        "barred by it": (inside(at, "/bin/cat", "/etc/barred", user=NOBODY), "barred\n"),
        "attributes": (["python3", "-c", LIST, labelled], "['trusted.two']\n"),
        "a user's": (["python3", "-c", GET, labelled, "user.one"], "ENOTSUP\n"),
        "a list": (["python3", "-c", GET, shared, "system.posix_acl_access"], "ENOTSUP\n"),
    }


VISITS = {"ro": programs, "noacl,nouser_xattr,nosuid,nodev": programs_without}


class Visits:
    """Makes a visit: the machine it is made on, the daemon, where the image is."""

    def __init__(self, machine, daemon):
        self.machine = machine
        self.daemon = daemon

    def words(self, options, scratch, cache):
        """Mount the image, run all programs, look at the tree and print what they found."""
        devices = [f"device=blob{number + 1}" for number in range(BLOBS)]
        log = scratch / "log"
        log.unlink(missing_ok=True)
        at = scratch / "at"
        wanted = {"mount": ["-t", "erofs", "none", "-o", ",".join(["fsid=img", options, *devices])],
                  "at": str(at), "log": str(log), "cache": cache,
                  "programs": {name: words for name, (words, _) in VISITS[options](at).items()},
                  "daemon": [self.daemon, cache, str(scratch / "blobs"), str(log)]}
        return ["python3", str(HERE / "visit.py"), json.dumps(wanted)]

    def differences(self, options, scratch):
        """From the source, and from what programs should say."""
        status, text = self.machine(lambda cache: self.words(options, scratch, cache), scratch)
        if status != 0:
            yield f"status {status}: {text[-3000:]}"
            return
        result = json.loads(text.splitlines()[-1])
        for name, (_, expected) in VISITS[options](scratch / "at").items():
            if result["said"][name] != expected:
                yield f"{options}: {name}: expected {expected!r}, got {result['said'][name]!r}"
        source = tree.lines(scratch / "source")
        if options == "ro":
            for line in sorted(set(source) ^ set(result["tree"])):
                yield ("only in the source: " if line in source else "only in the mount:  ") + line
        print(f"{options}: {len(result['said'])} programs, {len(result['tree'])} files, "
              f"{result['reads']['tree'][0]} READs", flush=True)


def here(coldread):
    def run(words, scratch):
        with tempfile.TemporaryDirectory(dir=scratch) as cache:
            done = subprocess.run([coldread, "exec", "--kernel", KERNEL, "--", *words(cache)],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  check=False, timeout=280)
        return done.returncode, done.stdout
    return run


def on_kernel(linux):
    return lambda words, _: guest.run(linux, words("~/cache"), limit_s=300)


# --- the run -------------------------------------------------------------------------------------


def play(visits):
    """The exit status."""
    with tempfile.TemporaryDirectory(prefix="coldread-container-") as name:
        scratch = pathlib.Path(name)
        scratch.chmod(0o755)  # others than root go in there, too
        source, blobs = scratch / "source", scratch / "blobs"
        for directory in (source, blobs, scratch / "at"):
            directory.mkdir()
        source.chmod(0o755)
        try:
            make_source(source)
        except PermissionError as error:
            print(f"this machine's root cannot make devices or attributes: {error}")
            return SKIPPED
        make_image(source, blobs)
        found = [line for options in VISITS for line in visits.differences(options, scratch)]
    print("\n".join(found))
    return 1 if found else 0


def main():
    words = sys.argv[1:]
    asks_kernel = words[:1] == ["--kernel"]
    if len(words) != (3 if asks_kernel else 2):
        print(__doc__, file=sys.stderr)
        return 2
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("needs root and /dev/fuse")
        return SKIPPED
    for tool in ("mkfs.erofs", "ldd", "setpriv"):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed")
            return SKIPPED
    daemon = os.path.abspath(words[-1])
    if not asks_kernel:
        return play(Visits(here(os.path.abspath(words[0])), daemon))
    linux, reason = guest.find(words[1])
    if not linux:
        print(reason)
        return SKIPPED
    return play(Visits(on_kernel(linux), daemon))


if __name__ == "__main__":
    sys.exit(main())
