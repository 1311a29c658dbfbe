// SPDX-License-Identifier: Apache-2.0
// Asking devices what they are, so that one that never answers holds up neither the others nor who wants to know.

import Bytes
import System

/// Asks device nodes, each on a thread of its own, with a limit of time for all.
///
/// A driver that hangs keeps its thread; its device is not asked again until it has answered, or another one is at the
/// node.
package final class DeviceInquiry: Sendable {
    /// So long an answer is waited for.
    package static let patience = Duration.seconds(2)
    /// While so many devices hang, no others are asked.
    package static let hangingLimit = 64
    /// So many are asked at the same time.
    package static let atOnce = 16

    /// A node, as long as it is the same one.
    package struct Subject: Sendable, Hashable {
        package let path: String
        package let stamp: String?

        package init(path: String, stamp: String?) {
            self.path = path
            self.stamp = stamp
        }
    }

    private struct Question {
        let deadline: Instant
        var answer: DeviceProbe?
    }

    private let questions = Monitor<[Subject: Question]>([:])
    private let patience: Duration
    private let ask: @Sendable (String) -> DeviceProbe

    /// `ask` is called with the path of a node, on any thread.
    package init(patience: Duration = DeviceInquiry.patience, ask: @escaping @Sendable (String) -> DeviceProbe) {
        self.patience = patience
        self.ask = ask
    }

    /// What the nodes say; of those that say nothing in time, that they do not answer.
    package func answers(of subjects: [Subject]) -> [Subject: DeviceProbe] {
        var answers: [Subject: DeviceProbe] = [:]
        for start in stride(from: 0, to: subjects.count, by: Self.atOnce) {
            let some = subjects[start..<min(start + Self.atOnce, subjects.count)]
            for subject in some { begin(subject) }
            for subject in some { answers[subject] = end(subject) }
        }
        return answers
    }

    private func begin(_ subject: Subject) {
        let deadline = Clock.monotonic() + patience
        let isNew = questions.with { questions in
            // Nobody may ever come for an answer that came too late.
            if questions.count >= Self.hangingLimit { questions = questions.filter { $0.value.answer == nil } }
            guard questions[subject] == nil, questions.count < Self.hangingLimit else { return false }
            questions[subject] = Question(deadline: deadline)
            return true
        }
        guard isNew else { return }
        do throws(SystemError) {
            try BackgroundThread.start { [questions, ask] in
                let answer = ask(subject.path)
                questions.with { questions -> Void in questions[subject]?.answer = answer }
            }
        } catch {
            questions.with { questions -> Void in
                questions[subject]?.answer = .failed(.failure(error.reason))
            }
        }
    }

    private func end(_ subject: Subject) -> DeviceProbe {
        guard let deadline = questions.with({ $0[subject]?.deadline }) else { return .failed(.silent) }
        let time = max(.zero, deadline - Clock.monotonic())
        let answer = questions.wait(atMost: time) { questions -> DeviceProbe? in
            guard let answer = questions[subject]?.answer else { return nil }
            questions[subject] = nil
            return answer
        }
        return answer ?? .failed(.silent)
    }
}

extension DeviceInquiry {
    /// An inquiry that only hears whether devices answer, and wants to know nothing else of them.
    package static func ofSigns() -> DeviceInquiry { DeviceInquiry { DeviceProbe.knock($0) } }

    /// The nodes of this machine's devices that do not answer.
    package func silent(of tree: DeviceTree = DeviceTree()) -> [String] {
        let subjects = tree.nodes().map { Subject(path: $0.path, stamp: File.stamp($0.path)) }
        return answers(of: subjects).filter { $0.value == .failed(.silent) }.map(\.key.path).sorted()
    }
}
