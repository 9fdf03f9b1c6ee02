// Objects as text, and back: what pages say and hear crosses to the core so.

import Foundation

enum JSON {
    /// What a page gave with a call. What JSON cannot say (a number that is none) is said as no object,
    /// which the core refuses; the serializer would end the app.
    static func text(_ options: [AnyHashable: Any]?) -> String {
        let options = options ?? [:]
        guard JSONSerialization.isValidJSONObject(options),
            let data = try? JSONSerialization.data(withJSONObject: options),
            let text = String(data: data, encoding: .utf8)
        else { return "null" }
        return text
    }

    /// An object; nil where the text is something else.
    static func object(_ text: String) -> [String: Any]? {
        (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]
    }
}
