// SPDX-License-Identifier: Apache-2.0
// The supervisor with real processes: small shells that say when they are ready, crash, or refuse to end.

import Bytes
import Log
import Loop
import Supervisor
import System
import Testing

/// A supervisor in a directory of its own, with a loop that tests turn until something has happened.
private final class Bench {
    let loop: EventLoop
    let supervisor: Supervisor
    let directory: String
    var failure: (String, Int32)?
    var isReady = false
    var isStopped = false
    var output: [UInt8] = []

    init(catchesOutput: Bool = false, _ change: (inout SupervisorTimes) -> Void = { _ in }) throws {
        loop = try EventLoop()
        directory = "/tmp/apus-supervisor-test-\(Random.uint64())"
        try File.makeDirectory(directory, mode: 0o700)
        var times = SupervisorTimes()
        change(&times)
        let sink = LogSink(level: .debug, style: .plain, clock: { 0 }, output: { _ in })
        var take: ([UInt8]) -> Void = { _ in }
        supervisor = try Supervisor(
            loop,
            Logger("test", to: sink),
            notifyDirectory: directory,
            output: catchesOutput ? { take($0) } : nil,
            times: times,
            isPermanent: { $0 == 2 || $0 == 3 }
        )
        take = { [unowned self] in output += $0 }
        supervisor.onFailure = { [unowned self] in failure = ($0, $1) }
        supervisor.onReady = { [unowned self] in isReady = true }
    }

    /// A child that runs a shell script; `ready` tells the supervisor that it is ready.
    func plan(_ name: String, _ script: String, stage: Int = 0) -> ChildPlan {
        let ready = """
            ready() { /usr/bin/python3 -c 'import os,socket
            s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.connect(os.environ["NOTIFY_SOCKET"]);s.send(b"READY=1")'; }

            """
        return ChildPlan(name: name, path: "/bin/sh", arguments: ["-c", ready + script], stage: stage)
    }

    /// A script that is ready and gives signs of life often.
    let giveSigns = """
        exec /usr/bin/python3 -c 'import os,socket,time
        s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.connect(os.environ["NOTIFY_SOCKET"]);s.send(b"READY=1")
        while True:
          time.sleep(0.1)
          try: s.send(b"WATCHDOG=1",socket.MSG_DONTWAIT)
          except BlockingIOError: pass'
        """

    func report(_ name: String) -> ChildReport? { supervisor.reports.first { $0.name == name } }

    /// Turns the loop until `condition` holds; false after ten seconds.
    func turn(until condition: () -> Bool) throws -> Bool {
        let deadline = Clock.monotonic() + .seconds(10)
        while !condition() {
            if Clock.monotonic() > deadline { return false }
            try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(50))
        }
        return true
    }

    func stop() throws {
        supervisor.stop { [unowned self] in isStopped = true }
        #expect(try turn { isStopped })
        for name in try File.list(directory) { File.remove("\(directory)/\(name)") }
        #expect(File.removeDirectory(directory))
    }
}

@Suite("Supervisor", .serialized)
struct SupervisorTests {
    @Test("readiness is reported once all children are ready")
    func readiness() throws {
        let bench = try Bench()
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))
        bench.supervisor.start(bench.plan("two", "ready; exec sleep 60"))

        #expect(try bench.turn { bench.isReady })

        #expect(bench.supervisor.reports.map(\.state) == [.running, .running])
        try bench.stop()
        #expect(bench.supervisor.reports.map(\.state) == [.stopped, .stopped])
    }

    @Test("a child that is killed is back in under a second")
    func restart() throws {
        let bench = try Bench()
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))
        #expect(try bench.turn { bench.isReady })
        let first = try #require(bench.report("one")?.pid)

        let killed = Clock.monotonic()
        try Process.signal(.kill, to: first)
        #expect(try bench.turn { bench.report("one").map { $0.pid != first && $0.state == .running } ?? false })

        #expect(Clock.monotonic() - killed < .seconds(1))
        #expect(bench.report("one")?.restarts == 1)
        #expect(bench.report("one")?.lastEnd == .killed(signal: 9))
        try bench.stop()
    }

    @Test("a child that keeps ending is told of with how, how often, and what it said last")
    func trouble() throws {
        let bench = try Bench(catchesOutput: true)
        bench.supervisor.start(
            bench.plan("one", #"printf 'one\ntwo\n\033[31mred\033[0m\nfour\nno line' >&2; exit 7"#)
        )

        #expect(try bench.turn { bench.report("one").map { $0.restarts > 1 } ?? false })

        let report = try #require(bench.report("one"))
        #expect(
            report.trouble
                == "ended with exit code 7; it has ended \(report.restarts) times in a row soon after its start"
        )
        #expect(report.lastWords == ["two", "red", "four", "no line"])
        #expect(
            String(decoding: bench.output, as: UTF8.self)
                .hasPrefix("one\ntwo\n\u{1B}[31mred\u{1B}[0m\nfour\nno line\none\n")
        )
        try bench.stop()
    }

    @Test("lines of several children do not mix, however they are written")
    func wholeLines() throws {
        let bench = try Bench(catchesOutput: true)
        let script =
            "for i in $(seq 200); do printf '%s' \"$0\" >&2; printf '%s\\n' \"$0\" >&2; done; ready; exec sleep 60"
        for name in ["aaa", "bbb"] {
            bench.supervisor.start(bench.plan(name, script.replacing("$0", with: name)))
        }
        #expect(try bench.turn { bench.isReady })
        bench.supervisor.drain()

        let lines = String(decoding: bench.output, as: UTF8.self).split(separator: "\n")
        #expect(Set(lines) == ["aaaaaa", "bbbbbb"])
        #expect(lines.count == 400)
        try bench.stop()
    }

    @Test("a child that floods its standard error is heard, and holds nobody up")
    func flood() throws {
        let bench = try Bench(catchesOutput: true)
        bench.supervisor.start(bench.plan("one", "ready; exec yes flood >&2"))
        bench.supervisor.start(bench.plan("two", "ready; exec sleep 60"))

        #expect(try bench.turn { bench.isReady && bench.output.count > 1 << 20 })
        bench.supervisor.drain()

        #expect(bench.report("two")?.state == .running)
        try bench.stop()
        #expect(bench.output.prefix(12).elementsEqual("flood\nflood\n".utf8))
    }

    @Test("why a child was killed is told: without a sign of life, stopped, never ready")
    func killing() throws {
        for (script, readiness, expected) in [
            ("ready; exec sleep 60", Duration.seconds(10), "killed: no sign of life for 200ms"),
            ("exec sleep 60", .milliseconds(300), "killed: not ready after 300ms"),
        ] {
            let bench = try Bench(catchesOutput: true) {
                $0.watchdog = .milliseconds(200)
                $0.readiness = readiness
            }
            bench.supervisor.start(bench.plan("one", script))

            #expect(try bench.turn { bench.report("one")?.restarts == 1 })

            #expect(bench.report("one")?.trouble == expected)
            try bench.stop()
        }
    }

    @Test("a child that was asked to end has no trouble to tell of")
    func noTrouble() throws {
        let bench = try Bench(catchesOutput: true)
        let plan = bench.plan("one", "echo hello >&2; ready; exec sleep 60")
        bench.supervisor.start(plan)
        #expect(try bench.turn { bench.isReady })
        bench.supervisor.restart(plan)
        #expect(try bench.turn { bench.report("one").map { $0.state == .running } ?? false })

        #expect(bench.report("one")?.trouble == nil)
        #expect(bench.report("one")?.lastWords == [])
        try bench.stop()
    }

    @Test("on slow machines, every wait is so many times as long")
    func patience() {
        let times = SupervisorTimes().stretched(by: 3)

        #expect(times.readiness == .seconds(90) && times.watchdog == .seconds(30))
        #expect(times.stop == .milliseconds(2400) && times.stopped == .milliseconds(1500))
    }

    @Test("a child that is stopped by a signal and does not go on is killed and started again")
    func stopped() throws {
        let bench = try Bench { $0.stopped = .milliseconds(100) }
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))
        #expect(try bench.turn { bench.isReady })
        let first = try #require(bench.report("one")?.pid)
        bench.supervisor.checkStopped()

        try Process.signal(.stop, to: first)
        #expect(
            try bench.turn {
                bench.supervisor.checkStopped()
                return bench.report("one").map { $0.pid != first && $0.state == .running } ?? false
            }
        )

        #expect(bench.report("one")?.lastEnd == .killed(signal: 9))
        try bench.stop()
    }

    @Test("a child that is stopped and goes on in time is left alone")
    func resumed() throws {
        let bench = try Bench { $0.stopped = .milliseconds(200) }
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))
        #expect(try bench.turn { bench.isReady })
        let pid = try #require(bench.report("one")?.pid)

        try Process.signal(.stop, to: pid)
        #expect(try bench.turn { Process.isStopped(pid) })
        bench.supervisor.checkStopped()
        try Process.signal(.resume, to: pid)
        #expect(try bench.turn { !Process.isStopped(pid) })
        let resumed = Clock.monotonic()
        #expect(try bench.turn { Clock.monotonic() - resumed > .milliseconds(400) })

        #expect(bench.report("one")?.pid == pid)
        #expect(bench.report("one")?.restarts == 0)
        try bench.stop()
    }

    @Test("a child that keeps crashing waits longer each time")
    func backoff() throws {
        let bench = try Bench()
        // Pauses lie between starts: between ends, how long a shell takes to start would count as well.
        var starts: [Instant] = []
        bench.supervisor.start(bench.plan("one", "exit 1"))

        let hasAll = try bench.turn {
            if let start = bench.report("one")?.since, start != starts.last { starts.append(start) }
            return starts.count == 4
        }
        #expect(hasAll)

        let gaps = zip(starts.dropFirst(), starts).map { ($0 - $1).milliseconds }
        #expect(gaps[0] < 180, "the first restart is immediate")
        #expect(gaps[1] >= 187 && gaps[2] >= 375, "\(gaps)")
        try bench.stop()
    }

    @Test("a child that is added later and cannot start is tried again: the others run on")
    func lateFailure() throws {
        let bench = try Bench()
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))
        #expect(try bench.turn { bench.isReady })

        bench.supervisor.start(bench.plan("two", "exit 3"))

        #expect(try bench.turn { bench.report("two").map { $0.restarts > 1 } ?? false })
        #expect(bench.failure == nil)
        #expect(bench.report("one")?.state == .running)
        try bench.stop()
    }

    @Test("a first start that ends for good is reported, not repeated")
    func permanentFailure() throws {
        let bench = try Bench()
        bench.supervisor.start(bench.plan("one", "exit 3"))

        #expect(try bench.turn { bench.failure != nil })

        #expect(bench.failure?.0 == "one")
        #expect(bench.failure?.1 == 3)
        #expect(bench.report("one")?.restarts == 0)
        try bench.stop()
    }

    @Test("a child that was ready once is started again whatever its exit code")
    func laterFailure() throws {
        let bench = try Bench()
        let marker = "\(bench.directory)/marker"
        bench.supervisor.start(
            bench.plan("one", "ready; [ -e \(marker) ] && exec sleep 60; touch \(marker); exit 3")
        )

        #expect(try bench.turn { bench.report("one")?.restarts == 1 && bench.report("one")?.state == .running })

        #expect(bench.failure == nil)
        try bench.stop()
    }

    @Test("a child that does not become ready in time is killed and started again")
    func readinessTimeout() throws {
        let bench = try Bench { $0.readiness = .milliseconds(100) }
        bench.supervisor.start(bench.plan("one", "exec sleep 60"))

        #expect(try bench.turn { bench.report("one")?.restarts == 1 })

        #expect(bench.report("one")?.lastEnd == .killed(signal: 9))
        try bench.stop()
    }

    @Test("a ready child without a sign of life is killed and started again")
    func watchdog() throws {
        let bench = try Bench { $0.watchdog = .milliseconds(100) }
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))
        #expect(try bench.turn { bench.isReady })

        #expect(try bench.turn { bench.report("one")?.restarts == 1 })

        try bench.stop()
    }

    @Test("a child that hangs again and again is failing, and is told of as such")
    func hanging() throws {
        let bench = try Bench { $0.watchdog = .milliseconds(100) }
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))

        #expect(try bench.turn { bench.report("one")?.state == .failing })

        let report = try #require(bench.report("one"))
        #expect(report.trouble == "killed: no sign of life for 100ms; it has ended \(report.restarts) times in a row")
        try bench.stop()
    }

    @Test("after a pause of the supervisor's own, children that gave signs of life meanwhile are left alone")
    func ownPause() throws {
        let bench = try Bench { $0.watchdog = .seconds(1) }
        bench.supervisor.start(bench.plan("one", bench.giveSigns))
        #expect(try bench.turn { bench.isReady })
        let pid = bench.report("one")?.pid

        try holdUp(.seconds(3))
        let resumed = Clock.monotonic()
        #expect(try bench.turn { Clock.monotonic() - resumed > .milliseconds(1500) })

        #expect(bench.report("one")?.pid == pid)
        #expect(bench.report("one")?.restarts == 0)
        try bench.stop()
    }

    @Test("after a pause of the supervisor's own, a child has so much more time, then is killed all the same")
    func lateDeadline() throws {
        let bench = try Bench { $0.watchdog = .seconds(1) }
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))
        #expect(try bench.turn { bench.isReady })

        try holdUp(.seconds(3))
        try bench.loop.turn(waitingUntil: Clock.monotonic())
        let resumed = Clock.monotonic()

        #expect(try bench.turn { bench.report("one")?.restarts == 1 })
        // A pause that it does not see is at most twice as long as it takes to look again.
        #expect(Clock.monotonic() - resumed > .milliseconds(600))
        try bench.stop()
    }

    /// This process as it is while it is stopped: nothing is handled.
    private func holdUp(_ time: Duration) throws {
        let silence = try Socket.pair(.stream)
        _ = try waitUntilReady(silence.first.raw, timeout: time)
    }

    @Test("stopping ends the higher stage first, and a child that does not listen is killed")
    func orderedStop() throws {
        let bench = try Bench { $0.stop = .milliseconds(200) }
        let record = "\(bench.directory)/record"
        func script(_ name: String) -> String {
            "trap 'echo \(name) >>\(record); exit 0' TERM; ready; while :; do sleep 0.02; done"
        }
        bench.supervisor.start(bench.plan("low", script("low"), stage: 0))
        bench.supervisor.start(bench.plan("high", script("high"), stage: 1))
        bench.supervisor.start(bench.plan("deaf", "trap '' TERM; ready; while :; do sleep 0.02; done", stage: 1))
        #expect(try bench.turn { bench.isReady })

        let began = Clock.monotonic()
        bench.supervisor.stop { bench.isStopped = true }
        #expect(try bench.turn { bench.isStopped })

        #expect(Clock.monotonic() - began < .seconds(2))
        #expect(String(decoding: try File.contents(record), as: UTF8.self) == "high\nlow\n")
        #expect(bench.report("deaf")?.lastEnd == .killed(signal: 9))
    }

    @Test("what a child leaves behind goes with it")
    func orphans() throws {
        let bench = try Bench()
        let record = "\(bench.directory)/pid"
        bench.supervisor.start(bench.plan("one", "sleep 60 & echo $! >\(record); ready; exec sleep 60"))
        #expect(try bench.turn { bench.isReady })
        let text = String(decoding: try File.contents(record), as: UTF8.self)
        let orphan = try #require(Int32(text.dropLast()))
        #expect(Process.isRunning(orphan))

        try bench.stop()

        #expect(try bench.turn { isGone(orphan) })
    }

    @Test("a restart on request does not count as a failure")
    func requestedRestart() throws {
        let bench = try Bench()
        let plan = bench.plan("one", "ready; exec sleep 60")
        bench.supervisor.start(plan)
        #expect(try bench.turn { bench.isReady })
        let first = bench.report("one")?.pid

        bench.supervisor.restart(plan)
        #expect(try bench.turn { bench.report("one").map { $0.pid != first && $0.state == .running } ?? false })

        #expect(bench.report("one")?.restarts == 0)
        try bench.stop()
    }

    @Test("a removed child is gone and stays gone")
    func removal() throws {
        let bench = try Bench()
        bench.supervisor.start(bench.plan("one", "ready; exec sleep 60"))
        #expect(try bench.turn { bench.isReady })

        bench.supervisor.remove("one")
        #expect(try bench.turn { bench.supervisor.reports.isEmpty })

        try bench.stop()
    }

    @Test("standard input of a child without a stdin source is empty")
    func standardInput() throws {
        let bench = try Bench()
        bench.supervisor.start(bench.plan("one", "read line || ready; exec sleep 60"))

        #expect(try bench.turn { bench.isReady })

        try bench.stop()
    }

    /// True for a process that is gone, or dead and only not yet reaped by its new parent.
    private func isGone(_ pid: Int32) -> Bool {
        guard Process.isRunning(pid) else { return true }
        let text = (try? File.contents("/proc/\(pid)/stat")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.contains(") Z")
    }
}
