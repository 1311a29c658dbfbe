// SPDX-License-Identifier: Apache-2.0
// Dates and multipart framing.

import HTTP
import Testing

@Suite("Formats")
struct FormatTests {
    @Test(
        "dates are written as IMF-fixdate",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String)]
    )
    func dates(seconds: Int64, text: String) {
        #expect(HTTPDate.format(epochSeconds: seconds) == text)
    }

    @Test("a part's fields carry type, length and capture time")
    func partFields() {
        var output: [UInt8] = []
        Multipart.writeFields(length: 1234, capturedMicroseconds: 1_700_000_000_000_042, into: &output)

        #expect(
            String(decoding: output, as: UTF8.self)
                == "Content-Type: image/jpeg\r\nContent-Length: 1234\r\nX-Timestamp: 1700000000.000042\r\n\r\n"
        )
    }

    @Test("opening, fields, picture and delimiter make a body that splits at the boundary")
    func multipart() {
        var body = Multipart.opening
        for picture in ["one", "two"] {
            Multipart.writeFields(length: picture.utf8.count, capturedMicroseconds: 5, into: &body)
            body += picture.utf8
            body += Multipart.delimiter
        }
        let text = String(decoding: body, as: UTF8.self)

        #expect(text.hasPrefix("--\(Multipart.boundary)\r\nContent-Type: image/jpeg\r\n"))
        #expect(text.hasSuffix("\r\n\r\ntwo\r\n--\(Multipart.boundary)\r\n"))
        #expect(Multipart.contentType.hasSuffix("boundary=\(Multipart.boundary)"))
    }
}
