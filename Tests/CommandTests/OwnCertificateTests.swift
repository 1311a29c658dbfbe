// SPDX-License-Identifier: Apache-2.0
// The certificate that an instance makes for itself.

import System
import Testing

@testable import apus

@Suite struct OwnCertificateTests {
    @Test func theMachinesAddressesAreFoundInTheKernelsTables() {
        let trie = """
            Main:
              +-- 0.0.0.0/0 3 0 5
                 |-- 192.168.1.0
                    /24 link UNICAST
                 |-- 192.168.1.5
                    /32 host LOCAL
                 |-- 192.168.1.255
                    /32 link BROADCAST
            Local:
                 |-- 192.168.1.5
                    /32 host LOCAL
            """
        #expect(OwnCertificate.addresses4(trie) == ["192.168.1.5"])
        let table = """
            00000000000000000000000000000001 01 80 10 80       lo
            20010db8000000000000000000000005 02 40 00 00     eth0
            fe800000000000000000000000000005 02 40 20 80     eth0
            """
        #expect(OwnCertificate.addresses6(table) == ["2001:0db8:0000:0000:0000:0000:0000:0005"])
    }

    @Test func aCertificateIsKeptAndMadeAnewWhenItCannotBeRead() throws {
        let directory = "/tmp/apus-own-certificate-\(Process.id)"
        defer {
            for name in ["crt", "key"] { File.remove("\(directory)/self-signed.\(name)") }
            File.removeDirectory(directory)
        }
        let first = try OwnCertificate(beside: directory + "/users")
        #expect(first.isNew)
        #expect(first.fingerprint.utf8.count == 95)
        #expect(File.mode(first.key).map { $0 & 0o777 } == 0o600)
        let second = try OwnCertificate(beside: directory + "/users")
        #expect(!second.isNew)
        #expect(second.fingerprint == first.fingerprint)
        let nonsense = Array("nonsense".utf8)
        try File.replace(first.certificate, with: nonsense.span, mode: 0o644)
        let third = try OwnCertificate(beside: directory + "/users")
        #expect(third.isNew)
        #expect(third.fingerprint != first.fingerprint)
    }
}
