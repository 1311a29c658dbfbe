// SPDX-License-Identifier: Apache-2.0
// The page's files, which are part of the program (see web/embed).

import Access
import HTTP

/// One file of the page.
struct WebFile {
    let contentType: String
    /// Changes with the content.
    let entityTag: EntityTag
    private let text: String

    private init(_ contentType: String, _ text: String) {
        self.contentType = contentType
        self.text = text
        entityTag = EntityTag(String(Self.hash(text), radix: 16))
    }

    /// All files, by path: what pages refer to is under `/web/`.
    static let all: [String: WebFile] = {
        var files: [String: WebFile] = [:]
        for (name, text) in texts { files["/web/\(name)"] = WebFile(contentType(of: name), text) }
        files["/"] = files.removeValue(forKey: "/web/index.html")
        files["/share.html"] = files.removeValue(forKey: "/web/share.html")
        files["/favicon.svg"] = files.removeValue(forKey: "/web/favicon.svg")
        files["/favicon.ico"] = files["/favicon.svg"]
        return files
    }()

    private static func contentType(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        default: "image/svg+xml"
        }
    }

    /// Answers with the file or the ranges of it that are asked for, or with 304 to a client that has it already.
    func response(to head: RequestHead) -> Response {
        let fields = [HeaderField("Content-Type", contentType), HeaderField("Cache-Control", "no-cache")]
        return Response(Array(text.utf8), validators: Validators(tag: entityTag), fields: fields, to: head)
    }

    /// FNV-1a: tells versions apart, and needs to do no more.
    private static func hash(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }
}

extension Server {
    /// The addresses of the page's files, which hold no secret: the page asks who looks at it.
    func pageEndpoints() -> [Endpoint] {
        WebFile.all.sorted { $0.key < $1.key }
            .map { path, file in
                Endpoint(.get, path, needs: nil, "A file of the page.") { exchange in
                    exchange.respond(file.response(to: exchange.request.head))
                }
            }
    }
}
