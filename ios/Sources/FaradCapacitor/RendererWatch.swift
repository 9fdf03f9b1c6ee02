// Tells when the process that renders pages died. Capacitor loads the page anew then and tells nobody;
// no notification and no property of the web view says it reliably. So this stands before Capacitor's
// navigation delegate, takes that one message, and leaves every other to it.

import Foundation
import WebKit

final class RendererWatch: NSObject {
    private weak var next: NSObject?
    private let gone: () -> Void

    /// Stands before the delegate that `webView` has now. Kept alive by whoever makes it.
    init(before webView: WKWebView, gone: @escaping () -> Void) {
        next = webView.navigationDelegate as? NSObject
        self.gone = gone
        super.init()
        webView.navigationDelegate = self
    }

    override func responds(to selector: Selector!) -> Bool {
        super.responds(to: selector) || next?.responds(to: selector) == true
    }

    override func forwardingTarget(for selector: Selector!) -> Any? {
        next
    }
}

extension RendererWatch: WKNavigationDelegate {
    func webViewWebContentProcessDidTerminate(_ webView: WKWebView) {
        gone()
    }
}
