import Capacitor
import Network
import UIKit
import WebKit
import XCTest
import os

@testable import FaradCapacitor

/// The iOS plugin in stand-ins for Capacitor and WebKit, over the real core.
final class PluginTests: XCTestCase {
    private func settings(_ shop: Shop, _ more: [String: any JSValue] = [:]) throws -> [String: any JSValue] {
        let own: [String: any JSValue] = [
            "url": try shop.serve(), "channel": "production", "autoSync": "off",
        ]
        return own.merging(more) { $1 }
    }

    private func version(_ bundle: Any?) -> String? {
        (bundle as? [String: Any])?["version"] as? String
    }

    func testAReleaseIsFetchedShownInPlaceOfThePageAndConfirmedByItsOwnPageAlone() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop, ["apply": "now"])).start()
        XCTAssertEqual(phone.page, "built in")
        try phone.ask("attach", ["nonce": "old"])
        let heard = ["updateAvailable", "updateStaged", "beforeReload"].map(phone.hear)
        try phone.replaced { XCTAssertEqual(try phone.ask("sync")["status"] as? String, "staged") }
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertTrue(heard.allSatisfy { !$0.events.isEmpty })
        XCTAssertEqual(
            phone.view.pages.map(\.absoluteString), ["capacitor://localhost", "about:blank?farad-2", "capacitor://localhost"])
        XCTAssertEqual(try phone.refusal("ready", ["nonce": "old"]).code, "stale-token")
        let ready = try phone.ready("new")
        XCTAssertEqual(version(ready["current"]), "1.0.0")
        XCTAssertTrue(ready["rolledBack"] is NSNull)

        // The next process begins on it.
        phone.start()
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(phone.view.pages.count, 1)
    }

    func testAnOldPageThatLoadsItselfAnewMeanwhileConfirmsNothing() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop, ["apply": "now"])).start()
        var reloads = 0
        // Its script runs until the empty page stands, and it does not want to go.
        phone.view.beforeCommit = { [unowned phone] in
            guard phone.page == "built in", reloads < 3 else { return }
            reloads += 1
            phone.view.go(URL(string: "capacitor://localhost/again")!)
        }
        try phone.replaced { try phone.ask("sync") }
        while phone.page == "built in" { phone.replaced {} }
        XCTAssertEqual(reloads, 3)
        XCTAssertEqual(phone.view.pages.suffix(2).map(\.absoluteString), ["about:blank?farad-2", "capacitor://localhost"])
        XCTAssertEqual(version(try phone.ready("new")["current"]), "1.0.0")
    }

    func testAReloadThatBeganWhileTheEmptyDocumentWasCommittedIsOfTheOldPage() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop, ["apply": "now"])).start()
        var reloads = 0
        phone.view.beforeCommit = { [unowned phone] in
            guard phone.page == "built in", reloads == 0 else { return }
            reloads += 1
            phone.view.goLate(URL(string: "capacitor://localhost/late")!)
        }
        try phone.replaced { try phone.ask("sync") }
        while phone.page == "built in" { phone.replaced {} }
        XCTAssertEqual(reloads, 1)
        let late = try XCTUnwrap(phone.view.pages.firstIndex { $0.path == "/late" })
        XCTAssertEqual(
            phone.view.pages.suffix(from: late).map(\.absoluteString),
            ["capacitor://localhost/late", "about:blank?farad-2", "capacitor://localhost"])
        XCTAssertEqual(version(try phone.ready("new")["current"]), "1.0.0")
    }

    func testABundleThatNeverComesUpIsUndoneAndTheReasonTold() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop)).start()
        try phone.ask("sync")
        for _ in 0..<2 { XCTAssertEqual(phone.start().page, "1.0.0") }
        XCTAssertEqual(phone.start().page, "built in")
        let heard = phone.hear("rolledBack")
        XCTAssertEqual(heard.events.map { $0["reason"] as? String }, ["not-ready"])
        XCTAssertEqual(version(try phone.ready("page")["rolledBack"]), "1.0.0")
        XCTAssertEqual(try phone.ask("sync")["status"] as? String, "blocked")
    }

    func testAStartThatNobodySeesTriesNothingAndTheFirstLookBeginsWhatWaits() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop)).start()
        try phone.ask("sync")
        for _ in 0..<3 { XCTAssertEqual(phone.start(seen: false).page, "built in") }
        phone.replaced { UIApplication.shared.become(.active) }
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(phone.start(seen: false).page, "built in", "its second launch waits, too")
        phone.replaced { UIApplication.shared.become(.active) }
        XCTAssertEqual(version(try phone.ready("page")["current"]), "1.0.0")
        XCTAssertEqual(phone.start(seen: false).page, "1.0.0")
    }

    func testAnAppWithScenesBeginsWithWhatWaitsBeforeOneOfThemIsInFront() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop))
        phone.scenes = true
        try phone.start().ask("sync")
        XCTAssertEqual(phone.start().page, "1.0.0")
        XCTAssertEqual(phone.view.pages.count, 1, "no page was replaced under the user")
        _ = try phone.ready("one")
        try shop.release("1.1.0")
        try phone.ask("sync")
        // Nobody ever looks: one launch is given back.
        for _ in 0..<3 {
            XCTAssertEqual(phone.start(seen: false).page, "1.1.0")
            try phone.ask("getState")
        }
        XCTAssertEqual(phone.start().page, "1.0.0")
    }

    func testASceneThatBeginsBehindALockedScreenTriesNothing() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop))
        phone.scenes = true
        try phone.start().ask("sync")
        defer { UIApplication.shared.isProtectedDataAvailable = true }
        UIApplication.shared.isProtectedDataAvailable = false
        for _ in 0..<4 { XCTAssertEqual(phone.start(seen: false).page, "built in") }
        UIApplication.shared.isProtectedDataAvailable = true
        phone.replaced { UIApplication.shared.become(.active) }
        XCTAssertEqual(version(try phone.ready("page")["current"]), "1.0.0")
    }

    func testALaunchThatEndsOutOfSightIsGivenBackOnce() throws {
        let ends: [(Phone) throws -> Void] = [
            { phone in
                UIApplication.shared.become(.background)
                // Answered after what is written down.
                try phone.ask("getState")
            },
            { _ in UIApplication.shared.terminate() },
            { phone in
                phone.close()
                UIApplication.shared.terminate()
            },
        ]
        for end in ends {
            let shop = try Shop()
            try shop.release("1.0.0")
            let phone = try Phone(shop, settings(shop)).start()
            try phone.ask("sync")
            for _ in 0..<3 {
                XCTAssertEqual(phone.start().page, "1.0.0")
                try end(phone)
            }
            XCTAssertEqual(phone.start().page, "built in")
        }
    }

    func testARendererThatDiesInFrontEndsTheLaunch() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop)).start()
        try phone.ask("sync")
        phone.start()
        phone.replaced { phone.view.die() }
        XCTAssertEqual(phone.page, "1.0.0", "it is tried once more")
        phone.replaced { phone.view.die() }
        XCTAssertEqual(phone.page, "built in")
        XCTAssertEqual(try phone.ready("page")["reason"] as? String, "renderer-gone")
    }

    func testARendererThatMadeRoomInTheBackgroundLoadsItsPageAnew() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop)).start()
        try phone.ask("sync")
        phone.start()
        for _ in 0..<3 {
            UIApplication.shared.become(.background)
            phone.view.go(URL(string: "capacitor://localhost/basket")!)
            phone.settle()
            phone.view.die()
            phone.settle()
            UIApplication.shared.become(.active)
        }
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(version(try phone.ready("page")["current"]), "1.0.0")
    }

    func testAFolderThatAPageChoseDoesNotSurviveAStart() throws {
        let shop = try Shop()
        let phone = try Phone(shop, settings(shop)).start()
        let evil = shop.home.appendingPathComponent("evil")
        try write("evil", to: evil.appendingPathComponent("index.html"))
        phone.bridge.setServerBasePath(evil.path)
        XCTAssertEqual(phone.page, "evil")
        XCTAssertEqual(phone.start().page, "built in")
    }

    func testABundleWithoutTheStartPathIsGivenUpAndCapacitorNeverEndsTheApp() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop))
        try write("start", to: phone.home.appendingPathComponent("App.app/public/start.html"))
        phone.startPath = "start.html"
        phone.start()
        try phone.ask("sync")
        for _ in 0..<2 { XCTAssertEqual(phone.start().page, "built in") }
        XCTAssertEqual(try phone.ask("sync")["status"] as? String, "blocked")
    }

    func testAPluginThatAPageHasMadeBeginsNothing() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop)).start()
        try phone.ask("sync")
        for _ in 0..<3 { phone.bridge.loadPlugin(type: FaradPlugin.self) }
        // What waits was not begun under the old page, and none of its launches is used up.
        XCTAssertEqual(phone.page, "built in")
        XCTAssertEqual(version(try phone.ask("getState")["next"]), "1.0.0")
        let heard = phone.hear("beforeReload")
        try phone.replaced { XCTAssertEqual(try phone.ask("apply")["applying"] as? Bool, true) }
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(heard.events.count, 1)
        phone.replaced { phone.view.die() }
        XCTAssertEqual(phone.page, "1.0.0", "its second launch, after one death told once")
        XCTAssertEqual(version(try phone.ready("page")["current"]), "1.0.0")
    }

    func testARouteThatLooksLikeAFileIsKeptOnlyWhereThereIsSuchAFile() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop, ["apply": "now", "keepRoute": true])).start()
        phone.view.go(URL(string: "capacitor://localhost/users/john.doe?tab=1")!)
        phone.settle()
        try phone.replaced { try phone.ask("sync") }
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(phone.view.standing?.absoluteString, "capacitor://localhost")
        _ = try phone.ready("one")
        try shop.release("1.1.0")
        phone.view.go(URL(string: "capacitor://localhost/index.html?tab=1")!)
        phone.settle()
        try phone.replaced { try phone.ask("sync") }
        XCTAssertEqual(phone.view.standing?.absoluteString, "capacitor://localhost/index.html?tab=1")
    }

    func testAPageIsLoadedAnewAlthoughItsAddressEndsInAFragment() throws {
        let shop = try Shop()
        let phone = try Phone(shop, settings(shop, ["keepRoute": true])).start()
        phone.view.go(URL(string: "capacitor://localhost/#/basket")!)
        phone.settle()
        let before = phone.view.pages.count
        try phone.replaced { try phone.ask("reload") }
        XCTAssertEqual(phone.view.pages.count, before + 1)
    }

    func testSwitchedOffItLeavesTheFolderToOthers() throws {
        let shop = try Shop()
        let phone = try Phone(shop, settings(shop, ["enabled": false]))
        let other = phone.home.appendingPathComponent("other")
        try write("another plugin's", to: other.appendingPathComponent("index.html"))
        phone.web = other
        phone.start()
        XCTAssertEqual(phone.page, "another plugin's")
        XCTAssertEqual(try phone.ask("sync")["status"] as? String, "unavailable")
    }

    func testANewNativeAppRunsWhatItBroughtAlong() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop)).start()
        try phone.ask("sync")
        _ = try phone.start().ready("page")
        phone.build = "2"
        XCTAssertEqual(phone.start().page, "built in")
    }

    func testABundleTakesOverWhileNobodyLooksAtTheRouteOfTheOldPage() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop, ["apply": "background", "keepRoute": true])).start()
        phone.view.go(URL(string: "capacitor://localhost/basket?id=1#top")!)
        phone.settle()
        try phone.ask("sync")
        XCTAssertEqual(phone.page, "built in")
        let before = UIApplication.shared.tasks.count
        phone.replaced { UIApplication.shared.become(.background) }
        XCTAssertEqual(UIApplication.shared.tasks.count, before + 1, "the system lets it come to its end")
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(phone.view.standing?.absoluteString, "capacitor://localhost/basket?id=1#top")
    }

    func testAConfigurationThatCannotWorkIsToldInTheLogAndToEveryCall() throws {
        let shop = try Shop()
        let phone = try Phone(shop, ["url": "https://example.com"]).start()
        XCTAssertEqual(phone.page, "built in")
        for method in ["ready", "sync", "getState", "attach"] {
            XCTAssertEqual(try phone.refusal(method).code, "config-invalid")
        }
        XCTAssertEqual(try phone.refusal("getState").data["stage"] as? String, "config")
        phone.replaced { phone.view.reload() }
        XCTAssertTrue(Logger.lines.contains { $0.hasPrefix("error") && $0.contains("channel is missing") })
    }

    func testUnderLiveReloadNothingHappensAndNothingFails() throws {
        let shop = try Shop()
        let phone = try Phone(shop, settings(shop))
        phone.server = URL(string: "http://10.0.0.1:5173")
        phone.start()
        XCTAssertEqual(try phone.ask("sync")["status"] as? String, "unavailable")
        let current = try phone.ask("getState")["current"] as? [String: Any]
        XCTAssertEqual(current?["id"] as? String, "builtin")
    }

    func testWhatCannotBeSaidInJSONIsRefusedAndEndsNothing() throws {
        let shop = try Shop()
        let phone = try Phone(shop, settings(shop)).start()
        XCTAssertEqual(try phone.refusal("sync", ["apply": Double.nan]).code, "argument-invalid")
        XCTAssertEqual(try phone.refusal("attach", ["nonce": Date()]).code, "argument-invalid")
    }

    func testWhatOtherPluginsLeftBehindGoesOnce() throws {
        let shop = try Shop()
        let phone = try Phone(shop, settings(shop))
        let theirs = phone.library.appendingPathComponent("NoCloud/ionic_built_snapshots")
        try write("old", to: theirs.appendingPathComponent("abc/index.html"))
        try phone.start().ask("getState")
        XCTAssertFalse(FileManager.default.fileExists(atPath: theirs.path))
        // What comes later is somebody else's.
        try write("new", to: theirs.appendingPathComponent("abc/index.html"))
        try phone.start().ask("getState")
        XCTAssertTrue(FileManager.default.fileExists(atPath: theirs.path))
    }

    func testTheStoreLiesInTheAppsOwnStorage() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let phone = try Phone(shop, settings(shop)).start()
        try phone.ask("sync")
        XCTAssertTrue(FileManager.default.fileExists(atPath: phone.support.path + "/farad/bundles"))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: phone.library.path), ["Application Support"])
        let device = try phone.ask("getDeviceInfo")
        XCTAssertEqual(device["platform"] as? String, "ios")
        XCTAssertEqual(device["appId"] as? String, app, "the configuration's, whatever the build is called")
        XCTAssertEqual(device["nativeBuild"] as? String, "1")
    }

    func testANetworkIsMeteredWhereItCostsOrIsToBeSpared() throws {
        let shop = try Shop()
        try Phone(shop, settings(shop)).start()
        let core = try XCTUnwrap(Core.current)
        defer { NWPathMonitor.path = NWPath() }
        XCTAssertFalse(core.metered())
        NWPathMonitor.path.isConstrained = true
        XCTAssertTrue(core.metered())
        NWPathMonitor.path = NWPath()
        NWPathMonitor.path.isExpensive = true
        XCTAssertTrue(core.metered())
    }

    func testAPluginIsForgottenWithItsWebView() throws {
        let shop = try Shop()
        let phone = try Phone(shop, settings(shop)).start()
        weak var old = phone.bridge
        // Another web view within the process.
        phone.start()
        XCTAssertNil(old)
    }
}
