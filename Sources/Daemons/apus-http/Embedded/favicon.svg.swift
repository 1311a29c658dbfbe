// SPDX-License-Identifier: Apache-2.0
// The page's favicon.svg, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of favicon.svg.
    static let faviconSVG = ###"""
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0b6e8f"/><path d="M3 10c6-1 10 1 13 5.5 3-4.5 7-6.5 13-5.5-5 1-9 5-11 10.5L16 26l-2-5.5C12 15 8 11 3 10z" fill="#fff"/></svg>
"""###
}
