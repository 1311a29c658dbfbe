// SPDX-License-Identifier: Apache-2.0
// Datagrams, gathered sends, and descriptors passed over Unix sockets.

package import CShimLinux
import Glibc

/// A run of bytes in memory, for gathered sends. C: `struct iovec`.
package typealias IOVector = iovec

/// Names `count` bytes at `base`, which must stay there as long as the vector is used; they are only read.
@unsafe
package func makeIOVector(_ base: UnsafeRawPointer?, count: Int) -> IOVector {
    // Safe: nothing is read here; whoever uses the vector vouches for `base`.
    unsafe IOVector(iov_base: UnsafeMutableRawPointer(mutating: base), iov_len: count)
}

extension Socket {
    /// Sends from the front of `bytes`; a peer that is gone is an error, never a signal. C: `send(MSG_NOSIGNAL)`.
    ///
    /// - Parameter moreFollows: the kernel waits with a short packet for what is sent next. C: `MSG_MORE`.
    package static func send(
        _ fd: Int32,
        _ bytes: Span<UInt8>,
        moreFollows: Bool = false
    ) throws(SystemError) -> IOResult {
        guard !bytes.isEmpty else { return .bytes(0) }
        let flags = Int32(MSG_NOSIGNAL) | (moreFollows ? Int32(MSG_MORE) : 0)
        return unsafe try bytes.withUnsafeBufferPointer { pointer throws(SystemError) in
            // Safe: the pointer is valid for its count within this closure.
            try transfer("send") { unsafe Glibc.send(fd, pointer.baseAddress, pointer.count, flags) }
        }
    }

    /// Sends from the front of `head` and, behind it, `body`, by one call. C: `sendmsg`.
    package static func send(
        _ fd: Int32,
        _ head: Span<UInt8>,
        then body: Span<UInt8>
    ) throws(SystemError) -> IOResult {
        unsafe try head.withUnsafeBytes { head throws(SystemError) in
            unsafe try body.withUnsafeBytes { body throws(SystemError) in
                // Safe: both buffers are valid within these closures; sendmsg does not write to them.
                try transfer("sendmsg") {
                    unsafe apus_send_pair(fd, head.baseAddress, head.count, body.baseAddress, body.count)
                }
            }
        }
    }

    /// Sends one datagram. C: `sendto`.
    package static func send(
        _ fd: Int32,
        _ datagram: Span<UInt8>,
        to address: SocketAddress
    ) throws(SystemError) -> IOResult {
        unsafe try datagram.withUnsafeBytes { bytes throws(SystemError) in
            // Safe: the buffer is valid within this closure; sendmsg does not write to it.
            var part = unsafe makeIOVector(bytes.baseAddress, count: bytes.count)
            return unsafe try withUnsafePointer(to: &part) { part throws(SystemError) in
                unsafe try sendGathered(
                    fd,
                    UnsafeBufferPointer(start: part, count: 1),
                    to: address,
                    segment: 0
                )
            }
        }
    }

    /// Sends gathered buffers, as one datagram or, with `segment` > 0, as datagrams of that size (UDP_SEGMENT).
    @unsafe
    package static func sendGathered(
        _ fd: Int32,
        _ parts: UnsafeBufferPointer<IOVector>,
        to address: SocketAddress,
        segment: Int
    ) throws(SystemError) -> IOResult {
        var address = address
        // Safe: the caller's buffers are valid for the call.
        return try transfer("send to \(address)") {
            unsafe apus_send_gathered(
                fd,
                &address.storage,
                address.length,
                parts.baseAddress,
                Int32(parts.count),
                Int32(segment)
            )
        }
    }

    /// Receives one datagram into `buffer` and tells who sent it. C: `recvfrom`.
    package static func receive(
        _ fd: Int32,
        into buffer: inout MutableSpan<UInt8>,
        from sender: inout SocketAddress
    ) throws(SystemError) -> IOResult {
        sender.length = UInt32(MemoryLayout<sockaddr_storage>.size)
        return unsafe try buffer.withUnsafeMutableBufferPointer { pointer throws(SystemError) in
            // Safe: the call writes at most `count` bytes, and at most `length` bytes of the address.
            try transfer("recvfrom") {
                unsafe withUnsafeMutablePointer(to: &sender.storage) { storage in
                    unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        unsafe recvfrom(fd, pointer.baseAddress, pointer.count, 0, $0, &sender.length)
                    }
                }
            }
        }
    }

    /// Receives datagrams that the kernel may have joined, on a socket with `.udpReceiveOffload`.
    ///
    /// `segment` gets the length of each datagram but the last, 0 if there is one only. C: `recvmsg` with UDP_GRO.
    package static func receive(
        _ fd: Int32,
        into buffer: inout MutableSpan<UInt8>,
        segment: inout Int32
    ) throws(SystemError) -> IOResult {
        unsafe try buffer.withUnsafeMutableBytes { bytes throws(SystemError) in
            // Safe: the call writes at most the buffer's length, and one integer.
            try transfer("recvmsg") { unsafe apus_receive_segmented(fd, bytes.baseAddress, bytes.count, &segment) }
        }
    }

    /// Sends one message together with descriptors, which stay the caller's. C: `sendmsg(SCM_RIGHTS)`.
    package static func send(_ fd: Int32, _ message: Span<UInt8>, descriptors: [Int32]) throws(SystemError) -> IOResult
    {
        precondition(descriptors.count <= 4, "at most four descriptors go with a message")
        return unsafe try message.withUnsafeBytes { bytes throws(SystemError) in
            // Safe: the buffer and the descriptors are valid for the call.
            try transfer("sendmsg") {
                unsafe Int(
                    apus_send_with_descriptors(
                        fd,
                        bytes.baseAddress,
                        bytes.count,
                        descriptors,
                        Int32(descriptors.count)
                    )
                )
            }
        }
    }

    /// Receives one message with the descriptors that came along; the caller owns them. C: `recvmsg`.
    package static func receive(
        _ fd: Int32,
        into buffer: inout MutableSpan<UInt8>,
        descriptors: inout [Int32]
    ) throws(SystemError) -> IOResult {
        var received: [Int32] = [-1, -1, -1, -1]
        var count: Int32 = 0
        let result = unsafe try buffer.withUnsafeMutableBytes { bytes throws(SystemError) in
            // Safe: the call writes at most the buffer's length and four descriptors.
            try transfer("recvmsg") {
                unsafe Int(apus_receive_with_descriptors(fd, bytes.baseAddress, bytes.count, &received, 4, &count))
            }
        }
        descriptors = Array(received.prefix(Int(count)))
        return result
    }
}
