import FaradCore
import XCTest

/// The generated bindings, without Capacitor.
final class BindingsTests: XCTestCase {
    private func setup(_ shop: Shop, _ url: String, debug: Bool = true) -> Setup {
        Setup(
            settings: #"{"url":"\#(url)","channel":"production","autoSync":"off"}"#, appId: app, liveReload: false,
            debug: debug, platform: .ios(build: "1"), nativeVersion: "1.0", built: 0,
            home: shop.home.appendingPathComponent("phone").path,
            source: .folders(web: shop.home.appendingPathComponent("none").path, resources: shop.home.path))
    }

    func testAnUpdaterFetchesTriesAndConfirmsARelease() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let updater = try Updater.open(setup: setup(shop, shop.serve()), keys: nil)
        XCTAssertEqual(try updater.boot(excused: false).bundle.id, "builtin")
        let steps = Steps()
        let done = try updater.sync(hold: false, cancel: CancelToken(), listener: steps)
        XCTAssertEqual(done.status, "staged")
        XCTAssertEqual(done.release?.version, "1.0.0")
        XCTAssertEqual(done.via, "pack")
        XCTAssertEqual(steps.told.last?.0, steps.told.last?.1)
        XCTAssertFalse(steps.told.isEmpty)
        let launch = try updater.boot(excused: false)
        let page = try XCTUnwrap(launch.folder) + "/index.html"
        XCTAssertEqual(try String(contentsOfFile: page, encoding: .utf8), "1.0.0")
        XCTAssertThrowsError(try updater.ready(token: "not a token")) { error in
            XCTAssertEqual((error as? FaradError)?.code(), "stale-token")
        }
        try updater.ready(token: XCTUnwrap(launch.token))
        XCTAssertNil(try updater.boot(excused: false).token)
        XCTAssertEqual(try updater.state().confirmed.version, "1.0.0")
        XCTAssertEqual(try updater.state().installId.count, 32)
    }

    func testABundleIsDeletedAndBlocksAreForgottenByADebugBuildAlone() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let url = try shop.serve()
        let debug = try Updater.open(setup: setup(shop, url), keys: nil)
        let shipped = try Updater.open(setup: setup(shop, url, debug: false), keys: nil)
        _ = try shipped.boot(excused: false)
        _ = try shipped.sync(hold: false, cancel: CancelToken(), listener: nil)
        let next = try XCTUnwrap(shipped.state().next).id
        XCTAssertTrue(try shipped.deleteBundle(id: next))
        XCTAssertNil(try shipped.state().next)
        _ = try shipped.sync(hold: false, cancel: CancelToken(), listener: nil)
        for _ in 0..<2 {
            let token = try XCTUnwrap(shipped.boot(excused: false).token)
            _ = try shipped.fail(token: token, reason: .reported)
        }
        XCTAssertEqual(try shipped.state().blocked, [next])
        XCTAssertThrowsError(try shipped.clearBlocks()) { error in
            XCTAssertEqual((error as? FaradError)?.code(), "not-allowed")
        }
        try debug.clearBlocks()
        XCTAssertEqual(try debug.state().blocked, [])
    }

    func testACancelledSyncEndsWithItsOwnError() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let updater = try Updater.open(setup: setup(shop, shop.serve()), keys: nil)
        let cancel = CancelToken()
        try cancel.cancel()
        XCTAssertThrowsError(try updater.sync(hold: false, cancel: cancel, listener: nil)) { error in
            guard case FaradError.Cancelled(let code, _) = error else { return XCTFail("\(error)") }
            XCTAssertEqual(code, "cancelled")
        }
    }

    func testAConfigurationThatCannotWorkIsMisuse() throws {
        let shop = try Shop()
        XCTAssertThrowsError(try Updater.open(setup: setup(shop, "ftp://example.com"), keys: nil)) { error in
            guard case FaradError.Misuse(let code, _) = error else { return XCTFail("\(error)") }
            XCTAssertEqual(code, "config-invalid")
        }
    }

    func testWhatAListenerThrowsStopsNothing() throws {
        let shop = try Shop()
        try shop.release("1.0.0")
        let updater = try Updater.open(setup: setup(shop, shop.serve()), keys: nil)
        XCTAssertEqual(try updater.sync(hold: false, cancel: CancelToken(), listener: Thrower()).status, "staged")
    }
}

private final class Steps: Listener, @unchecked Sendable {
    var told: [(Int64, Int64)] = []

    func progress(bytes: Int64, total: Int64) {
        told.append((bytes, total))
    }
}

private final class Thrower: Listener {
    struct Trouble: Error {}

    func progress(bytes: Int64, total: Int64) throws {
        throw Trouble()
    }
}
