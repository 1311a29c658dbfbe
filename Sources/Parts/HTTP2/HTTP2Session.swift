// SPDX-License-Identifier: Apache-2.0
// The server's side of an HTTP/2 connection by libnghttp2: bytes in, requests out; answers in, bytes out.

package import Bytes
import CSysNGHTTP2
package import HTTP

/// Why a connection cannot go on; the peer is told by what `nextOutput` gives then.
package struct HTTP2Error: Error, Sendable, Equatable, CustomStringConvertible {
    package let reason: String
    package var description: String { "HTTP/2: \(reason)" }
}

/// What has become of a stream.
package enum HTTP2Event: Sendable, Equatable {
    /// A request has come; `respond` answers it.
    case request(stream: Int32, Request)
    /// A request is to be refused with `Response(refusing:)` through `respond`.
    case refuse(stream: Int32, RequestError)
    /// The stream has ended: its answer is complete (0), or one of both sides has reset it with this code.
    case closed(stream: Int32, code: UInt32)
}

/// A server's session. Not to be used by two threads. C: nghttp2_session
@safe package final class HTTP2Session {
    /// Streams that are open at the same time; more are refused.
    package static let streamLimit = 100
    /// The most that a body puts into one frame: header and all make one record of TLS.
    static let frameLimit = (16 << 10) - 9
    /// `nextOutput` gives about so much at once, in bytes.
    static let outputLimit = 16 << 10
    /// Streams that the peer may reset or spoil, at once and a second (CVE-2023-44487, CVE-2025-8671).
    static let resetBurst = 200.0
    static let resetRate = 50.0
    /// Frames that make work and carry nothing (PING, SETTINGS, PRIORITY, empty DATA), at once and a second.
    static let idleFrameBurst = 500.0
    static let idleFrameRate = 100.0
    /// CONTINUATION frames of one head (CVE-2024-28182).
    static let continuationLimit = 8

    /// What the callbacks find of a stream.
    struct Stream {
        var request: StreamRequest? = StreamRequest()
        let began: Instant
        var body: (any HTTP2Body)?
        /// The peer has sent everything.
        var isReceived = false
        /// The last call for bytes found none: waits for `resume`.
        var isWaiting = true
        /// When bytes of the body went into a frame, or began to wait for that.
        var lastProgress: Instant
        /// The answer has no body.
        var isHead = false

        /// The request has been handed out.
        mutating func take(_ request: StreamRequest) {
            isHead = request.isHead
            self.request = nil
        }
    }

    /// The streams that are open, by number.
    var streams: [Int32: Stream] = [:]
    var output: [UInt8] = []
    var events: [HTTP2Event] = []
    var fault: HTTP2Error?
    var resets: Budget
    var idleFrames: Budget
    /// CONTINUATION frames of the present head.
    var continuations = 0
    private(set) var now: Instant

    // Owned: freed in deinit.
    private var pointer: OpaquePointer?
    private var isSending = false

    /// Starts a session; its settings are in the output.
    package init(at now: Instant) throws(HTTP2Error) {
        self.now = now
        resets = Budget(burst: Self.resetBurst, perSecond: Self.resetRate, at: now)
        idleFrames = Budget(burst: Self.idleFrameBurst, perSecond: Self.idleFrameRate, at: now)
        var callbacks: OpaquePointer?
        var options: OpaquePointer?
        // Safe: both are freed here; the session copies what it needs of them.
        guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0, unsafe nghttp2_option_new(&options) == 0 else {
            throw HTTP2Error(reason: "no memory")
        }
        defer {
            unsafe nghttp2_session_callbacks_del(callbacks)
            unsafe nghttp2_option_del(options)
        }
        unsafe SessionCallbacks.install(callbacks)
        // Debian 12's version counts the pieces in which a head arrives instead of its frames: we count these.
        unsafe nghttp2_option_set_max_continuations(options, StreamRequest.fieldsLimit * 8)
        unsafe nghttp2_option_set_no_closed_streams(options, 1)
        unsafe nghttp2_option_set_max_deflate_dynamic_table_size(options, 4096)
        // Safe: unretained, since the session does not outlive self.
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        guard unsafe nghttp2_session_server_new2(&pointer, callbacks, me, options) == 0 else {
            throw HTTP2Error(reason: "no memory")
        }
        let settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: UInt32(Self.streamLimit)
            ),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(StreamRequest.fieldsLimit)
            ),
        ]
        unsafe nghttp2_submit_settings(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count)
    }

    deinit {
        // Safe: this is the only owner.
        unsafe nghttp2_session_del(pointer)
    }

    /// Takes what the peer sent; there may be output then, even if this throws.
    ///
    /// - Throws: what the peer did wrong; the connection is to be closed once the output is sent.
    package func receive(_ bytes: Span<UInt8>, at now: Instant) throws(HTTP2Error) -> [HTTP2Event] {
        self.now = now
        // Safe: the library reads `bytes` during the call only.
        let count = unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe nghttp2_session_mem_recv(pointer, buffer.baseAddress, buffer.count)
        }
        if let fault {
            endSession(NGHTTP2_ENHANCE_YOUR_CALM)
            throw fault
        }
        guard count >= 0 else {
            endSession(NGHTTP2_PROTOCOL_ERROR)
            // Safe: one of the library's constant texts.
            throw HTTP2Error(reason: unsafe String(cString: nghttp2_strerror(Int32(count))))
        }
        return takeEvents()
    }

    /// Answers a request: with the response's own bytes, or with what `body` gives; nil for a head alone.
    ///
    /// - Parameter date: seconds since 1970 UTC.
    package func respond(_ stream: Int32, _ response: Response, date: Int64, body: (any HTTP2Body)? = nil) {
        guard let state = streams[stream] else { return }
        var body = body
        if case .bytes(let bytes) = response.body, !bytes.isEmpty { body = WholeBody(bytes) }
        if state.isHead || response.status.forbidsBody { body = nil }
        streams[stream]?.body = body
        streams[stream]?.isWaiting = false
        streams[stream]?.lastProgress = now
        // Safe: the pointer is ours.
        let result = unsafe SessionCallbacks.submit(pointer, stream, response.streamFields(date: date), body != nil)
        if result != 0 { reset(stream) }
    }

    /// There are bytes for a stream whose body had none.
    package func resume(_ stream: Int32) {
        guard streams[stream]?.isWaiting ?? false, streams[stream]?.body != nil else { return }
        streams[stream]?.isWaiting = false
        streams[stream]?.lastProgress = now
        // Safe: a stream that is not deferred is left as it is.
        unsafe nghttp2_session_resume_data(pointer, stream)
    }

    /// Ends a stream in the middle.
    package func reset(_ stream: Int32) {
        streams[stream]?.body = nil
        // Safe: a number that is no stream's is refused.
        unsafe nghttp2_submit_rst_stream(pointer, 0, stream, NGHTTP2_INTERNAL_ERROR.rawValue)
    }

    /// Tells the peer that the connection ends.
    package func goAway() { endSession(NGHTTP2_NO_ERROR) }

    /// The next bytes for the peer, about `outputLimit`; none if there is nothing to be sent now.
    package func nextOutput(at now: Instant) throws(HTTP2Error) -> [UInt8] {
        self.now = now
        guard !isSending else { return [] }
        isSending = true
        defer { isSending = false }
        // Safe: the callbacks only append to `output`.
        let result = unsafe nghttp2_session_send(pointer)
        var bytes: [UInt8] = []
        swap(&bytes, &output)
        // Safe: one of the library's constant texts.
        guard result == 0 else { throw HTTP2Error(reason: unsafe String(cString: nghttp2_strerror(result))) }
        return bytes
    }

    /// What has happened while output was made.
    package func takeEvents() -> [HTTP2Event] {
        var taken: [HTTP2Event] = []
        swap(&taken, &events)
        return taken
    }

    /// True when nothing more comes and nothing more goes: the connection is to be closed.
    package var isOver: Bool {
        // Safe: the pointer is ours.
        unsafe nghttp2_session_want_read(pointer) == 0 && nghttp2_session_want_write(pointer) == 0
    }

    /// How many streams are open.
    package var streamCount: Int { streams.count }

    /// The streams whose requests have been on their way for longer than `request`, or whose bodies the peer has not
    /// let go on for longer than `body`.
    package func overdue(at now: Instant, request: Duration, body: Duration) -> [Int32] {
        streams.filter { _, stream in
            if stream.request != nil { return now - stream.began > request }
            return stream.body != nil && !stream.isWaiting && now - stream.lastProgress > body
        }
        .map(\.key).sorted()
    }

    private func endSession(_ code: nghttp2_error_code) {
        // Safe: the pointer is ours.
        unsafe nghttp2_session_terminate_session(pointer, code.rawValue)
    }
}
