// SPDX-License-Identifier: Apache-2.0
// Bearer tokens: what a program shows instead of a user's password, and what is kept of them.

import Bytes
import Crypto

/// What is kept of a bearer token: nothing that it could be made from again.
package struct AccessToken: Sendable, Equatable {
    /// What it is called, to revoke it.
    package let id: String
    /// SHA-256 of the token in hexadecimal. A fast hash is enough: the token is 256 random bits.
    package let hash: String
    /// Seconds since 1970 UTC from which on it is no good; nil for never.
    package let expires: Int64?

    package init(id: String, hash: String, expires: Int64?) {
        self.id = id
        self.hash = hash
        self.expires = expires
    }

    /// Makes a token.
    ///
    /// - Parameter random: unpredictable bytes.
    /// - Returns: what is kept, and the token itself, which is shown once.
    package static func make(
        id: String,
        expires: Int64?,
        random: (Int) -> [UInt8] = SecureRandom.bytes
    ) -> (kept: AccessToken, token: String) {
        let token = Ticket.prefix + Ticket.make(random)
        return (AccessToken(id: id, hash: Ticket.hash(token), expires: expires), token)
    }

    /// True as long as it is good; `utc` is in seconds since 1970.
    package func isValid(at utc: Int64) -> Bool { expires.map { utc < $0 } ?? true }

    /// Why a token cannot be called `id`; nil if it can.
    package static func problem(withID id: String) -> String? {
        let isSpelt = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._-".utf8.contains(byte)
            }
        }
        guard isSpelt, (1...maximumID).contains(id.utf8.count) else {
            return "token name \"\(id)\" must be 1 to \(maximumID) of letters, digits, . _ and -"
        }
        return nil
    }

    /// The longest name, in bytes.
    package static let maximumID = 32
}

extension AccessToken {
    /// As it stands in the users' file.
    var text: String { "\(id):\(hash):\(expires.map(String.init) ?? "-")" }

    /// Reads what stands in the users' file.
    init?(text: Substring) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, Self.problem(withID: parts[0]) == nil, Ticket.isHash(parts[1]) else { return nil }
        let expires = Int64(parts[2])
        guard parts[2] == "-" || expires.map({ $0 >= 0 }) == true else { return nil }
        self.init(id: parts[0], hash: parts[1].lowercased(), expires: expires)
    }
}

/// Random words that are shown once and kept as a hash: tokens, cookies, share links.
package enum Ticket {
    /// What bearer tokens begin with, so that a search for forgotten secrets finds them.
    package static let prefix = "apus_"
    /// Longer words are not looked at, in bytes.
    package static let maximumLength = 128

    /// 256 random bits in letters that need no escape in a URL, a header or a file.
    static func make(_ random: (Int) -> [UInt8]) -> String {
        let bytes = random(32)
        let text = Base64.encode(bytes.span)
        return String(
            decoding: text.utf8.compactMap { byte -> UInt8? in
                switch byte {
                case UInt8(ascii: "+"): UInt8(ascii: "-")
                case UInt8(ascii: "/"): UInt8(ascii: "_")
                case UInt8(ascii: "="): nil
                default: byte
                }
            },
            as: UTF8.self
        )
    }

    /// What is kept of a word; looking it up by this tells nobody by its time how much of a guess was right.
    package static func hash(_ word: String) -> String { Hash.sha256.hexDigest(word) }

    static func isHash(_ text: String) -> Bool { text.utf8.count == 64 && Hexadecimal.bytes(text) != nil }
}
