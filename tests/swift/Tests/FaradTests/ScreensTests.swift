import Capacitor
import UIKit
import WebKit
import XCTest

@testable import FaradCapacitor

/// Several web views within one process: which of them speaks for it.
final class ScreensTests: XCTestCase {
    private var shop: Shop!

    override func setUpWithError() throws {
        shop = try Shop()
        try shop.release("1.0.0")
    }

    override func tearDown() {
        shop = nil
    }

    private func phone(_ more: [String: any JSValue] = [:]) throws -> Phone {
        let own: [String: any JSValue] = ["url": try shop.serve(), "channel": "production", "autoSync": "off"]
        return try Phone(shop, own.merging(more) { $1 }).start()
    }

    private func current(_ ready: [String: Any]) -> String? {
        (ready["current"] as? [String: Any])?["version"] as? String
    }

    func testThePageOfAScreenThatIsCoveredConfirmsNothingAndReportsNothing() throws {
        let phone = try phone()
        try phone.ask("sync")
        let below = phone.cover()
        XCTAssertEqual(phone.page, "1.0.0")
        try phone.at(below) {
            phone.view.reload()
            phone.settle()
            for method in ["attach", "ready", "reportFailure"] {
                let refused = try phone.refusal(method, ["nonce": "old"])
                XCTAssertEqual(refused.code, "stale-token", method)
                XCTAssertEqual(refused.data["stage"] as? String, "call")
                XCTAssertEqual(refused.data["retryable"] as? Bool, false)
            }
            // What is on the device is no secret of a screen.
            try phone.ask("getState")
        }
        XCTAssertEqual(current(try phone.ready("new")), "1.0.0")
    }

    func testARendererThatDiesBelowCostsTheScreenAboveNothing() throws {
        let phone = try phone()
        try phone.ask("sync")
        let below = phone.cover()
        for deaths in 1...3 {
            phone.at(below) {
                phone.view.die()
                phone.settle()
                XCTAssertEqual(phone.page, "built in")
                XCTAssertEqual(phone.view.pages.count, 1 + deaths, "its page is loaded anew")
            }
            phone.settle()
        }
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(phone.view.pages.count, 1)
        XCTAssertEqual(current(try phone.ready("new")), "1.0.0")
    }

    func testAScreenBelowIsTheScreenAgainWhereItShowsWhatRuns() throws {
        let phone = try phone(["apply": "now"])
        let below = phone.cover()
        phone.uncover(below)
        XCTAssertEqual(phone.view.pages.count, 1, "it stands")
        try phone.replaced { try phone.ask("sync") }
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(current(try phone.ready("new")), "1.0.0")
    }

    func testAScreenBelowBeginsAnewWhereItShowsWhatRunsNoMore() throws {
        let phone = try phone()
        try phone.ask("sync")
        let below = phone.cover()
        XCTAssertEqual(current(try phone.ready("above")), "1.0.0")
        phone.at(below) { XCTAssertEqual(phone.page, "built in") }
        phone.uncover(below)
        phone.settle()
        XCTAssertEqual(phone.page, "1.0.0")
        XCTAssertEqual(current(try phone.ready("below")), "1.0.0")
    }

    func testNoTimeRunsForALaunchWithoutAScreen() throws {
        let phone = try phone()
        try phone.ask("sync")
        XCTAssertEqual(phone.start().page, "1.0.0")
        let core = try XCTUnwrap(Core.current)
        phone.close()
        // One may have run out just then.
        for queue in [core.clock, core.short] { queue.sync {} }
        XCTAssertEqual(core.timers.count, 0, "none runs for ready()")
    }
}
