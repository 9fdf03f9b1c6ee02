// Stands in for WebKit: a web view that asks its delegate before each navigation and takes its time
// for it, so that pages can come in between; and a page that says what its script would do.

import Foundation
@_exported import FoundationNetworking

public class WKNavigation: NSObject {}

public class WKFrameInfo: NSObject {
    public let isMainFrame: Bool
    public weak var webView: WKWebView?

    public init(isMainFrame: Bool, webView: WKWebView?) {
        (self.isMainFrame, self.webView) = (isMainFrame, webView)
    }
}

public class WKNavigationAction: NSObject {
    public let request: URLRequest
    public let targetFrame: WKFrameInfo?

    public init(request: URLRequest, targetFrame: WKFrameInfo?) {
        (self.request, self.targetFrame) = (request, targetFrame)
    }
}

public enum WKNavigationActionPolicy {
    case cancel
    case allow
}

public protocol WKNavigationDelegate: AnyObject {
    func webView(
        _ webView: WKWebView,
        decidePolicyFor navigationAction: WKNavigationAction,
        decisionHandler: @escaping (WKNavigationActionPolicy) -> Void
    )
    func webView(_ webView: WKWebView, didStartProvisionalNavigation navigation: WKNavigation!)
    func webViewWebContentProcessDidTerminate(_ webView: WKWebView)
}

// Optional in Objective-C. What a delegate lacks, the one that it passes messages on to has.
extension WKNavigationDelegate {
    public func webView(
        _ webView: WKWebView,
        decidePolicyFor navigationAction: WKNavigationAction,
        decisionHandler: @escaping (WKNavigationActionPolicy) -> Void
    ) {
        webView.firstDelegate?.webView(webView, decidePolicyFor: navigationAction, decisionHandler: decisionHandler)
    }

    public func webView(_ webView: WKWebView, didStartProvisionalNavigation navigation: WKNavigation!) {
        webView.firstDelegate?.webView(webView, didStartProvisionalNavigation: navigation)
    }

    public func webViewWebContentProcessDidTerminate(_ webView: WKWebView) {}
}

public struct NSKeyValueObservedChange<Value> {}

public final class NSKeyValueObservation {
    private let end: () -> Void

    init(end: @escaping () -> Void) {
        self.end = end
    }

    deinit {
        end()
    }
}

/// On the main thread, as the real one.
open class WKWebView: NSObject {
    public weak var navigationDelegate: WKNavigationDelegate? {
        didSet { if firstDelegate == nil { firstDelegate = navigationDelegate } }
    }
    weak var firstDelegate: WKNavigationDelegate?

    /// What a load asked for, else what stands.
    public var url: URL? { pending ?? standing }
    public private(set) var isLoading = false

    /// The page that stands, and what becomes of it.
    public private(set) var standing: URL?
    /// Every page that came to stand, in order.
    public private(set) var pages: [URL] = []
    /// A page's own doing, when another is about to replace it.
    public var beforeCommit: (() -> Void)?
    /// A new page stands: its script runs.
    public var onCommit: ((URL) -> Void)?

    private var pending: URL?
    private var late: URL?
    /// What stood when the renderer died: the list of pages to go back to is not the renderer's.
    private var died: URL?
    private var navigation = 0
    private var watchers: [Int: (WKWebView) -> Void] = [:]
    private var lastWatcher = 0

    override public init() {}

    @discardableResult
    public func load(_ request: URLRequest) -> WKNavigation? {
        // Within the document that stands, a fragment loads nothing.
        let parts = [request.url, standing].map { $0?.absoluteString.components(separatedBy: "#") }
        if pending == nil, let asked = parts[0], asked.count > 1, asked[0] == parts[1]?[0] { return nil }
        return loadAnew(request)
    }

    private func loadAnew(_ request: URLRequest) -> WKNavigation? {
        pending = request.url
        return begin(request)
    }

    /// A document made of text: its address is the base's, and nobody can go back to it.
    @discardableResult
    public func loadHTMLString(_ string: String, baseURL: URL?) -> WKNavigation? {
        baseURL.flatMap { load(URLRequest(url: $0)) }
    }

    @discardableResult
    public func reload() -> WKNavigation? {
        (standing ?? died).flatMap { loadAnew(URLRequest(url: $0)) }
    }

    /// The page's script loads something.
    public func go(_ url: URL) {
        begin(URLRequest(url: url))
    }

    /// The page's script loads something while another document is being committed: it is asked
    /// about, and may come up after that one.
    public func goLate(_ url: URL) {
        late = url
        let frame = WKFrameInfo(isMainFrame: true, webView: self)
        let action = WKNavigationAction(request: URLRequest(url: url), targetFrame: frame)
        navigationDelegate?.webView(self, decidePolicyFor: action) { _ in }
    }

    /// What began late comes up, after everything that is told.
    private func standLate() {
        guard let url = late else { return }
        late = nil
        (standing, pending) = (url, nil)
        pages.append(url)
        onCommit?(url)
        setLoading(false)
    }

    /// The process that renders dies.
    public func die() {
        navigation += 1
        (pending, standing, died) = (nil, nil, standing)
        navigationDelegate?.webViewWebContentProcessDidTerminate(self)
    }

    @discardableResult
    private func begin(_ request: URLRequest) -> WKNavigation? {
        navigation += 1
        let (mine, started) = (navigation, WKNavigation())
        setLoading(true)
        let frame = WKFrameInfo(isMainFrame: true, webView: self)
        let action = WKNavigationAction(request: request, targetFrame: frame)
        DispatchQueue.main.async { [self] in
            guard mine == navigation else { return }
            navigationDelegate?.webView(self, decidePolicyFor: action) { [self] policy in
                guard mine == navigation else { return }
                if policy == .allow { provide(request, started, mine) } else { end() }
            }
        }
        return started
    }

    private func provide(_ request: URLRequest, _ started: WKNavigation, _ mine: Int) {
        navigationDelegate?.webView(self, didStartProvisionalNavigation: started)
        DispatchQueue.main.async { [self] in
            guard mine == navigation else { return }
            beforeCommit?()
            guard mine == navigation else { return }
            standing = request.url
            if let standing {
                pages.append(standing)
                onCommit?(standing)
            }
            end()
        }
    }

    private func end() {
        pending = nil
        setLoading(false)
        DispatchQueue.main.async { [self] in standLate() }
    }

    private func setLoading(_ loading: Bool) {
        isLoading = loading
        watchers.values.forEach { $0(self) }
    }

    /// In place of key-value observing, for the one key that is observed.
    public func observe<Value>(
        _ keyPath: KeyPath<WKWebView, Value>,
        changeHandler: @escaping (WKWebView, NSKeyValueObservedChange<Value>) -> Void
    ) -> NSKeyValueObservation {
        precondition(keyPath as AnyKeyPath == \WKWebView.isLoading as AnyKeyPath, "only isLoading tells")
        lastWatcher += 1
        let watcher = lastWatcher
        watchers[watcher] = { changeHandler($0, NSKeyValueObservedChange()) }
        return NSKeyValueObservation { [weak self] in self?.watchers[watcher] = nil }
    }
}
