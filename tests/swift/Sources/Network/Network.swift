// Stands in for Network: the path that a test puts there.

import Foundation

public struct NWPath {
    public var isExpensive = false
    public var isConstrained = false

    public init() {}
}

public final class NWPathMonitor {
    /// Of all monitors.
    nonisolated(unsafe) public static var path = NWPath()

    public init() {}

    public var currentPath: NWPath { NWPathMonitor.path }

    public func start(queue: DispatchQueue) {}

    public func cancel() {}
}
