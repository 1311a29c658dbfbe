# SPDX-License-Identifier: Apache-2.0
# A virtual machine with Debian's kernel: the host's files are its own, changes stay in its memory.

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".build/kernel"
# What it takes to reach the host's files.
BOOT_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]

INIT = """#!/busybox sh
/busybox mkdir -p /proc /lower /upper /whole
/busybox mount -t proc proc /proc
for module in {modules}; do /busybox insmod /modules/$module || echo "INSMOD FAILED $module"; done
/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=524288,cache=loose host /lower
/busybox mount -t tmpfs -o size=60% tmpfs /upper
/busybox mkdir /upper/files /upper/work
/busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /whole
for place in dev sys proc tmp run; do /busybox mkdir -p /whole/$place; done
/busybox mount -t devtmpfs devtmpfs /whole/dev
/busybox mount -t proc proc /whole/proc
/busybox mount -t sysfs sysfs /whole/sys
/busybox mount -t tmpfs tmpfs /whole/tmp
/busybox mount -t tmpfs tmpfs /whole/run
/busybox mkdir -p /whole/dev/shm /whole/dev/pts
/busybox mount -t tmpfs tmpfs /whole/dev/shm
/busybox mount -t devpts devpts /whole/dev/pts
/busybox ip link set lo up
"""

# What comes then: the command alone, or a system that is started as any is, with the command as its last service.
ALONE = """
/busybox chroot /whole /bin/sh -c {command}
echo "GUEST EXIT $?" >/whole/dev/ttyS1
/busybox sleep 1
/busybox poweroff -f
"""
SYSTEM = """
/busybox rm -rf /whole/etc/systemd/system /whole/etc/fstab
/busybox mkdir -p /whole/etc/systemd/system/multi-user.target.wants
/busybox chroot /whole /bin/sh -c {prepare} >/whole/dev/ttyS1 2>&1
/busybox cat >/whole/last <<'END'
{command}
END
/busybox cat >/whole/etc/systemd/system/last.service <<'END'
[Unit]
DefaultDependencies=no
After=multi-user.target
[Service]
Type=exec
ExecStart=/bin/sh /last
StandardOutput=file:/dev/ttyS1
StandardError=inherit
ExecStopPost=/bin/sh -c 'echo "GUEST EXIT $EXIT_STATUS" >/dev/ttyS1; sleep 1; systemctl poweroff -ff'
END
/busybox ln -s ../last.service /whole/etc/systemd/system/multi-user.target.wants/
exec /busybox switch_root /whole /lib/systemd/systemd
"""


def dependencies(module):
    """The names of the modules that a module file names as its own needs."""
    found = re.search(rb"\0depends=([^\0]*)\0", b"\0" + module.read_bytes())
    return [name for name in found.group(1).decode().split(",") if name] if found else []


def in_order(names, version):
    """The files of modules and of all that they need, each behind what it needs."""
    modules = FOLDER / "files/lib/modules" / version
    files = {path.stem.replace("-", "_"): path for path in modules.rglob("*.ko")}
    result = []

    def add(name):
        path = files.get(name.replace("-", "_"))
        if path is None:
            raise SystemExit(f"the kernel has no module {name}")
        if path not in result:
            for needed in dependencies(path):
                add(needed)
            if path not in result:
                result.append(path)

    for name in names:
        add(name)
    return result


def plant(names, version):
    """Makes a tree with these modules alone and what modprobe looks them up in, for a machine that loads them itself."""
    modules = FOLDER / "tree/lib/modules" / version
    modules.mkdir(parents=True, exist_ok=True)
    for path in in_order(names, version):
        shutil.copy(path, modules)
    subprocess.run(["/sbin/depmod", "-b", FOLDER / "tree", version], stderr=subprocess.DEVNULL, check=True)


def archive(files):
    """A cpio archive (newc) of {name: bytes}, all of them executable."""
    result = bytearray()
    for number, (name, content) in enumerate([*files.items(), ("TRAILER!!!", b"")], 1):
        mode = 0o100755 if content else 0
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        result += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        result += b"\0" * (-len(result) % 4)
        result += content
        result += b"\0" * (-len(result) % 4)
    return bytes(result)


def prepare():
    """Fetches the kernel if need be; its version."""
    done = subprocess.run([ROOT / "scripts/kernel"], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()[-1]


def boot(version, command, timeout, on_line, prepare=None, memory=1536, shift=None):
    """Runs a shell command in a new machine; on_line is called with each line that it writes to /dev/ttyS1.

    With something to prepare (another shell command), systemd is booted then, and the command runs when it is up. With a
    shift, the machine has one processor, and its clock counts instructions: 2 to the power of it in nanoseconds each.
    Whatever holds the host up does not count then, but the machine takes longer.
    Returns the command's exit code; None if the machine ended without one, or the time was up.
    """
    modules = in_order(BOOT_MODULES, version)
    files = {"busybox": (FOLDER / "files/bin/busybox").read_bytes()}
    files |= {f"modules/{path.name}": path.read_bytes() for path in modules}
    init = INIT.format(modules=" ".join(path.name for path in modules))
    if prepare is None:
        init += ALONE.format(command=shlex.quote(command))
    else:
        init += SYSTEM.format(prepare=shlex.quote(prepare), command=command)
    files = {"modules/.keep": b"\n"} | files | {"init": init.encode()}
    initramfs = FOLDER / f"initramfs-{os.getpid()}"
    initramfs.write_bytes(with_folders(files))
    console = FOLDER / "console.log"
    qemu = ["qemu-system-x86_64", "-cpu", "max", "-m", str(memory)]
    if shift is None:
        qemu += ["-accel", "tcg,thread=multi", "-smp", "2"]
    else:
        qemu += ["-accel", "tcg,thread=single", "-smp", "1", "-icount", f"shift={shift},sleep=on"]
    qemu += ["-kernel", FOLDER / "vmlinux", "-initrd", initramfs, "-nographic", "-no-reboot"]
    # no_timer_check: on a busy host the timer may seem not to tick; mitigations cost time and protect nothing here.
    arguments = "console=ttyS0 edd=off quiet panic=-1 no_timer_check mitigations=off nokaslr random.trust_cpu=on"
    arguments += " systemd.unit=multi-user.target systemd.show_status=no systemd.log_target=console"
    qemu += ["-append", arguments]
    qemu += ["-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"]
    qemu += ["-monitor", "none", "-nic", "none", "-serial", f"file:{console}", "-serial", "stdio"]
    machine = subprocess.Popen(
        ["timeout", str(timeout), "nice", *map(str, qemu)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    code = None
    try:
        for line in machine.stdout:
            line = line.rstrip("\r\n")
            if line.startswith("GUEST EXIT "):
                code = int(line.split()[-1])
            else:
                on_line(line)
    finally:
        machine.kill()
        machine.wait()
        initramfs.unlink(missing_ok=True)
    if code is None:
        tail = console.read_text(errors="replace").splitlines()[-30:]
        print("---- the end of the kernel's console\n" + "\n".join(tail), file=sys.stderr)
    return code


def with_folders(files):
    """The archive of files, with the folder that modules are in."""
    folder = b"070701" + b"".join(
        b"%08X" % field for field in [900, 0o040755, 0, 0, 2, 0, 0, 0, 0, 0, 0, len("modules") + 1, 0]
    )
    folder += b"modules\0"
    folder += b"\0" * (-len(folder) % 4)
    return folder + archive({name: content for name, content in files.items() if name != "modules/.keep"})
