// SPDX-License-Identifier: Apache-2.0
// The words behind the numbers of responses.

import Bytes
import RTSP
import Testing

@Suite("RTSP status")
struct StatusTests {
    @Test(
        "each number has the words of RFC 2326 §7.1.1, and an unknown one those of its class",
        arguments: [
            (100, "Continue"), (201, "Created"), (250, "Low on Storage Space"), (301, "Moved Permanently"),
            (302, "Moved Temporarily"), (303, "See Other"), (305, "Use Proxy"), (405, "Method Not Allowed"),
            (408, "Request Time-out"), (462, "Destination Unreachable"), (504, "Gateway Time-out"),
            (299, "OK"), (399, "Redirection"), (499, "Client Error"), (599, "Server Error"), (600, "Unknown"),
        ] as [(UInt16, String)]
    )
    func reason(number: UInt16, words: String) {
        var bytes: [UInt8] = []

        RTSPResponse(RTSPStatus(rawValue: number)).serialize(into: &bytes)

        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("RTSP/1.0 \(number) \(words)\r\n"))
    }
}
