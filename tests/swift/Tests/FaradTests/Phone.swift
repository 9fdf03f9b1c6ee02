// A publisher and a phone for the tests: the publisher's real command, and an app that begins and ends
// as often as a test likes.

import Capacitor
import Foundation
import UIKit
import WebKit
import XCTest

@testable import FaradCapacitor

let app = "com.example.shop"

struct Refused: Error {
    let code: String
    let data: [String: Any]
}

/// A publisher's folder and its server, through the real command.
final class Shop {
    let home: URL
    private var server: Process?

    init(_ options: String...) throws {
        home = FileManager.default.temporaryDirectory.appendingPathComponent("farad-swift-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        try farad(["init", "--app", app, "--no-passphrase"] + options)
    }

    deinit {
        server?.terminate()
        server?.waitUntilExit()
        try? FileManager.default.removeItem(at: home)
    }

    private func command(_ arguments: [String]) -> (Process, Pipe) {
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: ProcessInfo.processInfo.environment["FARAD_COMMAND"] ?? "farad")
        process.arguments = arguments
        process.currentDirectoryURL = home
        process.standardOutput = pipe
        return (process, pipe)
    }

    @discardableResult
    func farad(_ arguments: [String]) throws -> String {
        let (process, pipe) = command(arguments)
        try process.run()
        let said = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        XCTAssertEqual(process.terminationStatus, 0, "\(arguments)")
        return String(decoding: said, as: UTF8.self)
    }

    func release(_ version: String) throws {
        let web = home.appendingPathComponent("web-\(version)")
        try write(version, to: web.appendingPathComponent("index.html"))
        try farad(["release", web.path, "--channel", "production", "--version", version])
    }

    /// Serves the repository, and says where.
    func serve() throws -> String {
        let (process, pipe) = command(["serve", "--port", "0", "--json"])
        try process.run()
        server = process
        var line = Data()
        while let byte = try pipe.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) {
            if byte.isEmpty { break }
            line += byte
        }
        return try XCTUnwrap(JSON.object(String(decoding: line, as: UTF8.self))?["url"] as? String)
    }
}

func write(_ text: String, to file: URL) throws {
    let folder = file.deletingLastPathComponent()
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
}

/// A phone with one app on it. Everything happens on the main thread, which must turn meanwhile.
final class Phone {
    private static let methods: [String: (FaradPlugin) -> (CAPPluginCall) -> Void] = [
        "attach": FaradPlugin.attach, "ready": FaradPlugin.ready, "check": FaradPlugin.check,
        "sync": FaradPlugin.sync, "apply": FaradPlugin.apply, "reload": FaradPlugin.reload,
        "reset": FaradPlugin.reset, "getState": FaradPlugin.getState,
        "reportFailure": FaradPlugin.reportFailure, "getChannel": FaradPlugin.getChannel,
        "setChannel": FaradPlugin.setChannel, "setHold": FaradPlugin.setHold,
        "getDeviceInfo": FaradPlugin.getDeviceInfo, "cancel": FaradPlugin.cancel,
    ]

    let home: URL
    let settings: [String: any JSValue]
    var build = "1"
    var server: URL?
    var startPath: String?
    /// The app has scenes, as one that Capacitor's command makes: the first comes in front after its web
    /// view was made.
    var scenes = false
    /// What Capacitor serves by itself, if that is not the built-in bundle.
    var web: URL?
    private(set) var bridge: CapacitorBridge!

    init(_ shop: Shop, _ settings: [String: any JSValue]) throws {
        home = shop.home.appendingPathComponent("phone")
        self.settings = settings
        try write("built in", to: home.appendingPathComponent("App.app/public/index.html"))
        try write(#"{"appId":"\#(app)"}"#, to: home.appendingPathComponent("App.app/capacitor.config.json"))
        let root = home.appendingPathComponent("App.app/farad-root.json")
        try FileManager.default.copyItem(at: shop.home.appendingPathComponent("farad-root.json"), to: root)
    }

    var support: URL { home.appendingPathComponent("Library/Application Support") }
    var library: URL { home.appendingPathComponent("Library") }
    var view: WKWebView { bridge.webView! }

    /// A new process, and the app in front; or begun out of sight, for a push message.
    @discardableResult
    func start(seen: Bool = true) -> Phone {
        Core.forgetAll()
        App.main = App(
            resources: home.appendingPathComponent("App.app"),
            info: ["CFBundleVersion": build, "CFBundleShortVersionString": "1.0"].merging(
                scenes ? ["UIApplicationSceneManifest": [:] as [String: Any]] : [:]) { $1 },
            bundleId: "com.example.shop.debug", support: support, library: library)
        UIApplication.shared.begin(seen && !scenes ? .inactive : .background)
        screen()
        if seen { UIApplication.shared.become(.active) }
        settle()
        return self
    }

    private func screen() {
        bridge = CapacitorBridge(
            web: web ?? App.main.web, plugins: ["Farad": settings], server: server, startPath: startPath,
            types: [FaradPlugin.self])
    }

    /// Another screen of the process, over the one that is there; that one.
    func cover() -> CapacitorBridge {
        let below = bridge!
        screen()
        settle()
        return below
    }

    /// Does `what` on the screen `other`.
    func at<Result>(_ other: CapacitorBridge, _ what: () throws -> Result) rethrows -> Result {
        let now = bridge
        bridge = other
        defer { bridge = now }
        return try what()
    }

    /// The screen goes, and `below` is there again.
    func uncover(_ below: CapacitorBridge) {
        bridge = below
        settle()
    }

    /// The only screen goes.
    func close() {
        bridge = nil
    }

    /// Waits until nothing that was asked of the two threads is left, and no page is on its way.
    func settle() {
        repeat {
            for _ in 0..<3 {
                let turned = XCTestExpectation(description: "both threads turned")
                bridge.dispatchQueue.async { DispatchQueue.main.async { turned.fulfill() } }
                XCTWaiter().wait(for: [turned], timeout: 60)
            }
        } while view.isLoading
    }

    private func answer(_ method: String, _ options: [AnyHashable: Any]) throws -> Answer {
        let (came, kept) = (XCTestExpectation(description: method), Kept())
        bridge.call(method, options) { answer in
            kept.answer = answer
            came.fulfill()
        } by: { plugin, call in
            (plugin as? FaradPlugin).map { Phone.methods[method]?($0)(call) }
        }
        XCTWaiter().wait(for: [came], timeout: 60)
        return try XCTUnwrap(kept.answer, "\(method) is not answered")
    }

    @discardableResult
    func ask(_ method: String, _ options: [AnyHashable: Any] = [:]) throws -> [String: Any] {
        switch try answer(method, options) {
        case let .resolved(data): return data
        case let .rejected(text, code, data):
            XCTFail("\(method): \(code ?? "no code"): \(text)")
            throw Refused(code: code ?? "", data: data ?? [:])
        }
    }

    func refusal(_ method: String, _ options: [AnyHashable: Any] = [:]) throws -> Refused {
        switch try answer(method, options) {
        case let .resolved(data):
            XCTFail("\(method) resolved: \(data)")
            return Refused(code: "", data: [:])
        case let .rejected(_, code, data): return Refused(code: code ?? "", data: data ?? [:])
        }
    }

    /// The page of this nonce says that it is ready.
    func ready(_ nonce: String) throws -> [String: Any] {
        try ask("attach", ["nonce": nonce])
        return try ask("ready", ["nonce": nonce])
    }

    /// Hears an event from now on.
    func hear(_ event: String) -> Heard {
        let heard = Heard()
        bridge.listen(event) { data in heard.events.append(data) }
        settle()
        return heard
    }

    /// What stands in the folder that is served.
    var page: String {
        let file = bridge.config.appLocation.appendingPathComponent("index.html")
        return (try? String(contentsOf: file, encoding: .utf8)) ?? "nothing"
    }

    /// Does `what`, and waits until a page of the app stands that came after it.
    func replaced(_ what: () throws -> Void) rethrows {
        let came = XCTestExpectation(description: "a page")
        came.assertForOverFulfill = false
        let before = view.onCommit
        view.onCommit = { url in
            before?(url)
            if url.scheme == "capacitor" { came.fulfill() }
        }
        try what()
        XCTAssertEqual(XCTWaiter().wait(for: [came], timeout: 60), .completed, "no page came")
        view.onCommit = before
        settle()
    }
}

private final class Kept {
    var answer: Answer?
}

final class Heard {
    var events: [[String: Any]] = []
}
