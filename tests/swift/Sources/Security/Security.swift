// Stands in for Security: a keychain of generic passwords, in memory.

import Foundation

public typealias CFDictionary = NSDictionary
public typealias CFTypeRef = AnyObject
public typealias OSStatus = Int32

public let errSecSuccess: OSStatus = 0
public let errSecParam: OSStatus = -50
public let errSecDuplicateItem: OSStatus = -25299
public let errSecItemNotFound: OSStatus = -25300

public let kSecClass = "class"
public let kSecClassGenericPassword = "genp"
public let kSecAttrService = "svce"
public let kSecAttrAccount = "acct"
public let kSecAttrAccessGroup = "agrp"
public let kSecAttrAccessible = "pdmn"
public let kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly = "cku"
public let kSecValueData = "v_Data"
public let kSecReturnData = "r_Data"
public let kSecMatchLimit = "m_Limit"
public let kSecMatchLimitOne = "m_LimitOne"

/// What is kept: attributes by what tells items apart.
public enum Keychain {
    nonisolated(unsafe) public static var items: [String: NSDictionary] = [:]

    static func name(_ query: NSDictionary) -> String? {
        guard query[kSecClass] as? String == kSecClassGenericPassword,
            let service = query[kSecAttrService] as? String, let account = query[kSecAttrAccount] as? String
        else { return nil }
        return "\(query[kSecAttrAccessGroup] as? String ?? "")/\(service)/\(account)"
    }
}

public func SecItemAdd(_ attributes: CFDictionary, _ result: UnsafeMutablePointer<CFTypeRef?>?) -> OSStatus {
    guard let name = Keychain.name(attributes), attributes[kSecValueData] is Data else { return errSecParam }
    if Keychain.items[name] != nil { return errSecDuplicateItem }
    Keychain.items[name] = attributes
    return errSecSuccess
}

public func SecItemCopyMatching(_ query: CFDictionary, _ result: UnsafeMutablePointer<CFTypeRef?>?) -> OSStatus {
    guard let name = Keychain.name(query), query[kSecReturnData] as? Bool == true else { return errSecParam }
    guard let data = Keychain.items[name]?[kSecValueData] as? Data else { return errSecItemNotFound }
    result?.pointee = NSData(data: data)
    return errSecSuccess
}

public func SecItemDelete(_ query: CFDictionary) -> OSStatus {
    guard let name = Keychain.name(query) else { return errSecParam }
    return Keychain.items.removeValue(forKey: name) == nil ? errSecItemNotFound : errSecSuccess
}
