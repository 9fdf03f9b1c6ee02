// Opening keys in the keychain of this device: put there by native code that obtained them, asked for
// by the core when a sealed bundle comes. No backup takes them to another device.

import Foundation
import Security

#if canImport(FaradCore)
import FaradCore
#endif

public final class KeychainKeys: OpeningKeys, Sendable {
    private let service: String
    private let group: String?

    /// Keys under the name `service`; shared with the apps of `group`, if there is one.
    public init(service: String = "dev.farad.opening-keys", group: String? = nil) {
        (self.service, self.group) = (service, group)
    }

    /// The key with this id (32 hex digits), as PKCS#8 in PEM; nil where there is none.
    public func openingKey(id: String) throws -> String? {
        var query = item(id)
        query[kSecReturnData as String] = true
        query[kSecMatchLimit as String] = kSecMatchLimitOne
        var found: CFTypeRef?
        let status = SecItemCopyMatching(NSDictionary(dictionary: query) as CFDictionary, &found)
        if status == errSecItemNotFound { return nil }
        try check(status, "reading")
        return (found as? NSData).flatMap { String(data: Data(referencing: $0), encoding: .utf8) }
    }

    /// Keeps a key, in place of the one that was kept under this id.
    public func store(_ pem: String, id: String) throws {
        try remove(id: id)
        var attributes = item(id)
        attributes[kSecValueData as String] = Data(pem.utf8)
        // A bundle may be fetched while the phone is locked.
        attributes[kSecAttrAccessible as String] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
        try check(SecItemAdd(NSDictionary(dictionary: attributes) as CFDictionary, nil), "storing")
    }

    /// Forgets a key; nothing happens where there is none.
    public func remove(id: String) throws {
        let status = SecItemDelete(NSDictionary(dictionary: item(id)) as CFDictionary)
        if status != errSecItemNotFound { try check(status, "removing") }
    }

    private func item(_ id: String) -> [String: Any] {
        var item: [String: Any] = [
            kSecClass as String: kSecClassGenericPassword,
            kSecAttrService as String: service,
            kSecAttrAccount as String: id,
        ]
        if let group { item[kSecAttrAccessGroup as String] = group }
        return item
    }

    private func check(_ status: OSStatus, _ doing: String) throws {
        if status != errSecSuccess { throw ShellError.Failed(detail: "\(doing) a key: status \(status)") }
    }
}
