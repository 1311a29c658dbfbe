// SPDX-License-Identifier: Apache-2.0
// Hash functions by their specifications' vectors; hexadecimal; comparison.

import Bytes
import Crypto
import Testing

@Suite("Hash")
struct HashTests {
    @Test(
        "digests are those of the specifications",
        arguments: [
            (Hash.md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
            (.md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (.md5, "abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (.sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                .sha256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ]
    )
    func vectors(hash: Hash, text: String, digest: String) {
        #expect(hash.hexDigest(text) == digest)
        #expect(hash.digest(text).count == hash.length)
    }

    @Test("hexadecimal goes there and back, in both cases")
    func hexadecimal() {
        let bytes = (0...255).map { UInt8($0) }
        let text = Hexadecimal.text(bytes.span)

        #expect(Hexadecimal.bytes(text) == bytes)
        #expect(Hexadecimal.bytes(text.uppercased()) == bytes)
    }

    @Test("what is no hexadecimal is refused", arguments: ["0", "0g", "é0", " 00", "0x00"])
    func noHexadecimal(_ text: String) {
        #expect(Hexadecimal.bytes(text) == nil)
    }

    @Test("comparison finds any difference")
    func comparison() {
        #expect(ConstantTime.areEqual("secret", "secret"))
        #expect(ConstantTime.areEqual("", ""))
        #expect(!ConstantTime.areEqual("secret", "secreT"))
        #expect(!ConstantTime.areEqual("secret", "secre"))
        #expect(!ConstantTime.areEqual("", "s"))
    }

    @Test("random bytes are as many as asked for and not the same twice")
    func random() {
        #expect(SecureRandom.bytes(0) == [])
        #expect(SecureRandom.bytes(32).count == 32)
        #expect(SecureRandom.bytes(32) != SecureRandom.bytes(32))
    }
}
