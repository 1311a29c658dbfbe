// SPDX-License-Identifier: Apache-2.0
// What libnghttp2 calls while it reads and writes, and how fields are given to it.

import CSysNGHTTP2
import HTTP

/// The functions that a session gives to the library. None of them captures anything.
enum SessionCallbacks {
    /// C: nghttp2_session_callbacks_set_…
    static func install(_ callbacks: OpaquePointer?) {
        // Safe: all are called only inside of calls that the session makes, with the session as `data`.
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, data in
            guard let frame = unsafe frame?.pointee else { return 0 }
            if unsafe frame.headers.cat == NGHTTP2_HCAT_REQUEST {
                unsafe HTTP2Session.of(data)?.begin(frame.hd.stream_id)
            }
            return 0
        }
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks) { _, header, data in
            guard let type = unsafe header?.pointee.type, let session = unsafe HTTP2Session.of(data) else { return 0 }
            return session.beginFrame(type) ? 0 : Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
        }
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _,
            frame,
            name,
            nameLength,
            value,
            valueLength,
            _,
            data in
            guard let frame = unsafe frame?.pointee, unsafe frame.headers.cat == NGHTTP2_HCAT_REQUEST else { return 0 }
            let name = unsafe Array(UnsafeBufferPointer(start: name, count: nameLength))
            let value = unsafe Array(UnsafeBufferPointer(start: value, count: valueLength))
            unsafe HTTP2Session.of(data)?.field(frame.hd.stream_id, name, value)
            return 0
        }
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            _,
            _,
            stream,
            bytes,
            count,
            data in
            unsafe HTTP2Session.of(data)?.body(stream, UnsafeBufferPointer(start: bytes, count: count))
            return 0
        }
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, data in
            guard let header = unsafe frame?.pointee.hd else { return 0 }
            unsafe HTTP2Session.of(data)?.received(header)
            return 0
        }
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, _, _, data in
            unsafe HTTP2Session.of(data)?.spoiled()
            return 0
        }
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, data in
            unsafe HTTP2Session.of(data)?.closed(stream, code)
            return 0
        }
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { library, frame, data in
            guard let header = unsafe frame?.pointee.hd else { return 0 }
            // An answer before the end of the request: the rest of it is not wanted (RFC 9113 §8.1).
            if header.flags & SessionCallbacks.endOfStream != 0,
                unsafe HTTP2Session.of(data)?.streams[header.stream_id]?.isReceived == false
            {
                unsafe nghttp2_submit_rst_stream(library, 0, header.stream_id, NGHTTP2_NO_ERROR.rawValue)
            }
            return 0
        }
        // Safe: as above.
        unsafe installSending(callbacks)
    }

    private static func installSending(_ callbacks: OpaquePointer?) {
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_send_callback(callbacks) { _, bytes, count, _, data in
            guard let session = unsafe HTTP2Session.of(data), session.output.count < HTTP2Session.outputLimit else {
                return Int(NGHTTP2_ERR_WOULDBLOCK.rawValue)
            }
            unsafe session.output.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
            return count
        }
        // Safe: as above.
        unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, frame, header, count, _, data in
            guard let session = unsafe HTTP2Session.of(data), let stream = unsafe frame?.pointee.hd.stream_id,
                let body = session.streams[stream]?.body
            else { return Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
            session.output.reserveCapacity(session.output.count + 9 + count)
            unsafe session.output.append(contentsOf: UnsafeBufferPointer(start: header, count: 9))
            body.take(count, into: &session.output)
            let isFull = session.output.count >= HTTP2Session.outputLimit
            return isFull ? Int32(NGHTTP2_ERR_PAUSE.rawValue) : 0
        }
    }

    /// Submits an answer's head, and that a body follows. C: nghttp2_submit_response()
    static func submit(_ session: OpaquePointer?, _ stream: Int32, _ fields: [HeaderField], _ hasBody: Bool) -> Int32 {
        var bytes: [UInt8] = []
        for field in fields {
            bytes += field.name.utf8
            bytes += field.value.utf8
        }
        // Safe: the library copies names and values before the call returns; all lie in `bytes`.
        return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            guard var next = buffer.baseAddress else { return -1 }
            var list: [nghttp2_nv] = unsafe []
            for field in fields {
                let (name, value) = (field.name.utf8.count, field.value.utf8.count)
                let entry = unsafe nghttp2_nv(name: next, value: next + name, namelen: name, valuelen: value, flags: 0)
                unsafe list.append(entry)
                unsafe next += name + value
            }
            guard hasBody else { return unsafe nghttp2_submit_response(session, stream, list, list.count, nil) }
            var provider = unsafe nghttp2_data_provider()
            unsafe provider.read_callback = { _, stream, _, limit, flags, _, data in
                guard let session = unsafe HTTP2Session.of(data) else {
                    return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
                }
                guard let (count, isLast) = session.prepare(stream, limit) else {
                    return Int(NGHTTP2_ERR_DEFERRED.rawValue)
                }
                // Safe: the library gives a place for the flags.
                if count > 0 { unsafe flags?.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue }
                if isLast { unsafe flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
                return count
            }
            // Safe: as above; the provider is copied, too.
            return unsafe nghttp2_submit_response(session, stream, list, list.count, &provider)
        }
    }

    static let endOfStream = UInt8(NGHTTP2_FLAG_END_STREAM.rawValue)
}

extension HTTP2Session {
    /// The session that the library was given.
    fileprivate static func of(_ data: UnsafeMutableRawPointer?) -> HTTP2Session? {
        // Safe: it was given `self`, and does not outlive it.
        unsafe data.map { unsafe Unmanaged<HTTP2Session>.fromOpaque($0).takeUnretainedValue() }
    }

    fileprivate func begin(_ stream: Int32) { streams[stream] = Stream(began: now, lastProgress: now) }

    /// Counts the frames of a head; false if there are too many.
    fileprivate func beginFrame(_ type: UInt8) -> Bool {
        guard UInt32(type) == NGHTTP2_CONTINUATION.rawValue else {
            continuations = 0
            return true
        }
        continuations += 1
        guard continuations > Self.continuationLimit else { return true }
        fault = fault ?? HTTP2Error(reason: "too many CONTINUATION frames")
        return false
    }

    fileprivate func field(_ stream: Int32, _ name: [UInt8], _ value: [UInt8]) {
        streams[stream]?.request?.add(name, value)
    }

    fileprivate func body(_ stream: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
        guard streams[stream]?.request != nil else { return }
        // Safe: lent for this call.
        unsafe streams[stream]?.request?.add(body: bytes)
        if let fault = streams[stream]?.request?.fault { refuse(stream, fault) }
    }

    fileprivate func received(_ header: nghttp2_frame_hd) {
        let isLast = header.flags & SessionCallbacks.endOfStream != 0
        switch nghttp2_frame_type(UInt32(header.type)) {
        case NGHTTP2_DATA:
            if isLast { finish(header.stream_id) } else if header.length == 0 { countIdleFrame() }
        case NGHTTP2_HEADERS:
            if isLast {
                finish(header.stream_id)
            } else if let fault = streams[header.stream_id]?.request?.fault {
                refuse(header.stream_id, fault)
            }
        case NGHTTP2_RST_STREAM: spoiled()
        case NGHTTP2_PING, NGHTTP2_SETTINGS, NGHTTP2_PRIORITY: countIdleFrame()
        default: break
        }
    }

    /// A stream was reset, or a frame was not as it may be.
    fileprivate func spoiled() {
        if !resets.spend(at: now) { fault = fault ?? HTTP2Error(reason: "too many streams were reset") }
    }

    fileprivate func closed(_ stream: Int32, _ code: UInt32) {
        guard streams.removeValue(forKey: stream) != nil else { return }
        events.append(.closed(stream: stream, code: code))
    }

    /// How many bytes of its body a stream puts into the next frame, and if it is the last; nil for none now.
    fileprivate func prepare(_ stream: Int32, _ limit: Int) -> (count: Int, isLast: Bool)? {
        guard let body = streams[stream]?.body else { return nil }
        let count = body.prepare()
        let isComplete = body.isComplete
        guard count > 0 || isComplete else {
            streams[stream]?.isWaiting = true
            return nil
        }
        streams[stream]?.lastProgress = now
        let taken = min(count, limit, Self.frameLimit)
        return (taken, taken == count && isComplete)
    }

    private func countIdleFrame() {
        if !idleFrames.spend(at: now) { fault = fault ?? HTTP2Error(reason: "too many frames that say nothing") }
    }

    private func finish(_ stream: Int32) {
        streams[stream]?.isReceived = true
        guard var request = streams[stream]?.request else { return }
        do throws(RequestError) {
            let whole = try request.finish()
            streams[stream]?.take(request)
            events.append(.request(stream: stream, whole))
        } catch {
            refuse(stream, error)
        }
    }

    private func refuse(_ stream: Int32, _ error: RequestError) {
        guard let request = streams[stream]?.request else { return }
        streams[stream]?.take(request)
        events.append(.refuse(stream: stream, error))
    }
}
