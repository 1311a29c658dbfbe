// SPDX-License-Identifier: Apache-2.0
// What the server knows of its visitors between requests: sessions, share links, names, sites.

import Access
import Bytes
import Config
import Daemon
import HTTP
import Log
import Loop
import System

/// Sessions, share links, and which pages are let in.
final class Gate {
    var sessions: SessionTable
    var shares: ShareBook
    private(set) var site: SitePolicy
    private var plainLogin: PlainLogin
    private var hasCertificate: Bool
    /// Where share links are kept.
    private(set) var sharesPath: String
    private let files: DaemonFiles
    /// Has what was written kept, where this process cannot do so itself; calls back with what went wrong.
    private let keep: (@escaping (String?) -> Void) -> Void
    private let log: Logger
    /// Where passwords are looked at and files are written.
    private let background: BackgroundQueue
    /// So many writes of the share links are under way.
    private var saves = 0

    init(
        _ configuration: Configuration,
        _ files: DaemonFiles,
        _ loop: EventLoop,
        _ log: Logger,
        keep: @escaping (@escaping (String?) -> Void) -> Void
    ) throws {
        self.log = log
        self.files = files
        self.keep = keep
        background = try BackgroundQueue(loop)
        sessions = SessionTable(patience: configuration.http.sessionTimeout)
        site = Self.site(configuration)
        plainLogin = configuration.http.plainLogin
        hasCertificate = configuration.tls != nil
        sharesPath = configuration.users.shares
        do throws(ConfigError) {
            shares = ShareBook(try ShareList.load(files.shares(configuration)))
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    /// Takes over a changed configuration; sessions stay but of users who are gone or have another password.
    func take(_ configuration: Configuration, _ access: Access) {
        site = Self.site(configuration)
        plainLogin = configuration.http.plainLogin
        hasCertificate = configuration.tls != nil
        sharesPath = configuration.users.shares
        sessions.patience = configuration.http.sessionTimeout
        sessions.usersChanged(access)
        // What is there is newer than the file while it is being written.
        guard saves == 0 else { return }
        do throws(ConfigError) {
            shares.replace(try ShareList.load(files.shares(configuration)))
        } catch {
            log.error("the share links are not taken over", ["error": error])
        }
    }

    /// True if a password may be sent over this connection.
    func mayLogIn(over connection: (isEncrypted: Bool, isLoopback: Bool)) -> Bool {
        if connection.isEncrypted || connection.isLoopback { return true }
        switch plainLogin {
        case .auto: return !hasCertificate
        case .yes: return true
        case .no: return false
        }
    }

    /// Looks at a password apart from the loop; false if too many wait.
    func look(at check: PasswordCheck, then: @escaping (Bool) -> Void) -> Bool {
        background.run({ check.run() }, then: then)
    }

    /// Writes the share links, so that they are there after a restart; `then` gets what went wrong.
    func saveShares(_ configuration: Configuration, then: @escaping (String?) -> Void) {
        let (list, path) = (shares.list, files.newShares(configuration))
        let done = { [unowned self] (problem: String?) in
            saves -= 1
            then(problem)
        }
        let isTaken = background.run(
            { () -> SystemError? in
                do throws(SystemError) {
                    try list.save(path)
                    return nil
                } catch {
                    return error
                }
            },
            then: { [unowned self] error in
                if let error { done(error.reason) } else if files.areCopies { keep(done) } else { done(nil) }
            }
        )
        saves += 1
        if !isTaken { done("too much waits to be written") }
    }

    /// Seconds since 1970 UTC.
    static var utc: Int64 { Clock.realtimeNanoseconds() / 1_000_000_000 }

    private static func site(_ configuration: Configuration) -> SitePolicy {
        let name = (try? File.contents("/proc/sys/kernel/hostname", limit: 256)) ?? []
        return SitePolicy(
            hosts: configuration.http.hosts,
            origins: configuration.http.allowedOrigins,
            machine: String(decoding: name.prefix { $0 > 0x20 }, as: UTF8.self)
        )
    }
}
