"""Runs a script in a real kernel that `tests/kernel/build` has built: for what is no scenario.

The guest sees this machine's files (hostfs), has an empty ext4 disk on /root and one processor.
"""

import os
import pathlib
import shlex
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MEMORY_MB = 768
# User-Mode Linux does not save the widest registers, which the C library uses where there are any.
NARROW = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD"

INIT = """#!/bin/bash
export PATH={path}
export HOME=/root GLIBC_TUNABLES={narrow}
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tmpfs tmpfs /run
mount /dev/ubda /root
cd {directory}
{command} > {directory}/out 2>&1 < /dev/null
echo $? > {directory}/status
sync
echo o > /proc/sysrq-trigger
sleep 5
"""


def find(series):
    """The path of the kernel's program, or None and why there is none."""
    built = subprocess.run(["bash", str(HERE / "build"), "--cached", series],
                           capture_output=True, text=True, check=False)
    said = dict(line.split("=", 1) for line in built.stdout.splitlines() if "=" in line)
    return said.get("linux"), said.get("reason", "")


def run(linux, words, disk_mb=512, limit_s=120):
    """(exit status, output) of a command in the guest; the status is None if the guest failed."""
    with tempfile.TemporaryDirectory(prefix="coldread-guest-") as directory:
        disk = os.path.join(directory, "disk")
        init = os.path.join(directory, "init")
        with open(disk, "wb") as file:
            file.truncate(disk_mb << 20)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", disk], check=True)
        text = INIT.format(narrow=NARROW, path=os.environ["PATH"], directory=directory,
                           command=shlex.join(words))
        pathlib.Path(init).write_text(text, encoding="utf-8")
        os.chmod(init, 0o755)
        console = os.path.join(directory, "console")
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else directory
        with open(console, "wb") as log:
            machine = subprocess.Popen(
                [linux, f"mem={MEMORY_MB}M", "root=/dev/root", "rootfstype=hostfs",
                 "rootflags=/", "rw", f"ubd0={disk}", f"init={init}", "con=null",
                 "con0=null,fd:1", "quiet"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=dict(os.environ, TMPDIR=memory))
            try:
                machine.wait(limit_s)
            except subprocess.TimeoutExpired:
                os.killpg(machine.pid, 9)
                machine.wait()
        out = pathlib.Path(directory, "out")
        text = out.read_text(encoding="utf-8", errors="replace") if out.exists() else ""
        status = pathlib.Path(directory, "status")
        if status.exists() and status.read_text(encoding="utf-8").strip():
            return int(status.read_text(encoding="utf-8")), text
        said = pathlib.Path(console).read_text(encoding="utf-8", errors="replace")
        return None, text + "\n" + said[-2000:]
