// Stands in for Capacitor's bridge, as the plugin meets it: one queue for calls of all plugins, a web
// view on the main thread, a delegate that asks plugins before it refuses pages that are not the
// app's, and that loads anew what died; and the folder that is served, of which it takes no note if
// it is not there.

import Foundation
import UIKit
import WebKit

/// What a page gets to hear.
public enum Answer {
    case resolved([String: Any])
    case rejected(String, String?, [String: Any]?)
}

// CapacitorBridge.swift: open class CapacitorBridge: NSObject, CAPBridgeProtocol {
open class CapacitorBridge: NSObject, CAPBridgeProtocol {
    public private(set) var config: InstanceConfiguration
    private let view = WKWebView()
    public var webView: WKWebView? { view }
    private let delegate = Delegate()
    private var plugins: [CAPPlugin & CAPBridgedPlugin] = []

    // CapacitorBridge.swift: open private(set) var dispatchQueue = DispatchQueue(label: "bridge")
    public private(set) var dispatchQueue = DispatchQueue(label: "bridge")

    /// An app begins: on the main thread, up to the first load.
    public init(
        web: URL, plugins configured: [AnyHashable: Any], server: URL? = nil, startPath: String? = nil,
        types: [(CAPPlugin & CAPBridgedPlugin).Type]
    ) {
        let local = URL(string: "capacitor://localhost")!
        config = InstanceConfiguration(
            local: local, server: server ?? local, plugins: configured, location: web, startPath: startPath)
        super.init()
        delegate.bridge = self
        view.navigationDelegate = delegate
        types.forEach(loadPlugin)
        let start = config.appStartPath.map { config.appLocation.appendingPathComponent($0) } ?? config.appLocation
        precondition(FileManager.default.fileExists(atPath: start.path), "Capacitor ends the app")
        view.load(URLRequest(url: config.appStartServerURL))
    }

    /// Also for a page that calls a class by its name: the new one takes the place of the old one.
    // CapacitorBridge.swift: func loadPlugin(type: CAPPlugin.Type) -> CapacitorPlugin? {
    public func loadPlugin(type: (CAPPlugin & CAPBridgedPlugin).Type) {
        let plugin = type.init()
        (plugin.bridge, plugin.webView, plugin.name) = (self, view, plugin.jsName)
        plugin.load()
        plugins.removeAll { $0.jsName == plugin.jsName }
        plugins.append(plugin)
    }

    // CapacitorBridge.swift: @objc public func plugin(withName: String) -> CAPPlugin? {
    public func plugin(withName: String) -> CAPPlugin? {
        plugins.first { $0.jsName == withName }
    }

    // CapacitorBridge.swift: public func setServerBasePath(_ path: String) {
    public func setServerBasePath(_ path: String) {
        guard FileManager.default.fileExists(atPath: path) else { return }
        config = InstanceConfiguration(
            local: config.localURL, server: config.serverURL, plugins: config.pluginConfigurations,
            location: URL(fileURLWithPath: path, isDirectory: true), startPath: config.appStartPath)
    }

    // Pages.

    /// The page calls; the answer comes on any thread.
    public func call(_ method: String, _ options: [AnyHashable: Any], answer: @escaping (Answer) -> Void,
        by invoke: @escaping (CAPPlugin, CAPPluginCall) -> Void
    ) {
        let call = CAPPluginCall(methodName: method, options: options, answer: answer)
        dispatchQueue.async { [self] in plugins.forEach { invoke($0, call) } }
    }

    /// The page listens, and hears what was kept for it.
    public func listen(_ event: String, _ heard: @escaping ([String: Any]) -> Void) {
        dispatchQueue.async { [self] in
            for plugin in plugins {
                plugin.listeners[event, default: []].append(heard)
                let kept = plugin.retained.removeValue(forKey: event) ?? []
                kept.forEach(heard)
            }
        }
    }

    /// Forgets the page's listeners.
    fileprivate func reset() {
        dispatchQueue.async { [self] in plugins.forEach { $0.listeners = [:] } }
    }

    private final class Delegate: NSObject, WKNavigationDelegate {
        weak var bridge: CapacitorBridge?

        func webView(
            _ webView: WKWebView, decidePolicyFor action: WKNavigationAction,
            decisionHandler: @escaping (WKNavigationActionPolicy) -> Void
        ) {
            NotificationCenter.default.post(name: .capacitorDecidePolicyForNavigationAction, object: action)
            guard let bridge, let url = action.request.url else { return decisionHandler(.allow) }
            for plugin in bridge.plugins {
                if let override = plugin.shouldOverrideLoad(action) {
                    return decisionHandler(override.boolValue ? .cancel : .allow)
                }
            }
            let isApp = url.absoluteString.hasPrefix(bridge.config.serverURL.absoluteString)
            decisionHandler(isApp ? .allow : .cancel)
        }

        func webView(_ webView: WKWebView, didStartProvisionalNavigation navigation: WKNavigation!) {
            bridge?.reset()
        }

        func webViewWebContentProcessDidTerminate(_ webView: WKWebView) {
            bridge?.reset()
            webView.reload()
        }
    }
}
