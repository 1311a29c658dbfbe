// SPDX-License-Identifier: Apache-2.0
// Copies in the run directory of the files that the configuration names, for daemons that may read nothing else.

import Access
import Bytes
import Config
import Crypto
import Daemon
import System

/// Keeps the daemons' copies of users, share links, certificate and key up to date.
struct DaemonCopies {
    /// Larger certificates and keys are refused, in bytes.
    private static let maximumFileSize = 1 << 20

    let directory: RunDirectory

    /// Writes down the configuration in force.
    func write(_ document: ConfigDocument) throws(SystemError) {
        // For the owner alone: sources may hold passwords.
        let path = directory.configurationInForce
        try File.replace(path, with: Array(document.text.utf8).span, mode: 0o600)
        guard File.linkTarget(directory.configuration) != RunDirectory.configurationLink else { return }
        File.remove(directory.configuration)
        try File.link(RunDirectory.configurationLink, at: directory.configuration)
    }

    /// Copies the users, which have been read before: without faults.
    func copyUsers(_ configuration: Configuration) throws(Failure) {
        try copy(configuration.users.path, to: directory.users, mayBeMissing: true)
    }

    /// Copies certificate and key, if they can serve.
    ///
    /// - Parameter own: the pair that the instance has made for itself.
    /// - Throws: which is no good, and why; the copies are as they were.
    func copyCertificate(_ configuration: Configuration, own: OwnCertificate?) throws(Failure) {
        guard let tls = configuration.tls else {
            for path in [directory.certificate, directory.key] { File.remove(path) }
            return
        }
        let pair = own.map { ($0.certificate, $0.key) } ?? (tls.certificate, tls.key)
        do throws(TLSError) {
            _ = try TLSContext.server(certificate: pair.0, key: pair.1)
        } catch {
            throw Failure(.usage, "[tls] \(error)")
        }
        try copy(pair.0, to: directory.certificate)
        try copy(pair.1, to: directory.key)
    }

    /// True if there is a pair to serve with.
    var hasCertificate: Bool { File.exists(directory.certificate) && File.exists(directory.key) }

    /// Copies the share links.
    func copyShares(_ configuration: Configuration) throws(ConfigError) {
        _ = try ShareList.load(configuration.users.shares)
        do throws(Failure) {
            try copy(configuration.users.shares, to: directory.shares, mayBeMissing: true)
        } catch {
            throw ConfigError([ConfigIssue(file: configuration.users.shares, line: 0, message: error.description)])
        }
    }

    /// Keeps the share links that the web server has written, where they are there after a restart.
    func keepShares(_ configuration: Configuration) throws(Failure) {
        let list: ShareList
        do throws(ConfigError) {
            list = try ShareList.load(directory.newShares)
        } catch {
            throw Failure(.failure, error.description)
        }
        do throws(SystemError) {
            try list.save(configuration.users.shares)
            try list.save(directory.shares)
        } catch {
            throw Failure(.failure, error.reason)
        }
    }

    /// Removes all copies.
    static func clear(_ directory: RunDirectory) {
        let files = [
            directory.configurationInForce, directory.users, directory.certificate, directory.key, directory.shares,
            directory.newShares,
        ]
        for file in files {
            File.remove(file)
            File.remove(file + ".new")
        }
    }

    private func copy(_ path: String, to copy: String, mayBeMissing: Bool = false) throws(Failure) {
        do throws(SystemError) {
            let isMissing = mayBeMissing && !File.exists(path)
            let bytes = isMissing ? [] : try File.contents(path, limit: mayBeMissing ? 4 << 20 : Self.maximumFileSize)
            // Nothing is written where nothing has changed: the run directory may be full.
            guard (try? File.contents(copy)) != bytes else { return }
            try File.replace(copy, with: bytes.span, mode: 0o600)
        } catch {
            throw Failure(.failure, "cannot copy \(path) for the daemons: \(error)")
        }
    }
}
