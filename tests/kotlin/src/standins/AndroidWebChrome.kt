package android.webkit

import android.graphics.Bitmap
import android.net.Uri
import android.os.Message
import android.view.View

/** As Android's: it sees to nothing. */
open class WebChromeClient {
    open fun onProgressChanged(view: WebView?, newProgress: Int) = Unit

    open fun onReceivedTitle(view: WebView?, title: String?) = Unit

    open fun onReceivedIcon(view: WebView?, icon: Bitmap?) = Unit

    open fun onReceivedTouchIconUrl(view: WebView?, url: String?, precomposed: Boolean) = Unit

    open fun onShowCustomView(view: View?, callback: CustomViewCallback?) = Unit

    open fun onHideCustomView() = Unit

    open fun onCreateWindow(view: WebView?, isDialog: Boolean, isUserGesture: Boolean, resultMsg: Message?) = false

    open fun onRequestFocus(view: WebView?) = Unit

    open fun onCloseWindow(window: WebView?) = Unit

    open fun onJsAlert(view: WebView?, url: String?, message: String?, result: JsResult?) = false

    open fun onJsConfirm(view: WebView?, url: String?, message: String?, result: JsResult?) = false

    open fun onJsPrompt(
        view: WebView?, url: String?, message: String?, defaultValue: String?, result: JsPromptResult?,
    ) = false

    open fun onJsBeforeUnload(view: WebView?, url: String?, message: String?, result: JsResult?) = false

    open fun onGeolocationPermissionsShowPrompt(origin: String?, callback: GeolocationPermissions.Callback?) = Unit

    open fun onGeolocationPermissionsHidePrompt() = Unit

    open fun onPermissionRequest(request: PermissionRequest?) = Unit

    open fun onPermissionRequestCanceled(request: PermissionRequest?) = Unit

    open fun onConsoleMessage(consoleMessage: ConsoleMessage?) = false

    open fun getDefaultVideoPoster(): Bitmap? = null

    open fun getVideoLoadingProgressView(): View? = null

    open fun getVisitedHistory(callback: ValueCallback<Array<String>>?) = Unit

    open fun onShowFileChooser(
        webView: WebView?, filePathCallback: ValueCallback<Array<Uri>>?, fileChooserParams: FileChooserParams?,
    ) = false

    interface CustomViewCallback

    abstract class FileChooserParams
}

open class JsResult {
    var confirmed = false
        private set

    fun confirm() {
        confirmed = true
    }

    fun cancel() = Unit
}

class JsPromptResult : JsResult()

class ConsoleMessage

abstract class PermissionRequest

class GeolocationPermissions {
    interface Callback
}

interface ValueCallback<T> {
    fun onReceiveValue(value: T)
}
