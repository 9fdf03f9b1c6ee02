// Stands in for what Objective-C's runtime gives every object: compiled into the plugin's module.

import Foundation

struct Selector {}

class NSObject: Foundation.NSObject {
    func responds(to selector: Selector!) -> Bool { false }

    func forwardingTarget(for selector: Selector!) -> Any? { nil }
}
