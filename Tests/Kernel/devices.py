# SPDX-License-Identifier: Apache-2.0
# The machine's drivers: loading them, finding their devices, taking devices away and giving them back.

import glob
import os
import pathlib
import subprocess


class Drivers:
    """The kernel's modules, whose files the host has put in order."""

    def __init__(self, folder, order):
        self.folder = folder
        self.busybox = str(pathlib.Path(folder) / "files/bin/busybox")
        self.order = order

    def load(self, name, *options):
        """Loads a module with all that it needs; the options are its own."""
        for path in self.order[name]:
            own = options if pathlib.Path(path).stem == name else ()
            done = subprocess.run([self.busybox, "insmod", path, *own], capture_output=True, text=True, check=False)
            if done.returncode != 0 and "File exists" not in done.stderr:
                raise AssertionError(f"insmod {path}: {done.stderr.strip()}")

    def load_vivid(self, webcams=0, multiplanar=0, hdmi=0, television=0):
        """So many cameras with planes in one memory, with several, boards with a digital signal, with an analogue one."""
        inputs = ["0x0"] * (webcams + multiplanar) + ["0x3"] * hdmi + ["0x2"] * television
        count = len(inputs)
        self.load(
            "vivid",
            f"n_devs={count}",
            f"node_types={','.join(['0x1'] * count)}",
            f"num_inputs={','.join(['1'] * count)}",
            f"input_types={','.join(inputs)}",
            f"multiplanar={','.join(['1'] * webcams + ['2'] * multiplanar + ['1'] * (hdmi + television))}",
        )

    def unload(self, name):
        done = subprocess.run([self.busybox, "rmmod", name], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"rmmod {name}: {done.stderr.strip()}")


def cameras(card="vivid"):
    """The device nodes of a driver's cameras, in order."""
    found = []
    for path in glob.glob("/sys/class/video4linux/video*"):
        name = (pathlib.Path(path) / "name").read_text().strip()
        if name.startswith(card):
            found.append("/dev/" + os.path.basename(path))
    return sorted(found, key=lambda path: int(path.removeprefix("/dev/video")))


def platform_device(node):
    """The driver's folder, and the name under which it knows the device: for unbind and bind."""
    device = pathlib.Path(f"/sys/class/video4linux/{os.path.basename(node)}/device").resolve()
    return (device / "driver").resolve(), device.name


def unbind(place):
    (place[0] / "unbind").write_text(place[1])


def bind(place):
    (place[0] / "bind").write_text(place[1])


def control(node, **values):
    """Sets controls by v4l2-ctl: somebody else's program. A name that the device has not is an error."""
    text = ",".join(f"{name}={value}" for name, value in values.items())
    done = subprocess.run(["v4l2-ctl", "-d", node, "-c", text], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0 or done.stderr.strip():
        raise AssertionError(f"v4l2-ctl -c {text}: {done.stdout}{done.stderr}")


def read_control(node, name):
    done = subprocess.run(["v4l2-ctl", "-d", node, "-C", name], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split(":", 1)[1].strip()


def menu(node, name):
    """The entries of a menu control by their numbers, as v4l2-ctl lists them."""
    done = subprocess.run(["v4l2-ctl", "-d", node, "-L"], capture_output=True, text=True, check=True, timeout=60)
    lines = iter(done.stdout.splitlines())
    next(line for line in lines if line.split()[:1] == [name])
    entries = {}
    for line in lines:
        number, _, text = line.strip().partition(": ")
        if not number.isdigit():
            break
        entries[int(number)] = text
    return entries
