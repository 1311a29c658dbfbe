// SPDX-License-Identifier: Apache-2.0
// What the fuzzer and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import HTTP

/// Entry points for fuzzing this module.
package enum AccessFuzz {
    /// Reads `bytes` as a login's body, as the fields of a request that show who asks, and as the users' file.
    package static func login(_ bytes: Span<UInt8>) {
        for type in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
            guard let login = try? Login(parsing: bytes, type: type) else { continue }
            precondition(type != "text/plain", "a form's other types are refused")
            precondition(UserName.problem(with: login.user) == nil, "nobody has such a name")
            precondition(Secret.problem(with: login.password) == nil, "nobody has such a password")
        }
        let all = bytes.indices.map { bytes[$0] }
        for name in ["cookie", "authorization", "host", "origin"] {
            var fields = HeaderFields()
            let line = Array("\(name): ".utf8) + all
            guard (try? fields.append(parsing: line[...])) != nil else { continue }
            show(fields)
        }
        let text = String(decoding: all, as: UTF8.self)
        if let users = try? UserList(parsing: text, name: "users") {
            let again = try? UserList(parsing: users.text, name: "users")
            precondition(again?.users == users.users, "a file is read back as it was written")
        }
        if let shares = try? ShareList(parsing: text, name: "shares") {
            let again = try? ShareList(parsing: shares.text, name: "shares")
            precondition(again == shares, "links are read back as they were written")
        }
    }

    private static func show(_ fields: HeaderFields) {
        let cookies = Cookies(fields)
        precondition(cookies.pairs.count <= Cookies.countLimit, "cookies over their limit")
        for pair in cookies.pairs {
            let isHarmless = !pair.value.utf8.contains { $0 <= 0x20 || $0 == UInt8(ascii: ";") || $0 >= 0x7F }
            precondition(!pair.name.isEmpty && isHarmless, "a cookie that cannot be set")
            _ = SessionKey(cookie: pair.value)
        }
        let site = SitePolicy(hosts: "*.example.com", origins: "https://friend.example", machine: "pi")
        if site.isOurs(host: fields["host"]), let host = fields["host"] {
            let name = SitePolicy.name(host)
            precondition(!name.hasSuffix(".evil.example"), "a foreign name is ours")
        }
        if let origin = fields["origin"], origin.hasPrefix("https://evil.example") {
            precondition(site.source(fields) == .foreign, "a foreign page is let in")
        }
        _ = site.mayOpenWebSocket(fields)
    }
}
