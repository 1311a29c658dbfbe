# SPDX-License-Identifier: Apache-2.0
# Boots the kernel and runs the tests in it: python3 -m Tests.Kernel [-k TEXT] [--programs PATH] [--shell COMMAND]

import argparse
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
import unittest

from . import fixtures, machine

# The tests that need a kernel and nothing else, in order; those of a machine whose clock counts instructions, two
# nanoseconds each; and those of a system that systemd has started.
BARE = ["test_formats", "test_coded", "test_usb", "test_signals", "test_devices", "test_libcamera", "test_cameras"]
EXACT = ["test_latency"]
SHIFT = 1
BOOTED = ["test_service"]
# As the README tells to make Apus a service of the system.
INSTALL = """mkdir -p /lib/modules && cp -r {folder}/tree/lib/modules/{version} /lib/modules/
make -s install release={programs}
systemd-sysusers && mkdir -p /etc/apus && cp config/apus.conf /etc/apus/ && chown -R apus: /etc/apus
systemctl enable apus"""
HERE = f"cd {shlex.quote(str(machine.ROOT))} && export HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin && "


def main():
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Kernel")
    parser.add_argument("-k", metavar="TEXT", default="", help="only tests whose name contains one of a,b")
    parser.add_argument("--programs", type=pathlib.Path, default=machine.ROOT / ".build/release")
    parser.add_argument("--timeout", type=int, default=900, help="seconds after which the machine is ended")
    parser.add_argument("--shell", metavar="COMMAND", help="runs a command in the machine instead of the tests")
    options = parser.parse_args()
    if shutil.which("qemu-system-x86_64") is None:
        print("kernel: qemu-system-x86_64 is not installed: make setup does it", file=sys.stderr)
        return 1
    programs = options.programs.resolve()
    if not (programs / "apus").exists():
        print(f"kernel: {programs} has no programs; run make build", file=sys.stderr)
        return 1
    try:
        version = machine.prepare()
        fixtures.make(version)
    except subprocess.CalledProcessError as error:
        print(f"kernel: {error}", file=sys.stderr)
        return 1
    if options.shell:
        return run(version, f"({options.shell}) >/dev/ttyS1 2>&1", options.timeout)
    words = options.k.split(",")
    kinds = [(BARE, None, None), (EXACT, None, SHIFT), (BOOTED, INSTALL, None)]
    chosen = [(find(modules, words), prepare, shift) for modules, prepare, shift in kinds]
    if not any(tests for tests, _, _ in chosen):
        print("kernel: no test has that in its name", file=sys.stderr)
        return 1
    code = 0
    for tests, prepare, shift in chosen:
        if tests:
            plan = machine.FOLDER / "plan.json"
            plan.write_text(json.dumps(make_plan(version, programs, tests)))
            if prepare is not None:
                machine.plant(["videodev"], version)
                places = {"programs": programs, "folder": machine.FOLDER}
                places = {name: shlex.quote(str(path)) for name, path in places.items()}
                prepare = "set -e\n" + HERE + prepare.format(version=version, **places)
            command = f"/usr/bin/python3 -m Tests.Kernel.guest {shlex.quote(str(plan))} >/dev/ttyS1 2>&1"
            code = run(version, command, options.timeout, prepare, shift) or code
    return code


def run(version, command, timeout, prepare=None, shift=None):
    """Runs a command in a machine of its own; 0 when it went well."""
    began = time.monotonic()
    code = machine.boot(version, HERE + command, timeout, lambda line: print(line, flush=True), prepare, shift=shift)
    print(f"kernel {version}: {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s", flush=True)
    return 0 if code == 0 else 1


def find(modules, words):
    """The modules of those that have tests with a word in their names, each with these tests' names."""
    found = {}
    for name in modules:
        tests = unittest.TestLoader().loadTestsFromName(f"{__package__}.{name}")
        names = [test.id().removeprefix(f"{__package__}.{name}.") for group in tests for test in group]
        chosen = [test for test in names if any(word in f"{name}.{test}" for word in words)]
        if chosen:
            found[name] = chosen
    return found


def make_plan(version, programs, tests):
    """What the machine is told; looking for modules there would take it long."""
    modules = {name: machine.in_order([name], version) for name in ["vivid", "vhci-hcd", "uvcvideo"]}
    modules["v4l2loopback"] = machine.in_order(["videodev"], version) + [machine.FOLDER / "v4l2loopback.ko"]
    return {
        "programs": str(programs),
        "folder": str(machine.FOLDER),
        "modules": {name: [str(path) for path in paths] for name, paths in modules.items()},
        "tests": tests,
    }


sys.exit(main())
