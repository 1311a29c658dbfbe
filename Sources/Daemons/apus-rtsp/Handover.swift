// SPDX-License-Identifier: Apache-2.0
// Connections on their way from one worker to another.

/// What goes with a connection to another worker.
struct Handover {
    /// How many workers have had it.
    var hops: Int
    /// True if the first request has been allowed.
    var isGranted: Bool
    /// Who the client has shown to be; see `AccessSession.passport`.
    var passport: String
    /// What was received, from the request on that the other worker answers.
    var input: [UInt8] = []

    init(hops: Int, isGranted: Bool, passport: String) {
        self.hops = hops
        self.isGranted = isGranted
        self.passport = passport
    }

    /// Reads what `bytes` made of it.
    init?(_ message: ArraySlice<UInt8>) {
        guard let end = message.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let words = String(decoding: message[..<end], as: UTF8.self).split(separator: " ", maxSplits: 2)
        guard words.count == 3, let hops = Int(words[0]) else { return nil }
        self.init(hops: hops, isGranted: words[1] == "granted", passport: String(words[2]))
        input = Array(message[(end + 1)...])
    }

    /// A line of words, then the input.
    var bytes: [UInt8] { Array("\(hops) \(isGranted ? "granted" : "new") \(passport)\n".utf8) + input }
}
