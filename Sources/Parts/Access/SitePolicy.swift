// SPDX-License-Identifier: Apache-2.0
// Which names this server answers to, and which other sites' pages may ask it: DNS rebinding, CSRF, CORS.

package import HTTP

/// What a browser may be made to ask by a page.
///
/// A browser sends its cookies and its cached passwords along with what *any* page makes it ask, and a page of a name
/// that its owner lets point here (DNS rebinding) even sees the answers.
package struct SitePolicy: Sendable, Equatable {
    /// Names beside the machine's own, in lower case: `cams.example.com`, `*.example.com`, `*` for all.
    package var hosts: [String]
    /// Other sites whose pages may ask, in lower case: `https://example.com:8443`, `*` for all.
    package var origins: [String]
    /// What the machine is called, in lower case; may be empty.
    package var machine: String

    /// More names or sites are not looked at.
    package static let maximumNames = 64

    /// Makes a policy of what is configured: names with commas or spaces between, or `none`.
    package init(hosts: String, origins: String, machine: String) {
        self.hosts = Self.words(hosts)
        self.origins = Self.words(origins).map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        self.machine = machine.lowercased()
    }

    private static func words(_ text: String) -> [String] {
        text.lowercased().split { $0 == "," || $0 == " " || $0 == "\t" }.prefix(maximumNames).map(String.init)
            .filter { $0 != "none" }
    }

    // MARK: Names

    /// Suffixes that only a local network's own name service knows.
    private static let localSuffixes = ["local", "lan", "home", "home.arpa", "internal", "localdomain"]

    /// True if a request for this host is meant for us; nil is a client of HTTP/1.0.
    ///
    /// Addresses always are: a page whose name was made to point here names itself. So are names without a dot, which
    /// nobody outside of the local network can give away.
    package func isOurs(host: String?) -> Bool {
        guard let host else { return true }
        var name = Self.name(host)
        if name.hasSuffix(".") { name.removeLast() }
        if name.hasPrefix("[") || Self.isIPv4(name) || !name.contains(".") { return true }
        if name.hasSuffix(".localhost") { return true }
        if !machine.isEmpty, name == machine || Self.localSuffixes.contains(where: { name == "\(machine).\($0)" }) {
            return true
        }
        return hosts.contains { pattern in
            pattern == "*" || pattern == name || pattern.hasPrefix("*.") && name.hasSuffix(pattern.dropFirst())
        }
    }

    /// The name of a host without its port, in lower case.
    package static func name(_ host: String) -> String {
        let host = host.lowercased()
        if host.hasPrefix("[") { return String(host.prefix { $0 != "]" }) + "]" }
        return String(host.prefix { $0 != ":" })
    }

    private static func isIPv4(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    // MARK: Pages

    /// Where a request of a page comes from.
    package enum Source: Sendable, Equatable {
        /// No page: a program, or somebody typed the address.
        case program
        /// A page of this server.
        case own
        /// A page of a site that is configured to be let in.
        case friend(String)
        /// A page of some other site.
        case foreign
    }

    /// Where a request comes from, as far as the browser tells: `Sec-Fetch-Site`, else `Origin`.
    package func source(_ fields: HeaderFields) -> Source {
        let origin = fields["origin"]?.lowercased()
        switch fields["sec-fetch-site"]?.lowercased() {
        case "same-origin": return .own
        case "none": return origin == nil ? .program : source(origin: origin, host: fields["host"])
        case nil: return source(origin: origin, host: fields["host"])
        default:
            // Another port of the same host is another site for us, and a friend may be one.
            return origin.flatMap(friend).map { .friend($0) } ?? .foreign
        }
    }

    private func source(origin: String?, host: String?) -> Source {
        guard let origin else { return .program }
        if let host = host.flatMap({ Authority($0) }), let page = Authority(origin: origin), page.isOrigin(of: host) {
            return .own
        }
        return friend(origin).map { .friend($0) } ?? .foreign
    }

    /// The origin, if its pages may ask.
    package func friend(_ origin: String) -> String? {
        origins.contains(origin) || origins.contains("*") ? origin : nil
    }

    /// True if a page may open a WebSocket: one of ours, or a friend's.
    ///
    /// A browser lets every page open every WebSocket, and lets it read everything.
    /// - Parameter anyPort: pages of this host's other ports may as well, for clients whose page is served elsewhere.
    package func mayOpenWebSocket(_ fields: HeaderFields, fromAnyPort anyPort: Bool = false) -> Bool {
        switch source(fields) {
        case .program, .own, .friend: return true
        case .foreign:
            guard anyPort, let host = fields["host"].flatMap({ Authority($0) }),
                let page = fields["origin"].flatMap({ Authority(origin: $0) })
            else { return false }
            return page.name == host.name
        }
    }

    /// Why a request that changes something is refused; nil if it is not.
    ///
    /// - Parameters:
    ///   - showsToken: the request has a bearer token, which no browser sends by itself.
    ///   - takesForm: also takes what a form sends, for a page without scripts.
    package func problem(
        with method: Method,
        _ fields: HeaderFields,
        hasBody: Bool,
        showsToken: Bool,
        takesForm: Bool
    ) -> String? {
        switch method {
        case .get, .head, .options, .trace: return nil
        case .post, .put, .patch, .delete: break
        }
        if showsToken { return nil }
        switch source(fields) {
        case .program, .own: break
        // Friends by the asterisk are everybody: they read, and show a token to change something.
        case .friend(let origin): if !origins.contains(origin) { return Self.foreign }
        case .foreign: return Self.foreign
        }
        // What a page may send without asking first is a POST of a form's types; another method has to be asked for.
        guard hasBody || method == .post else { return nil }
        let type = Self.mediaType(fields["content-type"])
        if type == "application/json" || takesForm && type == "application/x-www-form-urlencoded" { return nil }
        return "Content-Type must be application/json"
    }

    private static let foreign =
        "a page of another site asks for this; allow_origin in [http] lets a site in, a bearer token does without"

    /// `Application/JSON; charset=utf-8` without what follows, in lower case.
    package static func mediaType(_ value: String?) -> String {
        String((value ?? "").lowercased().prefix { $0 != ";" && $0 != " " && $0 != "\t" })
    }
}

/// A host with its port, as `Host` and `Origin` have it.
private struct Authority {
    /// In lower case; an IPv6 address with its brackets.
    let name: String
    /// Nil for the scheme's own.
    let port: UInt16?

    /// Reads `name`, `name:port` or `[address]:port`; nil if it is anything else.
    init?(_ text: some StringProtocol) {
        let text = text.lowercased()
        var end = text.firstIndex(of: ":") ?? text.endIndex
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { return nil }
            end = text.index(after: bracket)
        }
        name = String(text[..<end])
        guard !name.isEmpty else { return nil }
        let rest = text[end...]
        if rest.isEmpty || rest == ":" {
            port = nil
            return
        }
        guard rest.first == ":", rest.dropFirst().allSatisfy({ $0.isASCII && $0.isNumber }),
            let number = UInt16(rest.dropFirst()), number != 0
        else { return nil }
        port = number
    }

    /// Reads an origin; what it leaves out of its port is filled in. Nil if it is not one of the web.
    init?(origin: String) {
        let origin = origin.lowercased()
        for (scheme, port) in [("http://", UInt16(80)), ("https://", 443)] where origin.hasPrefix(scheme) {
            guard let authority = Authority(origin.dropFirst(scheme.utf8.count)) else { return nil }
            self.init(name: authority.name, port: authority.port ?? port)
            return
        }
        return nil
    }

    private init(name: String, port: UInt16?) {
        self.name = name
        self.port = port
    }

    /// True if this origin's pages come from that host.
    ///
    /// A host without a port has that of its scheme, and which one that is only a proxy in front may know.
    func isOrigin(of host: Authority) -> Bool {
        guard name == host.name else { return false }
        return host.port.map { $0 == port } ?? (port == 80 || port == 443)
    }
}

/// How a browser is told from other programs.
package enum Browser {
    /// True if a challenge would make a browser ask for a password in the middle of a page.
    ///
    /// Scripts, pictures and the like of a page say so (`Sec-Fetch-Mode`, over HTTPS and on this machine only), ask for
    /// JSON, or show a cookie of ours that is no good any more. What somebody typed into the address bar is not one.
    package static func isPage(_ fields: HeaderFields, cookies: [String]) -> Bool {
        if let mode = fields["sec-fetch-mode"]?.lowercased() { return mode != "navigate" }
        if fields["x-requested-with"] != nil || fields["origin"] != nil { return true }
        let accept = fields["accept"]?.lowercased() ?? ""
        if accept.contains("application/json"), !accept.contains("text/html") { return true }
        return !cookies.isEmpty
    }
}
