// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
// The build: one target per module, grouped by layer, listed in dependency order.

import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

// `#expect` expands to code that strict memory safety rejects, so the tests do without that one setting.
let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableExperimentalFeature("Lifetimes"),
]

/// A Swift module of one layer: `Sources/<layer>/<name>`.
func module(_ layer: String, _ name: String, uses dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(layer)/\(name)", swiftSettings: strict)
}

/// Folders inside of a program's that are not compiled: the page's sources, from which `Embedded/` is written.
let uncompiled = ["apus-http": ["web"]]

/// A program: `Sources/<layer>/<name>`.
func program(_ layer: String, _ name: String, uses dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies,
        path: "Sources/\(layer)/\(name)",
        exclude: uncompiled[name] ?? [],
        swiftSettings: strict
    )
}

/// A library of Debian's, named by what pkg-config calls it.
func library(_ name: String, pkgConfig: String) -> Target {
    .systemLibrary(name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig)
}

/// A test target: `Tests/<name>`.
func tests(_ name: String, uses dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: testing)
}

let package = Package(
    name: "apus",
    products: [
        // Loaded by apus-video for libcamera: sources alone, so that others do not carry libcamera's libraries along.
        .library(name: "ApusLibCamera", type: .dynamic, targets: ["CLibCamera"])
    ],
    targets: [
        // MARK: C: what Swift cannot say, and Debian's libraries
        .target(name: "CShimLinux", path: "Sources/C/CShimLinux", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "CApusRing", path: "Sources/C/CApusRing", cSettings: [.define("_GNU_SOURCE")]),
        library("CSysFFmpeg", pkgConfig: "libavformat libavcodec libswscale libavutil"),
        library("CSysTurboJPEG", pkgConfig: "libturbojpeg"),
        library("CSysOpenSSL", pkgConfig: "openssl"),
        library("CSysSRTP", pkgConfig: "libsrtp2"),
        library("CSysCrypt", pkgConfig: "libcrypt"),
        library("CSysNGHTTP2", pkgConfig: "libnghttp2"),
        library("CSysSeccomp", pkgConfig: "libseccomp"),
        .target(name: "CLibCameraAPI", path: "Sources/C/CLibCameraAPI"),
        library("CSysLibCamera", pkgConfig: "libcamera"),
        .target(
            name: "CLibCamera",
            dependencies: ["CLibCameraAPI", "CSysLibCamera"],
            path: "Sources/C/CLibCamera",
            // There is no Swift in it: it must not ask for Swift's library where that is linked into the programs.
            linkerSettings: [.unsafeFlags(["-nostartfiles", "-static-stdlib"])]
        ),

        // MARK: Values: the standard library only
        module("Values", "Bytes"),
        module("Values", "Media", uses: ["Bytes"]),

        // MARK: System: the only modules that see Glibc
        module("System", "System", uses: ["CShimLinux", "Bytes"]),
        module("System", "Loop", uses: ["CShimLinux", "Bytes", "System"]),

        // MARK: Protocols: sans-I/O, values only
        module("Protocols", "RTP", uses: ["Bytes", "Media"]),
        module("Protocols", "SDP", uses: ["Bytes", "Media", "RTP"]),
        module("Protocols", "HTTP", uses: ["Bytes", "Media"]),
        module("Protocols", "WebSocket", uses: ["Bytes", "HTTP"]),
        module("Protocols", "MP4", uses: ["Bytes", "Media"]),
        module("Protocols", "HLS", uses: ["Bytes", "Media", "MP4"]),
        module("Protocols", "RTSP", uses: ["Bytes", "Media", "RTP", "SDP", "HTTP", "WebSocket"]),

        // MARK: Parts: what the daemons are made of
        module("Parts", "Log", uses: ["Bytes", "System"]),
        module("Parts", "Config", uses: ["Bytes", "Media", "RTSP", "System"]),
        module("Parts", "Control", uses: ["Bytes", "System", "Loop", "Log"]),
        module("Parts", "Ring", uses: ["Bytes", "Media", "System", "Loop"]),
        module("Parts", "Crypto", uses: ["Bytes", "CSysOpenSSL"]),
        module("Parts", "SRTP", uses: ["Bytes", "CSysSRTP"]),
        module(
            "Parts",
            "Access",
            uses: ["Bytes", "Config", "Control", "Crypto", "HTTP", "Log", "System", "CSysCrypt"]
        ),
        module("Parts", "HTTP2", uses: ["Bytes", "HTTP", "CSysNGHTTP2"]),
        module("Parts", "Metrics", uses: ["Bytes", "Control"]),
        module("Parts", "Telemetry", uses: ["Bytes", "System", "Control", "Metrics"]),
        module("Parts", "API", uses: ["Access", "Control", "HTTP"]),
        module(
            "Parts",
            "FanOut",
            uses: ["Bytes", "Media", "System", "Loop", "Log", "Ring", "Crypto", "Metrics"]
        ),
        module("Parts", "Player", uses: ["Bytes", "Media", "System", "Loop", "Crypto", "SDP", "RTP", "RTSP", "HTTP"]),
        module("Parts", "Encode", uses: ["Bytes", "Media", "CSysFFmpeg", "CSysTurboJPEG"]),
        module("Parts", "Devices", uses: ["Bytes", "Media", "System", "Loop", "Config", "CShimLinux"]),
        module("Parts", "LibCamera", uses: ["Bytes", "System", "Config", "Devices", "CLibCameraAPI"]),
        module(
            "Parts",
            "Capture",
            uses: [
                "Bytes", "Media", "System", "Loop", "Config", "Devices", "LibCamera", "Encode", "Ring", "RTP", "RTSP",
                "Player",
            ]
        ),
        module("Parts", "Sandbox", uses: ["System", "CSysSeccomp"]),
        module("Parts", "Pictures", uses: ["Bytes"]),
        module("Parts", "Supervisor", uses: ["Bytes", "Log", "Loop", "System"]),
        module("Parts", "Daemon", uses: ["Bytes", "Config", "Control", "Log", "Loop", "Sandbox", "System"]),

        // MARK: Daemons and tools: thin wiring
        program(
            "Daemons",
            "apus-video",
            uses: [
                "Bytes", "Media", "System", "Loop", "Ring", "Capture", "Devices", "LibCamera", "Encode", "Pictures",
                "Config",
                "Control",
                "Log", "Daemon", "Metrics",
            ]
        ),
        program(
            "Daemons",
            "apus-rtsp",
            uses: [
                "Bytes", "Media", "System", "Loop", "Ring", "FanOut", "RTP", "RTSP", "SDP", "HTTP", "WebSocket",
                "Crypto", "SRTP", "Access", "Config", "Control", "Log", "Daemon", "Metrics",
            ]
        ),
        program(
            "Daemons",
            "apus-http",
            uses: [
                "Bytes", "Media", "System", "Loop", "Ring", "FanOut", "HTTP", "HTTP2", "WebSocket", "MP4", "HLS",
                "Pictures", "Crypto", "Access", "Metrics", "Telemetry", "API", "Config", "Control", "Log", "Daemon",
            ]
        ),
        program(
            "Tools",
            "apus",
            uses: [
                "Bytes", "Media", "System", "Loop", "Ring", "Config", "Control", "Log", "Daemon", "Supervisor", "RTP",
                "RTSP", "Player", "Access", "Crypto", "API", "Metrics", "Telemetry", "Devices", "LibCamera",
            ]
        ),
        program(
            "Tools",
            "apus-bench",
            uses: ["Bytes", "Media", "System", "Loop", "Ring", "RTP", "RTSP", "FanOut", "Player", "HTTP"]
        ),

        // MARK: Tests
        tests("Architecture", uses: ["Config"]),
        tests("BytesTests", uses: ["Bytes"]),
        tests("MediaTests", uses: ["Bytes", "Media"]),
        tests("SystemTests", uses: ["Bytes", "System", "Loop"]),
        tests("ProtocolTests", uses: ["Bytes", "Media", "SDP", "RTP", "RTSP", "HTTP", "WebSocket"]),
        tests(
            "HTTPTests",
            uses: [
                "Bytes", "Media", "HTTP", "WebSocket", "Access", "Config", "Control", "Daemon", "Log", "System", "API",
                "apus-http",
            ]
        ),
        tests("WebSocketTests", uses: ["Bytes", "HTTP", "WebSocket"]),
        tests("MP4Tests", uses: ["Bytes", "Media", "MP4", "HLS"]),
        tests("HTTP2Tests", uses: ["Bytes", "HTTP", "HTTP2"]),
        tests("MetricsTests", uses: ["Bytes", "System", "Control", "Metrics", "Telemetry", "API"]),
        tests("CryptoTests", uses: ["Bytes", "System", "Crypto", "SRTP", "RTP"]),
        tests("AccessTests", uses: ["Bytes", "Access", "Config", "Crypto", "HTTP", "System"]),
        tests("PicturesTests", uses: ["Bytes", "Pictures"]),
        tests("PlayerTests", uses: ["Bytes", "Media", "Loop", "System", "SDP", "RTP", "RTSP", "Player"]),
        tests("ConfigTests", uses: ["Bytes", "Media", "Config", "RTSP", "System", "Log"]),
        tests("ControlTests", uses: ["Bytes", "Control", "Loop", "System", "Log"]),
        tests("CommandTests", uses: ["Bytes", "Config", "Control", "Daemon", "apus", "API", "Metrics", "Devices"]),
        tests("DevicesTests", uses: ["Bytes", "System", "Loop", "Config", "Devices"]),
        tests("SandboxTests", uses: ["Sandbox", "System"]),
        tests("SupervisorTests", uses: ["Bytes", "Log", "Loop", "System", "Supervisor"]),
        tests("RingTests", uses: ["Bytes", "Media", "System", "Loop", "Ring", "CApusRing"]),
        tests("FanOutTests", uses: ["Bytes", "Media", "System", "Loop", "Ring", "Crypto", "FanOut", "Metrics"]),
        tests(
            "CaptureTests",
            uses: ["Bytes", "Media", "System", "Loop", "Config", "Ring", "Capture", "Devices", "LibCamera", "Encode"]
        ),
    ],
    cxxLanguageStandard: .cxx17
)
