// SPDX-License-Identifier: Apache-2.0
// The layer rule, by Package.swift's dependencies and by the import lines.

import Testing

/// Who may use whom.
enum Layers {
    /// For each layer, the layers that its modules may depend on.
    static let allowed: [String: Set<String>] = [
        "C": ["C"],
        "Values": ["Values"],
        // System may use Values, because an Instant and a WireError are values that both need.
        "System": ["C", "Values", "System"],
        "Protocols": ["Values", "Protocols"],
        "Parts": ["C", "Values", "System", "Protocols", "Parts"],
        "Daemons": ["Values", "System", "Protocols", "Parts"],
        "Tools": ["Values", "System", "Protocols", "Parts"],
    ]

    /// Modules of the toolchain that a layer may import.
    static let toolchain: [String: Set<String>] = [
        "System": ["Glibc", "Synchronization"],
        "Parts": ["Synchronization"],
    ]

    /// The shim of the kernel's interface, and who may use it beside the System layer: Capture, for V4L2.
    static let kernelShim = "CShimLinux"
    static let kernelShimUsers: Set<String> = ["System", "Loop", "Devices"]

    /// Dependencies in the manifest that go upwards or sideways.
    static func violations(in manifest: Manifest) -> [String] {
        var found: [String] = []
        for target in manifest.targets where target.kind != .tests {
            guard let lower = allowed[target.layer] else {
                found.append("\(target.name): unknown layer \(target.layer)")
                continue
            }
            for name in target.dependencies {
                guard let dependency = manifest[name] else {
                    found.append("\(target.name): unknown dependency \(name)")
                    continue
                }
                if !lower.contains(dependency.layer) || dependency.kind == .program {
                    found.append("\(target.name) (\(target.layer)) depends on \(name) (\(dependency.layer))")
                }
            }
        }
        return found
    }

    /// Imports in a source that its layer does not allow or its target does not declare.
    static func violations(in source: SwiftSource, manifest: Manifest) -> [String] {
        let declared = Set(manifest[source.module]?.dependencies ?? [])
        let system = toolchain[source.layer, default: []]
        return source.imports.filter { !declared.contains($0.module) && !system.contains($0.module) }
            .map { "\(source.path):\($0.line): \(source.layer)/\(source.module) may not import \($0.module)" }
    }
}

@Suite("Layers")
struct LayerTests {
    let manifest: Manifest

    init() throws { manifest = try Manifest() }

    @Test("the manifest is understood: every source folder is one target")
    func everyFolderIsATarget() {
        let folders = Set(
            Repository.files(under: "Sources")
                .compactMap { path -> String? in
                    let parts = path.split(separator: "/")
                    return parts.count > 3 ? parts[1...2].joined(separator: "/") : nil
                }
        )
        let targets = Set(manifest.targets.filter { $0.kind != .tests }.map { "\($0.layer)/\($0.name)" })

        #expect(folders == targets)
    }

    @Test("a target depends only on lower layers")
    func dependencies() {
        expectNone(Layers.violations(in: manifest))
    }

    @Test("a source imports only what its target declares and its layer allows")
    func imports() throws {
        let found = try SwiftSource.all(under: "Sources").flatMap { Layers.violations(in: $0, manifest: manifest) }

        expectNone(found)
    }

    @Test("a library of Debian's is used by exactly one module")
    func libraries() {
        for library in manifest.targets where library.kind == .library {
            let users = manifest.targets.filter { $0.dependencies.contains(library.name) }.map(\.name)

            #expect(users.count == 1, "\(library.name) is used by \(users)")
        }
    }

    @Test("the kernel shim is used only where the kernel is called")
    func kernelShim() {
        let users = manifest.targets.filter { $0.dependencies.contains(Layers.kernelShim) && $0.kind != .tests }

        #expect(Set(users.map(\.name)).subtracting(Layers.kernelShimUsers) == [])
    }

    @Test("daemons without codecs do not reach FFmpeg", arguments: ["apus", "apus-rtsp", "apus-http"])
    func codecs(_ program: String) throws {
        var reached: Set<String> = []
        var pending = [program]
        while let name = pending.popLast() {
            guard reached.insert(name).inserted, let target = manifest[name] else { continue }
            pending += target.dependencies
        }

        #expect(!reached.contains("CSysFFmpeg"))
    }

    @Test(
        "the rule sees a dependency that goes up, sideways or nowhere",
        arguments: [
            #"module("Values", "A", uses: ["Loop"])"#,
            #"module("Protocols", "A", uses: ["Loop"])"#,
            #"module("System", "A", uses: ["P"])"#,
            #"program("Daemons", "A", uses: ["CSysX"])"#,
            #"program("Daemons", "A", uses: ["apus"])"#,
            #"module("Parts", "A", uses: ["Nowhere"])"#,
            #"module("Elsewhere", "A")"#,
        ]
    )
    func brokenManifest(_ line: String) {
        let manifest = Manifest(
            text: """
                targets: [
                library("CSysX", pkgConfig: "x"),
                module("System", "Loop"),
                module("Protocols", "P"),
                program(
                    "Tools", "apus",
                    uses: ["Loop"]),
                \(line),
                ]
                """
        )

        #expect(Layers.violations(in: manifest).count == 1)
    }

    @Test(
        "the rule sees an import that the layer forbids",
        arguments: [
            ("Values/Bytes", "import Glibc"), ("Protocols/RTP", "import Foundation"),
            ("Protocols/RTP", "package import Loop"), ("Parts/Ring", "import Dispatch"),
            ("Parts/Control", "import FoundationEssentials"), ("Daemons/apus-http", "import Glibc"),
            ("Daemons/apus-http", "private import struct Foundation.Date"),
            ("Parts/Ring", "@preconcurrency import Glibc"), ("Parts/Ring", "/* why */ import Glibc"),
            ("Parts/Ring", "/* why\n*/ import Glibc"), ("Parts/Ring", "package /* why */ import Glibc"),
            ("Parts/Ring", "let a = 1; import Glibc"),
        ]
    )
    func brokenImport(_ folder: String, _ line: String) {
        let source = SwiftSource(path: "Sources/\(folder)/File.swift", text: "// import Nothing\n\(line)\n")

        #expect(Layers.violations(in: source, manifest: manifest).count == 1)
    }
}
