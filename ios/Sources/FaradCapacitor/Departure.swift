// How a web view leaves a page, before another folder is served under it.
//
// Until a page is gone it can load itself anew, half from the old folder and half from the new one,
// and what it then says would count for the bundle that comes. So an empty document is loaded first,
// and only when that one stands, and nothing else had begun in place of it, is the folder switched.

import Foundation
import WebKit
import os

final class Departure {
    /// A page that keeps loading itself ends each try; a plugin that forbids empty documents all of
    /// them.
    private static let tries = 8

    private struct Leaving {
        /// Never the address of another: one that stands already must not be taken for it.
        let blank: URL
        let address: URL
        let then: (URL) -> Void
        var left = Departure.tries
        /// Something else began to load since the empty document was asked for.
        var disturbed = false
    }

    private var leaving: Leaving?
    private var loading: NSKeyValueObservation?

    var isUnderWay: Bool { leaving != nil }

    /// Leaves the page, then does `then` with the address that comes next. One that is under way
    /// already is forgotten, but for the route that it had noted.
    func leave(
        _ webView: WKWebView, launch: Int64, for address: URL, keepRoute: Bool, then: @escaping (URL) -> Void
    ) {
        guard let blank = URL(string: "about:blank?farad-\(launch)") else { return }
        let noted = keepRoute ? leaving?.address : nil
        leaving = Leaving(blank: blank, address: noted ?? address, then: then)
        if loading == nil {
            loading = webView.observe(\.isLoading) { [weak self] webView, _ in self?.look(at: webView) }
        }
        again(webView)
    }

    /// Whether `action` is this one's: Capacitor would refuse to load an empty document.
    func expects(_ action: WKNavigationAction) -> Bool {
        leaving != nil && action.request.url == leaving?.blank && action.targetFrame?.isMainFrame == true
    }

    /// A page loads something that is not this one's. What a page begins is asked about before the
    /// document that replaces it is told of, so that none can come up unseen.
    func disturb() {
        leaving?.disturbed = true
    }

    /// The page is gone; whether that was waited for.
    @discardableResult
    func arrive() -> Bool {
        guard let leaving else { return false }
        self.leaving = nil
        leaving.then(leaving.address)
        return true
    }

    func cancel() {
        leaving = nil
    }

    /// Once nothing is loading, the URL is that of the document that stands.
    private func look(at webView: WKWebView) {
        guard let leaving, !webView.isLoading else { return }
        if webView.url == leaving.blank, !leaving.disturbed {
            arrive()
        } else if leaving.left == 0 {
            Log.farad.error("the old page cannot be left: it is loaded over")
            arrive()
        } else {
            again(webView)
        }
    }

    private func again(_ webView: WKWebView) {
        leaving?.left -= 1
        leaving?.disturbed = false
        // Loaded as text, it is no page that one could go back to.
        if let blank = leaving?.blank { webView.loadHTMLString("", baseURL: blank) }
    }
}
