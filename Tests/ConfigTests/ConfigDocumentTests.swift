// SPDX-License-Identifier: Apache-2.0
// The document model: nothing is lost, a change touches one line.

import Config
import System
import Testing

@Suite("Configuration document")
struct ConfigDocumentTests {
    private static let text = """
        # The kitchen's cameras

        [camera.cam]   # the first
        source = v4l2:/dev/video0 # built in
          encoder=auto

        ; old style
        [rtsp]
        port = 8554
        # end

        """

    private func parse(_ text: String) -> (document: ConfigDocument, issues: [ConfigIssue]) {
        ConfigDocument.parse(text, name: "f")
    }

    @Test("a document is written as it was read")
    func roundTrip() {
        let (document, issues) = parse(Self.text)

        #expect(issues == [])
        #expect(document.text == Self.text)
    }

    @Test("a document cut anywhere is written as it was read, and never traps")
    func truncation() {
        for length in 0...Self.text.utf8.count {
            let part = String(decoding: Self.text.utf8.prefix(length), as: UTF8.self)
            let (document, _) = parse(part)

            #expect(document.text == (part.isEmpty || part.hasSuffix("\n") ? part : part + "\n"))
        }
    }

    @Test("setting a key keeps its place, spacing and comment")
    func setExisting() {
        var (document, _) = parse(Self.text)

        document.set("camera.cam", "source", to: "pattern:")
        document.set("camera.cam", "encoder", to: "software")

        let expected = Self.text.replacing("v4l2:/dev/video0", with: "pattern:").replacing("=auto", with: "=software")
        #expect(document.text == expected)
    }

    @Test("a new key goes to the end of its section, a new section to the end of the file")
    func setNew() {
        var (document, _) = parse(Self.text)

        document.set("camera.cam", "x", to: "1")
        document.set("http", "port", to: "80")

        #expect(document.text.contains("  encoder=auto\nx = 1\n\n; old"))
        #expect(document.text.hasSuffix("# end\n\n[http]\nport = 80\n"))
    }

    @Test(
        "a value is read back as it was set",
        arguments: ["a", "", "a # b", "#x", "\"", "\\", " a ", "say \"x\"", "a#b", "file:/my dir/clip #1.mp4", "ä"]
    )
    func values(value: String) {
        var (document, _) = parse("[a]\nk = 1 # why\n")

        document.set("a", "k", to: value)
        let (again, issues) = parse(document.text)

        #expect(issues == [])
        #expect(again.value("a", "k") == value)
        #expect(document.value("a", "k") == value)
        #expect(document.text.hasSuffix(" # why\n"))
    }

    @Test(
        "a value ends at its comment, or at its quote",
        arguments: [
            ("k = a b # c", "a b"), ("k=a#b", "a#b"), ("k = \"a # b\" # c", "a # b"), ("k = \"\\\"\\\\\"", "\"\\"),
            ("k =", ""), ("k = # c", ""), ("k\t=\ta\t# c", "a"), ("k = a=b", "a=b"), ("k = a\r", "a"),
        ]
    )
    func comments(line: String, value: String) {
        let (document, issues) = parse("[s]\n\(line)\n")

        #expect(issues == [])
        #expect(document.value("s", "k") == value)
    }

    @Test(
        "a line that is none is reported with its number",
        arguments: [
            ("[a\n", "expected \"[section]\", got \"[a\""), ("[]\n", "expected \"[section]\", got \"[]\""),
            ("[a]\nword\n", "expected \"key = value\" or \"[section]\", got \"word\""),
            ("[a]\n= 1\n", "a key is missing in front of \"=\""),
            ("[a]\nk = \"x\n", "the closing quote is missing"),
            ("[a]\nk = \"x\" y\n", "\"y\" stands behind the closing quote"),
            ("[a]\nk = \"\\x\"\n", "in quotes, \"\\\" must stand before a quote or another \"\\\""),
            ("[a]\nk = \u{1}\n", "the line holds a control character"),
            ("k = 1\n", "key \"k\" stands before the first [section]"),
        ]
    )
    func faults(text: String, message: String) {
        let (document, issues) = parse(text)

        #expect(issues == [ConfigIssue(file: "f", line: text.hasPrefix("[a]") ? 2 : 1, message: message)])
        #expect(document.text == text)
    }

    @Test("a line at the limit is read, a longer one is reported")
    func lineLimit() {
        let value = String(repeating: "x", count: ConfigDocument.maximumLineLength - 4)

        #expect(parse("[a]\nk = \(value)\n").issues == [])
        #expect(parse("[a]\nk = \(value)x\n").issues.map(\.line) == [2])
    }

    @Test("lines up to the limit are read, more are reported")
    func countLimit() {
        let lines = String(repeating: "#\n", count: ConfigDocument.maximumLines)

        #expect(parse(lines).issues == [])
        #expect(parse(lines + "#\n").issues.map(\.line) == [ConfigDocument.maximumLines + 1])
    }

    @Test("saving replaces the file and keeps who may read it")
    func save() throws {
        let path = "/tmp/apus-config-test-\(Random.uint64()).conf"
        try File.replace(path, with: Array(Self.text.utf8).span, mode: 0o600)
        defer { File.remove(path) }
        var (document, _) = try ConfigDocument.load(path)

        document.set("rtsp", "port", to: "1")
        try document.save()

        let (again, _) = try ConfigDocument.load(path)
        #expect(again == document)
        #expect(File.mode(path).map { $0 & 0o777 } == 0o600)
    }

    @Test("removing sections takes their lines, and no others")
    func removal() {
        var (document, _) = parse(Self.text)

        document.removeSections { $0.hasPrefix("camera.") }

        #expect(document.text == "# The kitchen's cameras\n\n[rtsp]\nport = 8554\n# end\n")
    }
}
