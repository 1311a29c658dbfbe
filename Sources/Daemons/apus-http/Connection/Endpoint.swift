// SPDX-License-Identifier: Apache-2.0
// The table of addresses: what can be asked for, by whom, and what answers.

import Access
import HTTP

/// One thing that can be asked for.
struct Endpoint {
    /// One step of a path.
    enum Step: Equatable {
        case literal(String)
        /// Any one segment; `camera` matches the names of cameras only.
        case variable(String)
        /// All segments that are left, with slashes between them; at the end only.
        case rest(String)
    }

    /// `.get` answers HEAD as well.
    let method: Method
    /// The paths that lead here, such as `/{camera}/mjpeg`; the first is the one to write.
    let paths: [String]
    /// What the user must be allowed to do; nil lets everybody ask.
    let permission: Permission?
    /// True where a path without a camera means the first one.
    let isAboutCamera: Bool
    /// True if whoever may do it with some camera may ask; the handler looks at each camera.
    let isOfEachCamera: Bool
    /// A query item that the target must have; nil for none.
    let condition: Target.QueryItem?
    /// True if it also takes what a form sends, not JSON alone.
    let takesForm: Bool
    /// One sentence, for the reference.
    let summary: String
    /// Answers, at once or later.
    let answer: (Exchange) -> Void

    /// Describes what can be asked for.
    ///
    /// - Parameters:
    ///   - ofCamera: true if it is about one camera: the path's, else the first. Always so if the path has one.
    ///   - ofEachCamera: true if it is about several cameras, or which one it is shows later only.
    ///   - condition: a query item that makes it this endpoint rather than another one of the same path, further down.
    init(
        _ method: Method,
        _ paths: String...,
        needs permission: Permission?,
        ofCamera: Bool = false,
        ofEachCamera: Bool = false,
        when condition: Target.QueryItem? = nil,
        takesForm: Bool = false,
        _ summary: String,
        _ answer: @escaping (Exchange) -> Void
    ) {
        self.method = method
        self.paths = paths
        self.permission = permission
        isAboutCamera = ofCamera || paths.contains { $0.contains("{camera}") }
        isOfEachCamera = ofEachCamera
        self.condition = condition
        self.takesForm = takesForm
        self.summary = summary
        self.answer = answer
    }

    /// True if the target has what the endpoint asks for beside the path.
    func applies(to target: Target) -> Bool { condition.map { target.query.contains($0) } ?? true }

    /// The steps of a path as it is written in a table.
    static func steps(_ path: String) -> [Step] {
        path.split(separator: "/")
            .map { part in
                guard part.first == "{", part.last == "}" else { return .literal(String(part)) }
                let name = String(part.dropFirst().dropLast())
                return name.hasSuffix("…") ? .rest(String(name.dropLast())) : .variable(name)
            }
    }
}

/// All endpoints, found by path.
struct EndpointTable {
    /// What a target leads to.
    enum Match {
        case found(Endpoint, parameters: [String: String])
        /// The address is there, the method is not; these are.
        case otherMethods([Method])
        case nothing
    }

    private struct Entry {
        let steps: [Endpoint.Step]
        let endpoint: Endpoint
    }

    private(set) var endpoints: [Endpoint] = []
    private var entries: [Entry] = []

    /// Adds endpoints; where several paths fit an address, the one with the earlier literal step counts.
    mutating func add(_ more: [Endpoint]) {
        for endpoint in more {
            endpoints.append(endpoint)
            entries += endpoint.paths.map { Entry(steps: Endpoint.steps($0), endpoint: endpoint) }
        }
    }

    /// Finds what answers; `isCamera` tells which names are cameras'.
    func match(_ method: Method, _ target: Target, isCamera: (String) -> Bool) -> Match {
        var best: (steps: [Endpoint.Step], parameters: [String: String])?
        for entry in entries {
            if let found = best, !Self.isCloser(entry.steps, than: found.steps) { continue }
            guard let parameters = Self.parameters(entry.steps, target.segments, isCamera) else { continue }
            best = (entry.steps, parameters)
        }
        guard let best else { return .nothing }
        let here = entries.filter { $0.steps == best.steps }.map(\.endpoint).filter { $0.applies(to: target) }
        let wanted = method == .head ? .get : method
        if let endpoint = here.first(where: { $0.method == wanted }) {
            return .found(endpoint, parameters: best.parameters)
        }
        return .otherMethods(here.map(\.method))
    }

    /// The `Allow` of an address at which these methods are.
    static func allow(_ methods: [Method]) -> String {
        var names = methods.map(\.rawValue)
        if methods.contains(.get) { names.append(Method.head.rawValue) }
        return (names + [Method.options.rawValue]).joined(separator: ", ")
    }

    /// True if `steps` say more of the address than `other` do: literals before variables, from the left.
    private static func isCloser(_ steps: [Endpoint.Step], than other: [Endpoint.Step]) -> Bool {
        for (one, two) in zip(steps, other) where rank(one) != rank(two) { return rank(one) < rank(two) }
        return false
    }

    private static func rank(_ step: Endpoint.Step) -> Int {
        switch step {
        case .literal: 0
        case .variable: 1
        case .rest: 2
        }
    }

    private static func parameters(
        _ steps: [Endpoint.Step],
        _ segments: [String],
        _ isCamera: (String) -> Bool
    ) -> [String: String]? {
        var parameters: [String: String] = [:]
        for (index, step) in steps.enumerated() {
            if case .rest(let name) = step {
                parameters[name] = segments[min(index, segments.count)...].joined(separator: "/")
                return parameters
            }
            guard index < segments.count else { return nil }
            switch step {
            case .literal(let text): guard text == segments[index] else { return nil }
            case .variable(let name):
                guard name != "camera" || isCamera(segments[index]) else { return nil }
                parameters[name] = segments[index]
            case .rest: break
            }
        }
        return steps.count == segments.count ? parameters : nil
    }
}
