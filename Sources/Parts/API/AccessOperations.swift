// SPDX-License-Identifier: Apache-2.0
// The operations of logging in and of share links.

import Access
import HTTP

extension Operation {
    static let access: [Operation] = [
        Operation(
            "logIn",
            .post,
            "/api/v1/login",
            needs: nil,
            takesForm: true,
            "Begins a session, which a cookie stands for; a form is taken as well, and answered with 303.",
            body: .object([.always("user", .text()), .always("password", .text())]),
            answer: .shared("Session"),
            failures: [
                .unauthorized, .forbidden, .contentTooLarge, .unsupportedMediaType, .tooManyRequests, .unavailable,
            ]
        ),
        Operation(
            "logOut",
            .post,
            "/api/v1/logout",
            needs: nil,
            "Ends the session.",
            body: .object([.sometimes("everywhere", .boolean, "True: all of the user's sessions.")]),
            failures: [.forbidden, .contentTooLarge, .unsupportedMediaType]
        ),
        Operation(
            "getSession",
            .get,
            "/api/v1/session",
            needs: nil,
            "Who asks, and what he may.",
            answer: .shared("Session"),
            failures: [.unauthorized, .tooManyRequests, .unavailable]
        ),
        Operation(
            "listShares",
            .get,
            "/api/v1/shares",
            needs: .configure,
            "The share links; what opens them is told once, when they are made.",
            answer: .object([.always("shares", .list(.shared("Share")))])
        ),
        Operation(
            "makeShare",
            .post,
            "/api/v1/shares",
            needs: .configure,
            "Makes a share link, which shows one camera to whoever has it.",
            body: .object([
                .always("camera", .text()),
                .sometimes("lifetime", .optional(.integer(1...315_360_000)), "Seconds, null for ever; else 7 days."),
                .sometimes("viewers", .integer(1...Share.maximumViewers), "At most so many at once; else 5."),
                .sometimes("label", .text(), "What it is for."),
            ]),
            answer: .shared("Share"),
            success: .created,
            failures: [.contentTooLarge, .unsupportedMediaType, .internalError]
        ),
        Operation(
            "revokeShare",
            .delete,
            "/api/v1/shares/{id}",
            needs: .configure,
            "Revokes a share link, and sends away who watches with it.",
            [
                Parameter(
                    name: "id",
                    isInPath: true,
                    schema: .text(pattern: "^[a-z0-9]{1,32}$"),
                    documentation: "What the link is called."
                )
            ],
            failures: [.notFound, .internalError]
        ),
    ]
}
