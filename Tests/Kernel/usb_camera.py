# SPDX-License-Identifier: Apache-2.0
# A USB camera made of Python: plugged into the kernel's virtual host controller (USB/IP), so that the kernel's own
# driver for USB cameras (uvcvideo) drives it. See Documentation/usb/usbip_protocol.rst, and the USB Video Class 1.0.

import errno
import pathlib
import socket
import struct
import threading
import time

CONTROLLER = pathlib.Path("/sys/devices/platform/vhci_hcd.0")
HIGH_SPEED = 3
# Bytes of a frame that go in one transfer, with their header.
PAYLOAD = 16384
STREAM_ENDPOINT = 1

# Requests of the class.
SET_CUR, GET_CUR, GET_MIN, GET_MAX, GET_RES, GET_LEN, GET_INFO, GET_DEF = 0x01, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87
CAMERA_TERMINAL, PROCESSING_UNIT, OUTPUT_TERMINAL = 1, 2, 3
MANUAL_EXPOSURE, AUTO_EXPOSURE = 1, 8


class Control:
    """A number that the camera can be set to: its bytes, minimum, maximum, step and default."""

    def __init__(self, length, minimum, maximum, step, default):
        self.length, self.minimum, self.maximum, self.step, self.default = length, minimum, maximum, step, default
        self.value = default

    def answer(self, request):
        if request == GET_LEN:
            return struct.pack("<H", self.length)
        if request == GET_INFO:
            return b"\x03"
        known = {GET_CUR: self.value, GET_MIN: self.minimum, GET_MAX: self.maximum, GET_RES: self.step,
                 GET_DEF: self.default}
        return known[request].to_bytes(self.length, "little") if request in known else None


class USBCamera:
    """A camera that sends one JPEG image over and over, with exposure, brightness and contrast to be set."""

    def __init__(self, image, size, serial, rate, product="Door"):
        self.image, self.size, self.serial, self.product, self.rate = image, size, serial, product, rate
        # As long as it hangs, it answers requests, but sends no frame.
        self.hangs = False
        # Until it is reset, it hangs.
        self.is_wedged = False
        # How often it was told to start over.
        self.resets = 0
        self.port = None
        self.controls = {
            (PROCESSING_UNIT, 2): Control(2, 0, 255, 1, 128),
            (PROCESSING_UNIT, 3): Control(2, 0, 100, 1, 50),
            # Its step is the set of its values.
            (CAMERA_TERMINAL, 2): Control(1, 0, 0, MANUAL_EXPOSURE | AUTO_EXPOSURE, AUTO_EXPOSURE),
            (CAMERA_TERMINAL, 4): Control(4, 1, 10000, 1, 156),
        }

    # Plugging it in and out

    def plug(self, port):
        ours, theirs = socket.socketpair()
        self.port = port
        self.link = ours
        self.lock = threading.Condition()
        self.waiting = []
        self.gone = False
        self.configured = 0
        for job in [self.serve, self.stream]:
            threading.Thread(target=job, daemon=True).start()
        (CONTROLLER / "attach").write_text(f"{port} {theirs.fileno()} {port + 1} {HIGH_SPEED}")
        theirs.close()

    def unplug(self):
        (CONTROLLER / "detach").write_text(str(self.port))
        with self.lock:
            self.lock.wait_for(lambda: self.gone, 60)
        if not self.gone:
            raise AssertionError("the controller does not let the camera go")

    # What the host asks

    def serve(self):
        try:
            while True:
                self.take(self.receive(48))
        except (ConnectionError, OSError):
            with self.lock:
                self.gone = True
                self.lock.notify_all()
            self.link.close()

    def receive(self, length):
        result = b""
        while len(result) < length:
            part = self.link.recv(length - len(result))
            if not part:
                raise ConnectionError
            result += part
        return result

    def take(self, head):
        command, sequence, _, direction, endpoint = struct.unpack_from(">5I", head)
        if command == 2:
            (unwanted,) = struct.unpack_from(">I", head, 20)
            with self.lock:
                pending = unwanted in self.waiting
                if pending:
                    self.waiting.remove(unwanted)
                self.send(4, sequence, -errno.ECONNRESET if pending else 0)
            return
        (length,) = struct.unpack_from(">I", head, 24)
        data = self.receive(length) if direction == 0 else b""
        if endpoint == STREAM_ENDPOINT:
            with self.lock:
                self.waiting.append(sequence)
                self.lock.notify_all()
            return
        answer = self.control(*struct.unpack("<BBHHH", head[40:48]), data)
        with self.lock:
            if answer is None:
                self.send(3, sequence, -errno.EPIPE)
            elif direction == 0:
                self.send(3, sequence, 0, actual=length)
            else:
                self.send(3, sequence, 0, answer[:length])

    def send(self, command, sequence, status, data=b"", actual=None):
        """An answer; the lock is held."""
        length = len(data) if actual is None else actual
        self.link.sendall(struct.pack(">5IiIIII8x", command, sequence, 0, 0, 0, status, length, 0, 0, 0) + data)

    def control(self, kind, request, value, index, length, data):
        """The answer to a request at endpoint 0; None refuses it."""
        if kind & 0x60 == 0:
            return self.standard(request, value)
        entity, selector = index >> 8, value >> 8
        if entity == 0 and index & 0xFF == 1:
            return self.negotiate(request, selector)
        control = self.controls.get((entity, selector))
        if control is None:
            return None
        if request != SET_CUR:
            return control.answer(request)
        # As real cameras do: no exposure time while the exposure is automatic.
        if (entity, selector) == (CAMERA_TERMINAL, 4) and self.controls[CAMERA_TERMINAL, 2].value == AUTO_EXPOSURE:
            return None
        control.value = int.from_bytes(data, "little")
        return b""

    def standard(self, request, value):
        if request == 6:
            return self.descriptor(value >> 8, value & 0xFF)
        if request == 9:
            self.configured = value
            self.resets += 1
            if self.is_wedged:
                self.is_wedged = False
                self.forget()
                self.hang(False)
        if request in (8, 10):
            return bytes([self.configured if request == 8 else 0])
        return bytes(2) if request == 0 else b""

    def negotiate(self, request, selector):
        """The only mode there is, whatever the host proposes."""
        mode = struct.pack("<HBBI5HII", 1, 1, 1, 10_000_000 // self.rate, 0, 0, 0, 0, 0, 1 << 18, PAYLOAD)
        if selector not in (1, 2):
            return None
        answers = {SET_CUR: b"", GET_LEN: struct.pack("<H", len(mode)), GET_INFO: b"\x03"}
        return answers.get(request, mode)

    # What it says of itself

    def descriptor(self, kind, number):
        if kind == 1:
            return struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0xEF, 2, 1, 64, 0x1209, 0x0001, 0x100, 1, 2, 3, 1)
        if kind == 2:
            return self.configuration()
        if kind == 3:
            texts = ["Apus", self.product, self.serial]
            if number == 0:
                return struct.pack("<BBH", 4, 3, 0x409)
            if number <= len(texts):
                text = texts[number - 1].encode("utf-16-le")
                return bytes([2 + len(text), 3]) + text
        return None

    def configuration(self):
        width, height = self.size
        units = described(0x24, 2, CAMERA_TERMINAL, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x0A, 0, 0)
        units += described(0x24, 5, PROCESSING_UNIT, CAMERA_TERMINAL, 0, 0, 2, 0x03, 0, 0)
        units += described(0x24, 3, OUTPUT_TERMINAL, 0x01, 0x01, 0, PROCESSING_UNIT, 0)
        head = struct.pack("<BBBHHIBB", 13, 0x24, 1, 0x100, 13 + len(units), 6_000_000, 1, 1)
        interval = 10_000_000 // self.rate
        modes = described(0x24, 6, 1, 1, 1, 1, 0, 0, 0, 0)
        modes += struct.pack("<BBBBBHHIIIIBI", 30, 0x24, 7, 1, 0, width, height, 1 << 20, 1 << 24, 1 << 18, interval, 1,
                             interval)
        modes += described(0x24, 0x0D, 1, 1, 4)
        video = struct.pack("<BBBBHBBBBBBBB", 14, 0x24, 1, 1, 14 + len(modes), 0x80 | STREAM_ENDPOINT, 0,
                            OUTPUT_TERMINAL, 0, 0, 0, 1, 0)
        parts = described(0x0B, 0, 2, 0x0E, 3, 0, 2)
        parts += described(4, 0, 0, 0, 0x0E, 1, 0, 2) + head + units
        parts += described(4, 1, 0, 1, 0x0E, 2, 0, 0) + video + modes
        parts += described(5, 0x80 | STREAM_ENDPOINT, 2, 0x00, 0x02, 0)
        return struct.pack("<BBHBBBBB", 9, 2, 9 + len(parts), 2, 1, 0, 0x80, 250) + parts

    # What it sends

    def stream(self):
        """Each frame in pieces, as long as the host asks for them."""
        toggle = 0
        while True:
            with self.lock:
                self.lock.wait_for(lambda: self.gone or self.waiting)
                if self.gone:
                    return
            began = time.monotonic()
            for start in range(0, len(self.image), PAYLOAD - 2):
                piece = self.image[start : start + PAYLOAD - 2]
                ends = start + len(piece) == len(self.image)
                with self.lock:
                    self.lock.wait_for(lambda: self.gone or (self.waiting and not self.hangs))
                    if self.gone:
                        return
                    try:
                        self.send(3, self.waiting.pop(0), 0, bytes([2, 0x80 | toggle | (2 if ends else 0)]) + piece)
                    except OSError:
                        return
            toggle ^= 1
            time.sleep(max(0, began + 1 / self.rate - time.monotonic()))

    def forget(self):
        """What it was set to, as whoever was without power has."""
        for control in self.controls.values():
            control.value = control.default

    def wedge(self):
        """It sends no frame any more before it is reset."""
        self.is_wedged = True
        self.hang(True)

    def hang(self, hangs):
        with self.lock:
            self.hangs = hangs
            self.lock.notify_all()


def described(*content):
    """A descriptor: its length in front."""
    return bytes([len(content) + 1, *content])
