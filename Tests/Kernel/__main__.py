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

from . import fixtures, machine


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
    command = f"cd {shlex.quote(str(machine.ROOT))} && export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin && "
    if options.shell:
        command += f"({options.shell}) >/dev/ttyS1 2>&1"
    else:
        plan = machine.FOLDER / "plan.json"
        plan.write_text(json.dumps(make_plan(version, programs, options.k)))
        command += f"/usr/bin/python3 -m Tests.Kernel.guest {shlex.quote(str(plan))} >/dev/ttyS1 2>&1"
    began = time.monotonic()
    code = machine.boot(version, command, options.timeout, lambda line: print(line, flush=True))
    print(f"kernel {version}: {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s")
    return 0 if code == 0 else 1


def make_plan(version, programs, text):
    """What the machine is told; looking for modules there would take it long."""
    modules = {name: machine.in_order([name], version) for name in ["vivid", "vhci-hcd", "uvcvideo"]}
    modules["v4l2loopback"] = machine.in_order(["videodev"], version) + [machine.FOLDER / "v4l2loopback.ko"]
    return {
        "programs": str(programs),
        "folder": str(machine.FOLDER),
        "modules": {name: [str(path) for path in paths] for name, paths in modules.items()},
        "text": text,
    }


sys.exit(main())
