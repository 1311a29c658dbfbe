// SPDX-License-Identifier: Apache-2.0
// What may be asked of a snapshot: which picture, how large, how good.

import HTTP
import Pictures

/// The query of a snapshot's address.
struct SnapshotOptions: Equatable {
    /// The farthest back that may be asked for; what is there, the ring says.
    static let pastLimit = Duration.seconds(3600)

    /// A picture that is taken after the request.
    var isFresh = false
    /// In pixels.
    var width: Int?
    var height: Int?
    /// 1 to 100.
    var quality: Int?
    /// How long ago the picture was taken; nil for the newest.
    var age: Duration?
    /// The slate will do where the camera is lost.
    var takesSlate = false

    /// Reads a query.
    ///
    /// - Throws: 400 for a value that makes no sense; what is not known is left out, as anybody may add to an address.
    init(_ target: Target) throws(RequestError) {
        isFresh = try Self.flag(target, "fresh")
        width = try Self.number(target, "width", 2...PictureJob.sideLimit)
        height = try Self.number(target, "height", 2...PictureJob.sideLimit)
        quality = try Self.number(target, "quality", 1...100)
        if let text = target["at"] {
            guard let age = Self.age(text) else {
                throw RequestError(.badRequest, "at must be a time like -2.5s or -500ms, at most an hour ago")
            }
            self.age = age
        }
        if let text = target["fallback"] {
            guard text == "slate" else { throw RequestError(.badRequest, "fallback can only be slate") }
            takesSlate = true
        }
        if isFresh, age != nil { throw RequestError(.badRequest, "fresh and at exclude each other") }
    }

    /// True if a picture goes out as it is.
    var isAsItIs: Bool { width == nil && height == nil && quality == nil }

    /// Reads a time that is over: `-2.5s`, `-2.5`, `-500ms`, `-1.5m`, `0`.
    static func age(_ text: String) -> Duration? {
        var digits = text[...]
        var scale = 1.0
        if digits.hasSuffix("ms") {
            digits = digits.dropLast(2)
            scale = 0.001
        } else if digits.hasSuffix("s") {
            digits = digits.dropLast()
        } else if digits.hasSuffix("m") {
            digits = digits.dropLast()
            scale = 60
        }
        guard !digits.isEmpty, digits.allSatisfy({ "-.0123456789".contains($0) }), let value = Double(digits) else {
            return nil
        }
        let age = Duration.seconds(-value * scale)
        return age >= .zero && age <= pastLimit ? age : nil
    }

    private static func flag(_ target: Target, _ name: String) throws(RequestError) -> Bool {
        switch target[name] {
        case nil, "0", "false", "no": false
        case "", "1", "true", "yes": true
        default: throw RequestError(.badRequest, "\(name) must be 1 or 0")
        }
    }

    private static func number(
        _ target: Target,
        _ name: String,
        _ range: ClosedRange<Int>
    ) throws(RequestError) -> Int? {
        guard let text = target[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw RequestError(
                .badRequest,
                "\(name) must be a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }
}
