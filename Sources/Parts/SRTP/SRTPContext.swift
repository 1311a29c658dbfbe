// SPDX-License-Identifier: Apache-2.0
// Encrypting and decrypting RTP and RTCP packets (RFC 3711, RFC 7714) by libsrtp.

import Bytes
import CSysSRTP

/// How packets are encrypted and authenticated.
package enum SRTPSuite: String, Sendable, Hashable, CaseIterable {
    case aesCM128HMACSHA1With80Bits = "AES_CM_128_HMAC_SHA1_80"
    case aesCM128HMACSHA1With32Bits = "AES_CM_128_HMAC_SHA1_32"
    case aeadAES128GCM = "AEAD_AES_128_GCM"

    /// The length of key and salt together, in bytes.
    package var keyLength: Int { self == .aeadAES128GCM ? 28 : 30 }

    /// By how much a protected RTP packet is longer, in bytes.
    package var tagLength: Int {
        switch self {
        case .aesCM128HMACSHA1With80Bits: 10
        case .aesCM128HMACSHA1With32Bits: 4
        case .aeadAES128GCM: 16
        }
    }
}

/// Why a packet was not protected, or not taken.
package enum SRTPError: Error, Sendable, Hashable {
    /// The key's length is not the suite's, or the library does not have the suite.
    case unusableKey
    /// The packet is none, or was changed on the way, or has another key.
    case notAuthentic
    /// The packet was there before, or is too old to tell.
    case replayed
    /// What else libsrtp reports, by its number.
    case library(UInt32)
}

/// The packets of one direction under one key. C: srtp_t
@safe package final class SRTPContext {
    /// Which way packets go.
    package enum Direction: Sendable { case outbound, inbound }

    package let suite: SRTPSuite

    // Owned: freed in deinit.
    private let session: srtp_t
    private var scratch: [UInt8] = []

    /// The longest packet that is taken.
    package static let packetLimit = 65_535
    /// What protection adds at most: the tag, and for RTCP the index.
    private static let room = Int(SRTP_MAX_TRAILER_LEN) + 4
    /// How far back a packet may be sent again; the library takes less than 2^15.
    private static let window: UInt = 32_000
    private static let isReady = srtp_init() == srtp_err_status_ok

    /// Makes a context for all senders of that direction. C: srtp_create()
    ///
    /// - Parameter key: the master key and the master salt behind it.
    package init(_ suite: SRTPSuite, key: [UInt8], _ direction: Direction) throws(SRTPError) {
        guard Self.isReady, key.count == suite.keyLength else { throw .unusableKey }
        self.suite = suite
        // Safe: a C struct of numbers and pointers, for which zero is a valid value.
        var policy = unsafe srtp_policy_t()
        switch suite {
        case .aesCM128HMACSHA1With80Bits:
            unsafe srtp_crypto_policy_set_rtp_default(&policy.rtp)
            unsafe srtp_crypto_policy_set_rtcp_default(&policy.rtcp)
        case .aesCM128HMACSHA1With32Bits:
            // RFC 3711 §5.2: RTCP has 80 bits all the same.
            unsafe srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp)
            unsafe srtp_crypto_policy_set_rtcp_default(&policy.rtcp)
        case .aeadAES128GCM:
            unsafe srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp)
            unsafe srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp)
        }
        unsafe policy.ssrc.type = direction == .outbound ? ssrc_any_outbound : ssrc_any_inbound
        unsafe policy.window_size = Self.window
        // Safe: a number. A frame whose packets have left the cache is built again: the same packets, the same numbers.
        unsafe policy.allow_repeat_tx = 1
        var session: srtp_t?
        var copy = key
        // Safe: the library copies the key during the call.
        let status = unsafe copy.withUnsafeMutableBufferPointer { key in
            unsafe policy.key = key.baseAddress
            return unsafe srtp_create(&session, &policy)
        }
        guard status == srtp_err_status_ok, let session = unsafe session else { throw .unusableKey }
        unsafe self.session = session
    }

    deinit {
        // Safe: this is the only owner.
        unsafe srtp_dealloc(session)
    }

    /// Appends a protected copy of an RTP packet to `output`. C: srtp_protect()
    package func protect(_ rtp: Span<UInt8>, into output: inout [UInt8]) throws(SRTPError) {
        // Safe: the library's functions get the buffer that `transform` has made room in.
        unsafe try transform(rtp, into: &output) { session, packet, count in unsafe srtp_protect(session, packet, count)
        }
    }

    /// Appends a protected copy of an RTCP packet to `output`. C: srtp_protect_rtcp()
    package func protectReport(_ rtcp: Span<UInt8>, into output: inout [UInt8]) throws(SRTPError) {
        // Safe: the library's functions get the buffer that `transform` has made room in.
        unsafe try transform(rtcp, into: &output) { session, packet, count in
            unsafe srtp_protect_rtcp(session, packet, count)
        }
    }

    /// Appends what is in a protected RTP packet to `output`. C: srtp_unprotect()
    package func unprotect(_ srtp: Span<UInt8>, into output: inout [UInt8]) throws(SRTPError) {
        // Safe: the library's functions get the buffer that `transform` has made room in.
        unsafe try transform(srtp, into: &output) { session, packet, count in
            unsafe srtp_unprotect(session, packet, count)
        }
    }

    /// Appends what is in a protected RTCP packet to `output`. C: srtp_unprotect_rtcp()
    package func unprotectReport(_ srtcp: Span<UInt8>, into output: inout [UInt8]) throws(SRTPError) {
        // Safe: the library's functions get the buffer that `transform` has made room in.
        unsafe try transform(srtcp, into: &output) { session, packet, count in
            unsafe srtp_unprotect_rtcp(session, packet, count)
        }
    }

    /// How often a sender's sequence number has wrapped (RFC 3711 §3.3.1); 0 before its first packet.
    package func rolloverCounter(of source: UInt32) -> UInt32 {
        var counter: UInt32 = 0
        // Safe: the session is ours.
        return unsafe srtp_get_stream_roc(session, source, &counter) == srtp_err_status_ok ? counter : 0
    }

    private func transform(
        _ input: Span<UInt8>,
        into output: inout [UInt8],
        // Safe: called with a pointer to the copy, and its length.
        _ work: (srtp_t, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int32>) -> srtp_err_status_t
    ) throws(SRTPError) {
        guard input.count <= Self.packetLimit else { throw .notAuthentic }
        // Taken out for the call: a span cannot look into a class's property.
        var packet: [UInt8] = []
        swap(&packet, &scratch)
        defer { swap(&packet, &scratch) }
        packet.removeAll(keepingCapacity: true)
        packet.append(input)
        packet.append(contentsOf: repeatElement(0, count: Self.room))
        var count = Int32(input.count)
        // Safe: the packet has room for what the library adds; it checks the lengths that the packet itself tells.
        let status = unsafe packet.withUnsafeMutableBytes { unsafe work(session, $0.baseAddress, &count) }
        switch status {
        case srtp_err_status_ok: output.append(packet.span.extracting(..<Int(count)))
        case srtp_err_status_auth_fail, srtp_err_status_bad_param, srtp_err_status_parse_err: throw .notAuthentic
        case srtp_err_status_replay_fail, srtp_err_status_replay_old: throw .replayed
        default: throw .library(status.rawValue)
        }
    }
}
