// SPDX-License-Identifier: Apache-2.0
// What the HTTP API can be asked: one table, from which apus-http makes its endpoints and the OpenAPI document comes.

package import Access
package import HTTP

/// One thing that the API can be asked.
package struct Operation: Sendable {
    /// A part of the path, or an item of the query.
    package struct Parameter: Sendable {
        package let name: String
        package let isInPath: Bool
        package let schema: Schema
        /// One sentence.
        package let documentation: String
    }

    /// Unique: `listCameras`.
    package let id: String
    package let method: HTTP.Method
    /// `/api/v1/cameras/{camera}`.
    package let path: String
    /// What the user must be allowed to do; nil lets everybody ask.
    package let permission: Permission?
    /// True if whoever may do it with some camera may ask; each camera is looked at then.
    package let isOfEachCamera: Bool
    /// True if a form's body is taken as well as JSON.
    package let takesForm: Bool
    /// One sentence.
    package let summary: String
    package let parameters: [Parameter]
    /// What the body must be; nil for none.
    package let body: Schema?
    /// What the answer is; nil for one that is no JSON.
    package let answer: Schema?
    /// The status of success; nil: 200, or 204 if there is no answer.
    package let success: Status?
    /// The answer's type.
    package let contentType: String
    /// Statuses of failure beside 400, 401, 403 and 405.
    package let failures: [Status]

    /// True if it answers with a page of a list.
    package var isList: Bool { parameters.contains { $0.name == "limit" } }

    init(
        _ id: String,
        _ method: HTTP.Method,
        _ path: String,
        needs permission: Permission?,
        ofEachCamera: Bool = false,
        takesForm: Bool = false,
        _ summary: String,
        _ parameters: [Parameter] = [],
        body: Schema? = nil,
        answer: Schema? = nil,
        success: Status? = nil,
        contentType: String = "application/json",
        failures: [Status] = []
    ) {
        self.id = id
        self.method = method
        self.path = path
        self.permission = permission
        isOfEachCamera = ofEachCamera
        self.takesForm = takesForm
        self.summary = summary
        self.parameters = parameters
        self.body = body
        self.answer = answer
        self.success = success
        self.contentType = contentType
        self.failures = failures
    }
}
