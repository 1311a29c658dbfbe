// SPDX-License-Identifier: Apache-2.0
// What a certificate says, and making one that vouches for itself.

import CSysOpenSSL

/// What of a certificate people want to know.
package struct CertificateFacts: Sendable, Hashable {
    /// For whom it is, such as `CN=camera.local`.
    package let subject: String
    /// Its last moment, such as `Nov 21 06:00:00 2027 GMT`.
    package let expiry: String
    /// Why it is not valid now; nil if it is. Says nothing of whether it can be trusted.
    package let problem: String?
    /// The SHA-256 digest of the whole certificate.
    package let fingerprint: [UInt8]

    /// Looks at a certificate that the caller owns.
    init(_ certificate: OpaquePointer) {
        // Safe: everything is read during the call, from parts that belong to the certificate.
        subject = unsafe Self.text { unsafe X509_NAME_print_ex($0, X509_get_subject_name(certificate), 0, 0) }
        expiry = unsafe Self.text { unsafe ASN1_TIME_print($0, X509_get0_notAfter(certificate)) }
        if unsafe X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 {
            problem = "it expired on \(expiry)"
        } else if unsafe X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0 {
            let start = unsafe Self.text { unsafe ASN1_TIME_print($0, X509_get0_notBefore(certificate)) }
            problem = "it is not valid before \(start)"
        } else {
            problem = nil
        }
        fingerprint = unsafe [UInt8](unsafeUninitializedCapacity: Hash.sha256.length) { output, count in
            // Safe: the buffer has room for this digest.
            count = unsafe X509_digest(certificate, EVP_sha256(), output.baseAddress, nil) == 1 ? output.count : 0
        }
    }

    /// What a function of the library prints.
    private static func text(_ print: (OpaquePointer) -> Int32) -> String {
        // Safe: the BIO is ours alone, and freed here.
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { return "" }
        defer { unsafe BIO_free(bio) }
        _ = unsafe print(bio)
        return unsafe contents(of: bio)
    }

    /// Takes everything out of a memory BIO. C: BIO_read()
    fileprivate static func contents(of bio: OpaquePointer) -> String {
        var bytes: [UInt8] = []
        // Safe: the library gets the buffer's true size.
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1024) { buffer in
            while case let count = unsafe BIO_read(bio, buffer.baseAddress, Int32(buffer.count)), count > 0 {
                unsafe bytes.append(contentsOf: buffer[..<Int(count)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A certificate that vouches for itself, with its key. Holds a secret, so it has no description.
package struct SelfSignedCertificate: Sendable {
    /// PEM, for everybody.
    package let certificate: String
    /// PEM, for its owner only.
    package let key: String

    /// Names in a certificate beyond this are refused.
    package static let maximumNames = 32

    /// Makes a P-256 key and a certificate for `names`, host names or IP addresses.
    ///
    /// - Parameter days: how long from now it is valid; a negative number makes one that has expired.
    package init(names: [String], days: Int) throws(TLSError) {
        let operation = "make a certificate"
        guard let common = names.first, names.count <= Self.maximumNames, names.allSatisfy(Self.isName) else {
            throw TLSError(operation, "\(names.joined(separator: " ")) are no names")
        }
        ERR_clear_error()
        // Safe: every object is freed in this scope; what is set into the certificate is copied or counted.
        guard let key = unsafe Self.makeKey() else { throw .noted(operation) }
        defer { unsafe EVP_PKEY_free(key) }
        guard let certificate = unsafe X509_new() else { throw .noted(operation) }
        defer { unsafe X509_free(certificate) }
        unsafe X509_set_version(certificate, 2)
        unsafe ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), Self.serialNumber())
        // An hour back, for clocks that are behind.
        unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), min(-3600, (days - 1) * 86_400))
        unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86_400)
        let name = unsafe X509_get_subject_name(certificate)
        let common64 = String(common.prefix(64))
        unsafe X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, common64, -1, -1, 0)
        unsafe X509_set_issuer_name(certificate, name)
        let alternatives = names.map { "\(Self.isAddress($0) ? "IP" : "DNS"):\($0)" }.joined(separator: ",")
        // Safe: as above.
        for (kind, value) in [
            (NID_basic_constraints, "critical,CA:TRUE"), (NID_ext_key_usage, "serverAuth"),
            (NID_subject_alt_name, alternatives),
        ] {
            guard let part = unsafe X509V3_EXT_conf_nid(nil, nil, kind, value) else { throw .noted(operation) }
            unsafe X509_add_ext(certificate, part, -1)
            unsafe X509_EXTENSION_free(part)
        }
        guard unsafe X509_set_pubkey(certificate, key) == 1, unsafe X509_sign(certificate, key, EVP_sha256()) > 0
        else { throw .noted(operation) }
        // Safe: as above; PEM is written into memory that is freed here.
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw .noted(operation) }
        defer { unsafe BIO_free(bio) }
        guard unsafe PEM_write_bio_X509(bio, certificate) == 1 else { throw .noted(operation) }
        self.certificate = unsafe CertificateFacts.contents(of: bio)
        guard unsafe PEM_write_bio_PrivateKey(bio, key, nil, nil, 0, nil, nil) == 1 else { throw .noted(operation) }
        self.key = unsafe CertificateFacts.contents(of: bio)
    }

    /// C: EVP_PKEY_keygen()
    private static func makeKey() -> OpaquePointer? {
        // Safe: the generator is freed here, the key is the caller's.
        guard let generator = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else { return nil }
        defer { unsafe EVP_PKEY_CTX_free(generator) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(generator) == 1,
            unsafe EVP_PKEY_CTX_set_ec_paramgen_curve_nid(generator, NID_X9_62_prime256v1) == 1,
            unsafe EVP_PKEY_keygen(generator, &key) == 1
        else { return nil }
        return unsafe key
    }

    private static func serialNumber() -> UInt64 {
        SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) } >> 1 | 1
    }

    /// True for letters, digits, `.`, `-`, `_`, `*` and `:`, of which names and addresses are made.
    private static func isName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: [UInt8](".-_*:".utf8).contains(byte)
                }
            }
    }

    private static func isAddress(_ text: String) -> Bool {
        text.contains(":") || text.split(separator: ".").allSatisfy { UInt8($0) != nil }
    }
}
