// What the core must know of the native app.

import Capacitor
import Foundation

#if canImport(FaradCore)
import FaradCore
#endif

struct App {
    /// The one that runs. Tests put others in its place.
    static var main = App(Foundation.Bundle.main)

    let resources: URL
    let info: [String: Any]
    let bundleId: String?
    /// Where storage begins; below it is the app's own.
    let support: URL?
    let library: URL?

    init(_ bundle: Foundation.Bundle) {
        let files = FileManager.default
        resources = bundle.resourceURL ?? bundle.bundleURL
        info = bundle.infoDictionary ?? [:]
        bundleId = bundle.bundleIdentifier
        support = files.urls(for: .applicationSupportDirectory, in: .userDomainMask).first
        library = files.urls(for: .libraryDirectory, in: .userDomainMask).first
    }

    init(resources: URL, info: [String: Any], bundleId: String?, support: URL?, library: URL?) {
        (self.resources, self.info, self.bundleId) = (resources, info, bundleId)
        (self.support, self.library) = (support, library)
    }

    /// Whether the app has scenes, as Capacitor's command makes it since 8.5.
    var hasScenes: Bool { info["UIApplicationSceneManifest"] != nil }

    /// The built-in bundle.
    var web: URL { resources.appendingPathComponent("public", isDirectory: true) }

    func setup(_ plugin: FaradPlugin) -> Setup {
        let settings = plugin.getConfig().getConfigJSON()
        let config = plugin.bridge?.config
        return Setup(
            settings: JSON.text(settings),
            appId: settings["appId"] == nil ? capacitorId : bundleId ?? capacitorId,
            // The bridge serves no folder then, either.
            liveReload: config.map { $0.serverURL != $0.localURL || $0.cordovaDeployDisabled } ?? false,
            debug: App.isDebug,
            platform: .ios(build: info["CFBundleVersion"] as? String ?? ""),
            nativeVersion: info["CFBundleShortVersionString"] as? String ?? "",
            built: 0,
            home: Home.prepare(in: support).path,
            source: .folders(web: web.path, resources: resources.path)
        )
    }

    /// The app id of the configuration, which a build's variant does not change.
    private var capacitorId: String {
        let file = resources.appendingPathComponent("capacitor.config.json")
        let config = (try? String(contentsOf: file, encoding: .utf8)).flatMap(JSON.object)
        return config?["appId"] as? String ?? bundleId ?? ""
    }

    private static var isDebug: Bool {
        #if DEBUG
        return true
        #else
        return false
        #endif
    }
}
