// SPDX-License-Identifier: Apache-2.0
// Byte ranges, entity tags and dates of requests, and the answers that they lead to.

import HTTP
import Testing

@Suite("Ranges and conditions")
struct ConditionTests {
    private let content = Array("0123456789".utf8)
    private let validators = Validators(tag: EntityTag("v1"), modified: 784_111_777)
    private let date = "Sun, 06 Nov 1994 08:49:37 GMT"
    private let later = "Sun, 06 Nov 1994 08:49:38 GMT"
    private let earlier = "Sun, 06 Nov 1994 08:49:36 GMT"

    private func answer(_ lines: String..., method: String = "GET", weak: Bool = false) throws -> Response {
        let fields = lines.map { $0 + "\r\n" }.joined()
        let request = try #require(requests("\(method) / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n").first)
        var validators = validators
        if weak { validators.tag = EntityTag("v1", isWeak: true) }
        let type = [HeaderField("Content-Type", "text/plain")]
        return Response(content, validators: validators, fields: type, to: request.head)
    }

    private func field(_ name: String, _ response: Response) -> String? {
        response.fields.first { $0.name == name }?.value
    }

    private func text(_ response: Response) -> String {
        if case .bytes(let bytes) = response.body { String(decoding: bytes, as: UTF8.self) } else { "" }
    }

    @Test(
        "a Range field is read as RFC 9110 says",
        arguments: [
            ("bytes=0-4", .parts([0..<5])), ("bytes=5-", .parts([5..<10])), ("bytes=-3", .parts([7..<10])),
            ("bytes=-99", .parts([0..<10])), ("bytes=8-99", .parts([8..<10])), ("BYTES=0-0", .parts([0..<1])),
            ("bytes=0-0,-1", .parts([0..<1, 9..<10])), ("bytes=8-9, 0-1", .parts([8..<10, 0..<2])),
            ("bytes=0-5,3-7", .parts([0..<8])), ("bytes=0-4,5-9", .parts([0..<10])),
            ("bytes=0-1,,3-3", .parts([0..<2, 3..<4])),
            ("bytes=0-1,50-60", .parts([0..<2])), ("bytes=10-", .unsatisfiable), ("bytes=10-20", .unsatisfiable),
            ("bytes=-0", .unsatisfiable), ("bytes=99999999999999999999-", .unsatisfiable),
            ("bytes=0-99999999999999999999", .parts([0..<10])), ("bytes=5-4", .whole), ("bytes=", .whole),
            ("bytes=a-b", .whole), ("bytes=+1-2", .whole), ("bytes=1", .whole), ("items=0-4", .whole), ("", .whole),
            ("bytes=-", .whole), ("bytes 0-4", .whole),
        ] as [(String, RangeRequest)]
    )
    func ranges(value: String, wanted: RangeRequest) {
        #expect(RangeRequest(parsing: value, length: 10) == wanted)
    }

    @Test("as many ranges as the limit are served, one more gets the whole")
    func rangeLimit() {
        let ranges = (0..<RangeRequest.countLimit).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")

        let most = RangeRequest(parsing: "bytes=" + ranges, length: 100)
        let tooMany = RangeRequest(parsing: "bytes=\(ranges),99-99", length: 100)

        #expect(most == .parts((0..<RangeRequest.countLimit).map { $0 * 2..<($0 * 2 + 1) }))
        #expect(tooMany == .whole)
        #expect(RangeRequest(parsing: "bytes=0-0" + String(repeating: " ", count: 512), length: 100) == .whole)
    }

    @Test("one range is answered 206 with its place")
    func oneRange() throws {
        let response = try answer("Range: bytes=2-4")

        #expect(response.status == .partialContent)
        #expect(text(response) == "234")
        #expect(field("Content-Range", response) == "bytes 2-4/10")
        #expect(field("ETag", response) == "\"v1\"")
    }

    @Test("several ranges are parts with their places")
    func severalRanges() throws {
        let response = try answer("Range: bytes=0-1,-2")
        let boundary = "--" + Response.rangeBoundary

        #expect(field("Content-Type", response) == "multipart/byteranges; boundary=" + Response.rangeBoundary)
        #expect(
            text(response)
                == "\(boundary)\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
                + "\(boundary)\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n"
                + "\(boundary)--\r\n"
        )
    }

    @Test("a range that is not there is answered 416 with the length")
    func unsatisfiable() throws {
        let response = try answer("Range: bytes=10-")

        #expect(response.status == .rangeNotSatisfiable)
        #expect(field("Content-Range", response) == "bytes */10")
    }

    @Test("HEAD is answered for the whole whatever range it names")
    func headIgnoresRange() throws {
        let response = try answer("Range: bytes=2-4", method: "HEAD")

        #expect(response.status == .ok)
        #expect(field("Accept-Ranges", response) == "bytes")
    }

    @Test("conditions lead to their status, the stronger ones first")
    func conditions() throws {
        #expect(try answer("If-None-Match: \"v1\"").status == .notModified)
        #expect(try answer("If-None-Match: W/\"v1\"").status == .notModified)
        #expect(try answer("If-None-Match: \"a,b\", \"v1\"").status == .notModified)
        #expect(try answer("If-None-Match: *").status == .notModified)
        #expect(try answer("If-None-Match: \"v2\"").status == .ok)
        #expect(try answer("If-None-Match: v1").status == .ok)
        #expect(try answer("If-Match: \"v1\"").status == .ok)
        #expect(try answer("If-Match: W/\"v1\"").status == .preconditionFailed)
        #expect(try answer("If-Match: \"v1\"", weak: true).status == .preconditionFailed)
        #expect(try answer("If-Match: \"v2\"").status == .preconditionFailed)
        #expect(try answer("If-Modified-Since: \(date)").status == .notModified)
        #expect(try answer("If-Modified-Since: \(earlier)").status == .ok)
        #expect(try answer("If-Modified-Since: yesterday").status == .ok)
        #expect(try answer("If-Unmodified-Since: \(earlier)").status == .preconditionFailed)
        #expect(try answer("If-Unmodified-Since: \(later)").status == .ok)
        #expect(try answer("If-None-Match: \"v2\"", "If-Modified-Since: \(later)").status == .ok)
        #expect(try answer("If-None-Match: \"v1\"", method: "POST").status == .preconditionFailed)
    }

    @Test("If-Range serves the range of the same bytes only")
    func ifRange() throws {
        #expect(try answer("Range: bytes=0-1", "If-Range: \"v1\"").status == .partialContent)
        #expect(try answer("Range: bytes=0-1", "If-Range: \"v2\"").status == .ok)
        #expect(try answer("Range: bytes=0-1", "If-Range: W/\"v1\"").status == .ok)
        #expect(try answer("Range: bytes=0-1", "If-Range: \"v1\"", weak: true).status == .ok)
        #expect(try answer("Range: bytes=0-1", "If-Range: \(date)").status == .partialContent)
        #expect(try answer("Range: bytes=0-1", "If-Range: \(later)").status == .ok)
    }

    @Test("304 keeps the tag and has no type")
    func notModified() throws {
        let response = try answer("If-None-Match: \"v1\"")

        #expect(field("ETag", response) == "\"v1\"")
        #expect(field("Content-Type", response) == nil)
    }

    @Test("dates are read as they are written, and nothing else is a date")
    func dates() {
        for seconds in [0, 784_111_777, 951_782_400, 4_107_542_400, 253_402_300_799] as [Int64] {
            #expect(HTTPDate.parse(HTTPDate.format(epochSeconds: seconds)) == seconds)
        }
        let wrong = [
            "", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Wed, 30 Feb 2000 00:00:00 GMT",
        ]
        for text in wrong { #expect(HTTPDate.parse(text) == nil) }
        for length in 0..<date.utf8.count { #expect(HTTPDate.parse(String(date.prefix(length))) == nil) }
    }

    @Test("a target that is written again means the same")
    func encodedTarget() throws {
        let text = "/a%20b/%C3%A9?x=1&y=%26%3D&z"
        let target = try Target(parsing: Array(text.utf8)[...])

        #expect(target.encoded == text)
        #expect(try Target(parsing: Array(target.encoded.utf8)[...]) == target)
    }
}
