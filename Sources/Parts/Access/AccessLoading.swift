// SPDX-License-Identifier: Apache-2.0
// From a daemon's configuration to its users, at the start and on reload.

package import Config
package import Log

extension Access {
    /// Reads the users of a configuration, from the file itself or from a copy at `path`.
    ///
    /// - Throws: naming the file and what is wrong with it.
    package static func load(
        _ configuration: Configuration,
        from path: () throws(ConfigError) -> String,
        _ log: Logger
    ) throws(ConfigError) -> Access {
        let users = try UserList.load(try path())
        let access = Access(users, mode: configuration.authentication, limits: Limits(configuration))
        access.tell(users, configuration, log)
        return access
    }

    /// Takes the users of a changed configuration; a file with faults is told of, and the users stay as they were.
    package mutating func take(
        _ configuration: Configuration,
        from path: () throws(ConfigError) -> String,
        _ log: Logger
    ) {
        limits = Limits(configuration)
        do throws(ConfigError) {
            let users = try UserList.load(try path())
            replace(users, mode: configuration.authentication)
            tell(users, configuration, log)
        } catch {
            log.error("the users are not taken over", ["error": error])
        }
    }

    private func tell(_ users: UserList, _ configuration: Configuration, _ log: Logger) {
        if !users.plain.isEmpty {
            let names = users.plain.joined(separator: ",")
            log.warn(
                "passwords in the clear; apus user hash hashes them",
                ["file": configuration.users.path, "users": names]
            )
        }
        let unable = users.users.filter { $0.secret.digest == nil }.map(\.name)
        if !unable.isEmpty {
            log.info(
                "users without md5= and sha256= cannot use Digest; apus user passwd NAME gives them both",
                ["file": configuration.users.path, "users": unable.joined(separator: ",")]
            )
        }
        log.debug("users", ["file": configuration.users.path, "count": users.users.count, "required": isRequired])
    }
}

extension Access.Limits {
    fileprivate init(_ configuration: Configuration) {
        self.init(failures: configuration.maximumFailures, lockout: configuration.lockout)
    }
}
