// SPDX-License-Identifier: Apache-2.0
// The page's files, which are part of the program (see web/embed).

import Access
import HTTP

/// One file of the page.
struct WebFile {
    let contentType: String
    /// Changes with the content.
    let entityTag: String
    private let text: String

    private init(_ contentType: String, _ text: String) {
        self.contentType = contentType
        self.text = text
        entityTag = "\"\(String(Self.hash(text), radix: 16))\""
    }

    private static let index = WebFile("text/html; charset=utf-8", indexHTML)
    private static let style = WebFile("text/css; charset=utf-8", styleCSS)
    private static let app = WebFile("text/javascript; charset=utf-8", appJS)
    private static let favicon = WebFile("image/svg+xml", faviconSVG)

    /// All files, by path.
    static let all = [
        "/": index, "/style.css": style, "/app.js": app, "/favicon.svg": favicon, "/favicon.ico": favicon,
    ]

    /// Answers with the file, or with 304 to a client that has it already.
    func response(to head: RequestHead) -> Response {
        let fields = [
            HeaderField("Content-Type", contentType), HeaderField("ETag", entityTag),
            HeaderField("Cache-Control", "no-cache"),
        ]
        let known = head.fields.list("if-none-match")
        if known.contains(entityTag) || known.contains("*") { return Response(.notModified, fields: fields) }
        return Response(.ok, fields: fields, body: .bytes(Array(text.utf8)))
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
