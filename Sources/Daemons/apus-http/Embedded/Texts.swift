// SPDX-License-Identifier: Apache-2.0
// All files of the page, written by web/embed.
// swift-format-ignore-file

extension WebFile {
    /// The texts of all files, by name.
    static let texts = [
        "index.html": indexHTML,
        "share.html": shareHTML,
        "style.css": styleCSS,
        "views.css": viewsCSS,
        "api.js": apiJS,
        "app.js": appJS,
        "choice.js": choiceJS,
        "clock.js": clockJS,
        "config.js": configJS,
        "controls.js": controlsJS,
        "dom.js": domJS,
        "edge.js": edgeJS,
        "events.js": eventsJS,
        "fields.js": fieldsJS,
        "format.js": formatJS,
        "grid.js": gridJS,
        "keys.js": keysJS,
        "live.js": liveJS,
        "login.js": loginJS,
        "logs.js": logsJS,
        "meter.js": meterJS,
        "multipart.js": multipartJS,
        "panel.js": panelJS,
        "play-hls.js": playHlsJS,
        "play-mjpeg.js": playMjpegJS,
        "play-mse.js": playMseJS,
        "play-websocket.js": playWebsocketJS,
        "player.js": playerJS,
        "share.js": shareJS,
        "sse.js": sseJS,
        "status.js": statusJS,
        "theme.js": themeJS,
        "viewers.js": viewersJS,
        "watch.js": watchJS,
        "favicon.svg": faviconSVG,
    ]
}
