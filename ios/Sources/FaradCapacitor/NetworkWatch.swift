// Whether the network is one that is paid for by the byte, or that the user wants spared.

import Foundation
import Network

final class NetworkWatch {
    private let monitor = NWPathMonitor()

    init() {
        monitor.start(queue: DispatchQueue(label: "farad-network", qos: .utility))
    }

    deinit {
        monitor.cancel()
    }

    var isMetered: Bool {
        let path = monitor.currentPath
        return path.isExpensive || path.isConstrained
    }
}
