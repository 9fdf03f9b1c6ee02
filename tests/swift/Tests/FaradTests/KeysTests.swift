import FaradCore
import Capacitor
import Security
import XCTest

@testable import FaradCapacitor

/// Opening keys in the keychain.
final class KeysTests: XCTestCase {
    override func setUp() {
        Keychain.items = [:]
        Farad.openingKeys = nil
    }

    func testAKeyIsKeptReplacedAndForgotten() throws {
        let (keys, others) = (KeychainKeys(), KeychainKeys(group: "group.example"))
        XCTAssertNil(try keys.openingKey(id: "ab"))
        try keys.store("one", id: "ab")
        try keys.store("two", id: "ab")
        XCTAssertEqual(try keys.openingKey(id: "ab"), "two")
        XCTAssertNil(try others.openingKey(id: "ab"))
        try keys.remove(id: "ab")
        try keys.remove(id: "ab")
        XCTAssertNil(try keys.openingKey(id: "ab"))
    }

    func testKeysStayOnThisDeviceAndCanBeReadWhileItIsLocked() throws {
        try KeychainKeys().store("one", id: "ab")
        let kept = try XCTUnwrap(Keychain.items.values.first)
        XCTAssertEqual(kept[kSecAttrAccessible] as? String, kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly)
    }

    func testASealedReleaseIsOpenedByAKeyOfTheKeychain() throws {
        let shop = try Shop("--sealed")
        try shop.release("1.0.0")
        let settings: [String: any JSValue] = [
            "url": try shop.serve(), "channel": "production", "autoSync": "off", "sealed": "required",
        ]
        Farad.openingKeys = KeychainKeys()
        defer { Farad.openingKeys = nil }
        let phone = try Phone(shop, settings).start()
        XCTAssertEqual(try phone.ask("sync")["status"] as? String, "key-missing")
        let listed = try shop.farad(["key", "recipient", "list", "--json"])
        let id = try XCTUnwrap(listed.range(of: "[0-9a-f]{32}", options: .regularExpression))
        let pem = shop.home.appendingPathComponent("keys/opening/app.pem")
        try KeychainKeys().store(String(contentsOf: pem, encoding: .utf8), id: String(listed[id]))
        XCTAssertEqual(try phone.ask("sync")["status"] as? String, "staged")
        XCTAssertEqual(phone.start().page, "1.0.0")
    }
}
