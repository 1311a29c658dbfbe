// SPDX-License-Identifier: Apache-2.0
// Where a daemon finds the files that the configuration names: where they are, or as the supervisor has copied them.

package import Config
import System

/// The files beside the configuration: users, share links, certificate and key.
///
/// A daemon of `apus up` reads copies in the run directory, and so needs nothing of the directories that the files are
/// in, where others may replace them and other things lie. One that was started by hand reads the files themselves.
package struct DaemonFiles: Sendable {
    let directory: RunDirectory
    /// True under `apus up`.
    package let areCopies: Bool

    /// The users; must be there if it is a copy.
    package func users(_ configuration: Configuration) throws(ConfigError) -> String {
        guard areCopies else { return configuration.users.path }
        guard File.exists(directory.users) else {
            // Without the file there would be no users, and everybody on this machine be served.
            let path = directory.users
            throw ConfigError([ConfigIssue(file: path, line: 0, message: "the copy of the users is gone")])
        }
        return directory.users
    }

    /// Certificate and key.
    package func tls(_ configuration: TLSConfiguration) -> (certificate: String, key: String) {
        areCopies ? (directory.certificate, directory.key) : (configuration.certificate, configuration.key)
    }

    /// The share links.
    package func shares(_ configuration: Configuration) -> String {
        areCopies ? directory.shares : configuration.users.shares
    }

    /// Where share links are written; the supervisor keeps what is written as a copy.
    package func newShares(_ configuration: Configuration) -> String {
        areCopies ? directory.newShares : configuration.users.shares
    }
}
