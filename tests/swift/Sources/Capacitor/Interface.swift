// Stands in for what Capacitor declares for plugins. Each declaration names the line of the real
// sources that it stands for, which `cargo xtask swift` looks up in the package of that name.

import Foundation
import UIKit
import WebKit

// JSTypes.swift: public protocol JSValue {}
public protocol JSValue {}
extension String: JSValue {}
extension Bool: JSValue {}
extension NSNumber: JSValue {}
extension NSNull: JSValue {}
extension Int: JSValue {}
extension Array: JSValue {}
extension Dictionary: JSValue where Key == String, Value == JSValue {}
// JSTypes.swift: public typealias JSObject = [String: JSValue]
public typealias JSObject = [String: JSValue]

// PluginCallResult.swift: public typealias PluginCallResultData = [String: Any]
public typealias PluginCallResultData = [String: Any]

// CAPBridgedPlugin.h: #define CAPPluginReturnPromise @"promise"
public let CAPPluginReturnPromise = "promise"

// CAPPluginMethod.h: @interface CAPPluginMethod : NSObject
public class CAPPluginMethod: NSObject {
    // CAPPluginMethod.h: @property (nonatomic, strong) NSString *name; // Raw method name
    public let name: String!

    // CAPPluginMethod.h: - (instancetype)initWithName:(NSString *)name returnType:(CAPPluginReturnType *)returnType;
    public init!(name: String!, returnType: String!) {
        self.name = name
    }
}

// CAPBridgedPlugin.h: @protocol CAPBridgedPlugin <NSObject>
public protocol CAPBridgedPlugin: AnyObject {
    // CAPBridgedPlugin.h: @property (nonnull, readonly) NSString *identifier;
    var identifier: String { get }
    // CAPBridgedPlugin.h: @property (nonnull, readonly) NSString *jsName;
    var jsName: String { get }
    // CAPBridgedPlugin.h: @property (nonnull, readonly) NSArray<CAPPluginMethod *> *pluginMethods;
    var pluginMethods: [CAPPluginMethod] { get }
}

// CAPPluginCall.h: @interface CAPPluginCall : NSObject
public class CAPPluginCall: NSObject {
    // CAPPluginCall.h: @property (nonatomic, strong) NSString *methodName;
    public let methodName: String!
    // CAPPluginCall.h: @property (nonatomic, strong) NSDictionary *options;
    public let options: [AnyHashable: Any]!
    let answer: (Answer) -> Void

    public init(methodName: String, options: [AnyHashable: Any], answer: @escaping (Answer) -> Void) {
        (self.methodName, self.options, self.answer) = (methodName, options, answer)
    }

    // CAPPluginCall.swift: func resolve() {
    public func resolve() {
        answer(.resolved([:]))
    }

    // CAPPluginCall.swift: func resolve(_ data: PluginCallResultData = [:]) {
    public func resolve(_ data: PluginCallResultData = [:]) {
        answer(.resolved(data))
    }

    // CAPPluginCall.swift: func reject(_ message: String, _ code: String? = nil, _ error: Error? = nil, _ data: PluginCallResultData? = nil) {
    public func reject(
        _ message: String, _ code: String? = nil, _ error: Error? = nil, _ data: PluginCallResultData? = nil
    ) {
        answer(.rejected(message, code, data))
    }
}

// CAPPlugin.h: @interface CAPPlugin : NSObject
open class CAPPlugin: NSObject {
    // CAPPlugin.h: @property (nonatomic, weak, nullable) WKWebView *webView;
    public weak var webView: WKWebView?
    // CAPPlugin.h: @property (nonatomic, weak, nullable) id<CAPBridgeProtocol> bridge;
    public weak var bridge: CAPBridgeProtocol?
    var name = ""
    var listeners: [String: [([String: Any]) -> Void]] = [:]
    var retained: [String: [[String: Any]]] = [:]

    override public required init() {}

    // CAPPlugin.h: -(void)load;
    open func load() {}

    // CAPPlugin.h: -(PluginConfig* _Nonnull)getConfig;
    public func getConfig() -> PluginConfig {
        PluginConfig(bridge?.config.pluginConfigurations[name] as? JSObject ?? [:])
    }

    // CAPPlugin.h: - (NSNumber* _Nullable)shouldOverrideLoad:(WKNavigationAction* _Nonnull)navigationAction;
    open func shouldOverrideLoad(_ navigationAction: WKNavigationAction) -> NSNumber? { nil }

    // CAPPlugin.h: - (void)notifyListeners:(NSString* _Nonnull)eventName data:(NSDictionary<NSString *, id>* _Nullable)data retainUntilConsumed:(BOOL)retain;
    public func notifyListeners(_ eventName: String, data: [String: Any]?, retainUntilConsumed retain: Bool) {
        let heard = listeners[eventName] ?? []
        if heard.isEmpty, retain { retained[eventName, default: []].append(data ?? [:]) }
        heard.forEach { $0(data ?? [:]) }
    }
}

// PluginConfig.swift: @objc public class PluginConfig: NSObject {
public class PluginConfig: NSObject {
    private let config: JSObject

    init(_ config: JSObject) {
        self.config = config
    }

    // PluginConfig.swift: public func getConfigJSON() -> JSObject {
    public func getConfigJSON() -> JSObject { config }
}

// CAPInstanceConfiguration.h: NS_SWIFT_NAME(InstanceConfiguration)
public class InstanceConfiguration: NSObject {
    // CAPInstanceConfiguration.h: @property (nonatomic, readonly, nonnull) NSURL *localURL;
    public let localURL: URL
    // CAPInstanceConfiguration.h: @property (nonatomic, readonly, nonnull) NSURL *serverURL;
    public let serverURL: URL
    // CAPInstanceConfiguration.h: @property (nonatomic, readonly, nonnull) NSDictionary *pluginConfigurations;
    public let pluginConfigurations: [AnyHashable: Any]
    // CAPInstanceConfiguration.h: @property (nonatomic, readonly) BOOL cordovaDeployDisabled;
    public let cordovaDeployDisabled = false
    // CAPInstanceConfiguration.h: @property (nonatomic, readonly, nonnull) NSURL *appLocation;
    public let appLocation: URL
    // CAPInstanceConfiguration.h: @property (nonatomic, readonly, nullable) NSString *appStartPath;
    public let appStartPath: String?

    init(local: URL, server: URL, plugins: [AnyHashable: Any], location: URL, startPath: String?) {
        (localURL, serverURL, pluginConfigurations) = (local, server, plugins)
        (appLocation, appStartPath) = (location, startPath)
    }

    // CAPInstanceConfiguration.swift: @objc public var appStartServerURL: URL {
    public var appStartServerURL: URL { appStartPath.map { serverURL.appendingPathComponent($0) } ?? serverURL }
}

// CAPBridgeProtocol.swift: @objc public protocol CAPBridgeProtocol: NSObjectProtocol {
public protocol CAPBridgeProtocol: AnyObject {
    // CAPBridgeProtocol.swift: var config: InstanceConfiguration { get }
    var config: InstanceConfiguration { get }
    // CAPBridgeProtocol.swift: var webView: WKWebView? { get }
    var webView: WKWebView? { get }
    // CAPBridgeProtocol.swift: func setServerBasePath(_ path: String)
    func setServerBasePath(_ path: String)
    // CAPBridgeProtocol.swift: func plugin(withName: String) -> CAPPlugin?
    func plugin(withName: String) -> CAPPlugin?
}

extension Notification.Name {
    // CAPNotifications.swift: public static let capacitorDecidePolicyForNavigationAction =
    public static let capacitorDecidePolicyForNavigationAction =
        Notification.Name(rawValue: "CapacitorDecidePolicyForNavigationActionNotification")
}
