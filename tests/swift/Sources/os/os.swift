// Stands in for os: a log that a test can read.

import Foundation

public enum OSLogPrivacy {
    case `public`
}

public struct OSLogMessage: ExpressibleByStringInterpolation {
    public struct StringInterpolation: StringInterpolationProtocol {
        var text = ""

        public init(literalCapacity: Int, interpolationCount: Int) {}

        public mutating func appendLiteral(_ literal: String) {
            text += literal
        }

        public mutating func appendInterpolation<Value>(_ value: @autoclosure () -> Value, privacy: OSLogPrivacy) {
            text += String(describing: value())
        }
    }

    let text: String

    public init(stringLiteral value: String) {
        text = value
    }

    public init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
    }
}

public struct Logger: Sendable {
    private static let lock = NSLock()
    nonisolated(unsafe) private static var said: [String] = []

    /// Everything that was logged in this process.
    public static var lines: [String] {
        lock.lock()
        defer { lock.unlock() }
        return said
    }

    public init(subsystem: String, category: String) {}

    public func error(_ message: OSLogMessage) { say("error", message) }

    public func warning(_ message: OSLogMessage) { say("warning", message) }

    public func info(_ message: OSLogMessage) { say("info", message) }

    private func say(_ level: String, _ message: OSLogMessage) {
        Logger.lock.lock()
        defer { Logger.lock.unlock() }
        Logger.said.append("\(level) \(message.text)")
    }
}
