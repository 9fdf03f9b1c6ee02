// The plugin as Capacitor knows it: hands calls of pages and the life of the app to the core, and
// carries out on the web view what the core orders. It decides nothing.

import Capacitor
import Foundation
import UIKit
import WebKit

#if canImport(FaradCore)
import FaradCore
#endif

@objc(FaradPlugin)
public class FaradPlugin: CAPPlugin, CAPBridgedPlugin {
    public let identifier = "FaradPlugin"
    public let jsName = "Farad"
    public let pluginMethods: [CAPPluginMethod] = [
        CAPPluginMethod(name: "attach", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "ready", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "check", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "sync", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "apply", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "reload", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "reset", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "getState", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "reportFailure", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "getChannel", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "setChannel", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "setHold", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "getDeviceInfo", returnType: CAPPluginReturnPromise),
        CAPPluginMethod(name: "cancel", returnType: CAPPluginReturnPromise),
    ]

    private lazy var core = Core.of(self)
    private let departure = Departure()
    private var renderer: RendererWatch?
    private var observers: [NSObjectProtocol] = []

    /// The plugin that the web view began with, where this one came after it.
    private var first: FaradPlugin?
    /// The one that pages reach now, where that is not this one.
    private weak var latest: FaradPlugin?

    // Runs on the main thread, with the router there and before the first page is asked for. The
    // folder is set at every start, the built-in one too: Capacitor may remember one that is gone,
    // and would end the app for it.
    override public func load() {
        // A page that calls a plugin by the name of its class has Capacitor make another one, which takes
        // the place of the one that is there. Its page stands, and is no new launch: what the web view
        // shows stays the first one's affair.
        if let standing = bridge?.plugin(withName: jsName) as? FaradPlugin, standing !== self {
            let first = standing.first ?? standing
            first.latest = self
            self.first = first
            return
        }
        begin()
        guard core.isLive else { return }
        watchApp()
        watchPages()
    }

    deinit {
        observers.forEach(NotificationCenter.default.removeObserver)
        core.forget(self)
    }

    @objc func attach(_ call: CAPPluginCall) { pass(call) }

    @objc func ready(_ call: CAPPluginCall) { pass(call) }

    @objc func check(_ call: CAPPluginCall) { pass(call) }

    @objc func sync(_ call: CAPPluginCall) { pass(call) }

    @objc func apply(_ call: CAPPluginCall) { pass(call) }

    @objc func reload(_ call: CAPPluginCall) { pass(call) }

    @objc func reset(_ call: CAPPluginCall) { pass(call) }

    @objc func getState(_ call: CAPPluginCall) { pass(call) }

    @objc func reportFailure(_ call: CAPPluginCall) { pass(call) }

    @objc func getChannel(_ call: CAPPluginCall) { pass(call) }

    @objc func setChannel(_ call: CAPPluginCall) { pass(call) }

    @objc func setHold(_ call: CAPPluginCall) { pass(call) }

    @objc func getDeviceInfo(_ call: CAPPluginCall) { pass(call) }

    @objc func cancel(_ call: CAPPluginCall) { pass(call) }

    private func pass(_ call: CAPPluginCall) {
        core.call(call, by: first ?? self)
    }

    // What the core orders. Each may come on any thread.

    /// Leaves the old page; once it is gone, serves `folder`, or the built-in bundle, and loads its
    /// page. What the old page had begun to load could otherwise come up after the folder was
    /// switched, and be taken for the new one.
    func show(_ folder: String?, keepRoute: Bool, launch: Int64) {
        DispatchQueue.main.async { [self] in
            guard let webView, let address = address(keepRoute: keepRoute) else { return }
            departure.leave(webView, launch: launch, for: address, keepRoute: keepRoute) { [self] address in
                guard serve(folder) else { return core.rendererGone(of: self) }
                inOrder { $0.core.shown(launch, folder, by: $0) }
                guard let page = isServed(address) ? address : self.address(keepRoute: false) else { return }
                webView.load(URLRequest(url: page))
            }
        }
    }

    func reloadPage(keepRoute: Bool) {
        DispatchQueue.main.async { [self] in
            // What is to be shown loads a page anyway.
            guard !departure.isUnderWay, let address = address(keepRoute: keepRoute) else { return }
            // With a fragment, what is shown already would stay as it is.
            if address == webView?.url { webView?.reload() } else { webView?.load(URLRequest(url: address)) }
        }
    }

    /// The web view outlives its renderer: it begins again.
    func recreate() {
        DispatchQueue.main.async { [self] in
            departure.cancel()
            begin()
            guard let address = address(keepRoute: false) else { return }
            webView?.load(URLRequest(url: address))
        }
    }

    /// On the queue of calls: the list of listeners is only safe there.
    func emit(_ event: String, _ data: [String: Any], retain: Bool) {
        inOrder { ($0.latest ?? $0).notifyListeners(event, data: data, retainUntilConsumed: retain) }
    }

    /// Asked before every navigation; `nil` leaves it to others, and Capacitor hands pages that are
    /// not the app's to the system.
    override public func shouldOverrideLoad(_ action: WKNavigationAction) -> NSNumber? {
        (first ?? self).departure.expects(action) ? false : nil
    }

    // Pages.

    private func begin() {
        let (hidden, seen) = sight()
        let folder = core.start(self, seen: seen)
        // Until one of the scenes is in front: perhaps nobody ever looks.
        if hidden, seen { core.tell(.background, by: self) }
        // Switched off, it leaves the folder to whoever wants it.
        if getConfig().getConfigJSON()["enabled"] as? Bool == false { return }
        if serve(folder) { return }
        // Capacitor ends the app where there is nothing at the place that it is to load. The
        // built-in page stands in until the core has decided anew.
        _ = serve(nil)
        core.rendererGone(of: self)
    }

    /// Whether the app is out of sight, and whether somebody may see what begins now. An app with scenes
    /// is out of sight at every start, until the scene whose web view this is comes in front; only where
    /// the phone is locked, nobody can be waiting for it.
    private func sight() -> (hidden: Bool, seen: Bool) {
        let app = UIApplication.shared
        let hidden = app.applicationState == .background
        return (hidden, !hidden || (App.main.hasScenes && app.isProtectedDataAvailable))
    }

    /// Serves `folder`, or the built-in bundle; whether its page can be loaded.
    private func serve(_ folder: String?) -> Bool {
        guard let bridge else { return false }
        let place = folder.map { URL(fileURLWithPath: $0, isDirectory: true) } ?? App.main.web
        let page = bridge.config.appStartPath.map { place.appendingPathComponent($0) } ?? place
        // The bridge takes no note of what it cannot find.
        guard FileManager.default.fileExists(atPath: page.path) else { return false }
        bridge.setServerBasePath(place.path)
        return bridge.config.appLocation.path == place.path
    }

    /// Where the app's page is loaded: at its start, or at the route of the page that is shown.
    private func address(keepRoute: Bool) -> URL? {
        guard let config = bridge?.config else { return nil }
        guard keepRoute, let shown = webView?.url else { return config.appStartServerURL }
        var origin = config.serverURL.absoluteString
        if origin.hasSuffix("/") { origin.removeLast() }
        return shown.absoluteString.hasPrefix(origin + "/") ? shown : config.appStartServerURL
    }

    /// Whether something answers at `address` in the folder that is served: the app's page does where the
    /// last part of the path has no dot, and otherwise only a file of that name.
    private func isServed(_ address: URL) -> Bool {
        guard address.lastPathComponent.contains("."), let folder = bridge?.config.appLocation else { return true }
        return FileManager.default.fileExists(atPath: folder.appendingPathComponent(address.path).path)
    }

    /// Runs in the order in which this thread and calls of pages come. A page's call waits in the
    /// same queue, so that it is judged by the navigation it came before or after.
    private func inOrder(_ what: @escaping (FaradPlugin) -> Void) {
        guard let bridge = bridge as? CapacitorBridge else { return }
        bridge.dispatchQueue.async { what(self) }
    }

    // What is seen.

    private func watchApp() {
        on(UIApplication.didBecomeActiveNotification) { plugin, _ in plugin.core.tell(.active, by: plugin) }
        on(UIApplication.willResignActiveNotification) { plugin, _ in plugin.core.tell(.inactive, by: plugin) }
        on(UIApplication.didEnterBackgroundNotification) { plugin, _ in
            Grace.take()
            plugin.core.tell(.background, by: plugin)
        }
        // A web view may come late into an app that is in front already.
        if UIApplication.shared.applicationState == .active { core.tell(.active, by: self) }
    }

    private func watchPages() {
        on(.capacitorDecidePolicyForNavigationAction) { plugin, notification in
            guard let action = notification.object as? WKNavigationAction,
                let frame = action.targetFrame, frame.isMainFrame,
                frame.webView == nil || frame.webView === plugin.webView,
                !plugin.departure.expects(action)
            else { return }
            plugin.departure.disturb()
            plugin.inOrder { $0.core.tell(.navigated, by: $0) }
        }
        renderer = webView.map { webView in
            RendererWatch(before: webView) { [weak self] in self?.rendererGone() }
        }
    }

    private func rendererGone() {
        // Its page is gone, which is all that was waited for.
        if departure.arrive() { return }
        // The system takes the memory of what is out of sight: nothing that the bundle did. Of another
        // screen than the one that speaks, its page is all that went.
        let told = UIApplication.shared.applicationState == .active && core.isSpeaker(self)
        if told { core.rendererGone(of: self) } else { _ = webView?.reload() }
    }

    private func on(_ name: Notification.Name, _ seen: @escaping (FaradPlugin, Notification) -> Void) {
        let observer = NotificationCenter.default.addObserver(forName: name, object: nil, queue: nil) {
            [weak self] notification in
            if let self { seen(self, notification) }
        }
        observers.append(observer)
    }
}
