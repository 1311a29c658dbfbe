// SPDX-License-Identifier: Apache-2.0
// How RTSP and SDP carry MIKEY (RFC 4567): `a=key-mgmt`, and the KeyMgmt header.

package import Bytes

/// MIKEY messages as text.
package enum KeyManagement {
    /// The value of `a=key-mgmt` (RFC 4567 §3.1).
    package static func attribute(_ message: MIKEYMessage) -> String {
        let bytes = message.bytes
        return "mikey " + Base64.encode(bytes.span)
    }

    /// The message of an `a=key-mgmt` line's value.
    package static func message(attribute: String) throws(WireError) -> MIKEYMessage {
        let words = attribute.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "mikey" else {
            throw .unsupported(field: "key-mgmt protocol", value: 0)
        }
        return try message(base64: words[1])
    }

    /// The value of a KeyMgmt header (RFC 4567 §4.1).
    package static func header(_ message: MIKEYMessage, url: String) -> String {
        let bytes = message.bytes
        return "prot=mikey;uri=\"\(url)\";data=\"\(Base64.encode(bytes.span))\""
    }

    /// The message of a KeyMgmt header.
    package static func message(header: String) throws(WireError) -> MIKEYMessage {
        var isMIKEY = false
        var data: Substring?
        for parameter in header.split(separator: ";") {
            let pair = parameter.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            var value = pair[1].drop { $0 == " " }
            while value.last == " " { value.removeLast() }
            if value.count > 1, value.first == "\"", value.last == "\"" { value = value.dropFirst().dropLast() }
            switch pair[0].filter({ $0 != " " }).lowercased() {
            case "prot": isMIKEY = value.lowercased() == "mikey"
            case "data": data = value
            default: break
            }
        }
        guard isMIKEY, let data else { throw .unsupported(field: "KeyMgmt protocol", value: 0) }
        return try message(base64: data)
    }

    private static func message(base64: Substring) throws(WireError) -> MIKEYMessage {
        guard base64.utf8.count <= MIKEYMessage.lengthLimit * 4 / 3 + 4 else {
            throw .limit(field: "MIKEY message", limit: MIKEYMessage.lengthLimit)
        }
        let bytes = try Base64.decode(String(base64))
        return try MIKEYMessage(parsing: bytes.span)
    }
}
