// SPDX-License-Identifier: Apache-2.0
// The reference page of the metrics, written from their table.

/// Writes the metrics down for people.
package enum MetricsReference {
    /// `docs/reference/metrics.md`.
    package static var page: String {
        var text = """
            # Metrics

            `GET /metrics` on the HTTP port has the figures of all daemons in Prometheus' text format 0.0.4, or in \
            OpenMetrics 1.0 for clients that accept it. With [users](access.md), it asks for one who may configure. \
            This page is written by `apus reference --metrics` from the table that the figures are written by.

            The figures of the other daemons come over their control sockets (verb `metrics`) and are at most a second \
            old; a daemon that does not answer is told as `apus_up` 0, and the others' figures are there all the same. \
            [prometheus.yml](../prometheus.yml) is a configuration to begin with.

            | metric | type | labels | meaning |
            |---|---|---|---|

            """
        for metric in Metric.all {
            let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
            text += "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.documentation) |\n"
        }
        text += """

            `camera` is the camera's name, `stream` is main, sub, jpeg or audio, `daemon` is as in `apus ctl`: rtsp, http, \
            video.cam, supervisor. `transport` is tcp, udp or multicast, with srtp/ in front where it is encrypted, of \
            RTSP, and mjpeg and others of HTTP. Counters begin at 0 when their daemon starts. `/healthz` and `/readyz` \
            are told of in [http.md](http.md).

            """
        return text
    }
}
